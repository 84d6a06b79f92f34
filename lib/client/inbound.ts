/**
 * Reads the server's frames, and passes each to the part of the client that it concerns.
 *
 * @module
 */

import { type ErrorCode, ParleyError } from "../errors.ts";
import { HEADER_BYTES } from "../limits.ts";
import { CLIENT_SHAPES, type ClientControlName, decodeShape, type Welcome } from "../wire/client_control.ts";
import { type Header, readHeader, Type, u32 } from "../wire/header.ts";
import { type FrameHandler, FrameScanner } from "../wire/frame_scanner.ts";
import type { Shape } from "../wire/shape.ts";
import { MAX_FRAME_BYTES, RUN_BYTES } from "./limits.ts";
import type { Trace } from "./options.ts";
import type { PendingCalls } from "./pending_calls.ts";

/** Takes the frames about channels. */
export interface ChannelEvents {
  /**
   * Takes `count` neighbouring messages of one channel or inbox, `bytes[from, to)`.
   *
   * @returns whether they were taken; `false` after `ClientConnection.pause`, and the same bytes come again
   */
  run(bytes: Uint8Array, from: number, to: number, channel: number, count: number): boolean;
  /** Takes a REQUEST, JOINED, PARTED, POSITION, an announcement, or a MESSAGE that is not in a run; otherwise as `run`. */
  frame(header: Header, bytes: Uint8Array, from: number, to: number): boolean;
}

/** Takes the frames about the connection. */
export interface ConnectionEvents {
  /** The first WELCOME. Returns the receiver of the frames about channels. */
  welcomeReceived(welcome: Welcome): ChannelEvents;
  /** An ERROR. A fatal one ends the connection. */
  errorReceived(error: ParleyError, header: Header, isFatal: boolean): void;
  /** A PING to answer. */
  pingReceived(id: number, payload: Uint8Array): void;
  /** A PONG that answers no call. */
  pongReceived(payload: Uint8Array): void;
  /** A BYE. */
  byeReceived(reason: string): void;
  /** The server broke the protocol. `problem` follows the server's address in a sentence. */
  violated(code: ErrorCode | "not_parley" | "disconnected", problem: string): void;
  /** The same, once what says it is loaded. No more frames come. */
  broken(explanation: Promise<Explanation>): void;
}

/** How the server broke the protocol; see `ConnectionEvents.violated`. */
export interface Explanation {
  readonly code: ErrorCode | "not_parley";
  readonly problem: string;
}

/** What each control payload decodes to. */
type Payloads = { [N in ClientControlName]: ReturnType<(typeof CLIENT_SHAPES)[N]> };

/** What a program can do against `slow_consumer`. */
export const SLOW_ADVICE = "; iterate subscriptions without long pauses";

/** The incoming frames of one connection. */
export class Inbound implements FrameHandler {
  readonly #events: ConnectionEvents;
  readonly #calls: PendingCalls;
  readonly #trace: Trace | undefined;
  readonly #scanner = new FrameScanner("client", MAX_FRAME_BYTES, RUN_BYTES);
  /** Set by the WELCOME. */
  #channels: ChannelEvents | undefined;
  /** The id of the session; 0 before the WELCOME. */
  #sessionId = 0;
  #isClosing = false;
  #isStopped = false;

  /** Answers go to `calls`, and each frame is shown to `trace`. */
  constructor(events: ConnectionEvents, calls: PendingCalls, trace: Trace | undefined) {
    this.#events = events;
    this.#calls = calls;
    this.#trace = trace;
  }

  /** Whether the WELCOME is still to come. */
  get isGreeting(): boolean {
    return this.#channels === undefined;
  }

  /** From now on, frames about channels are dropped. */
  dropMessages(): void {
    this.#isClosing = true;
  }

  /** Takes no more frames. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Takes the whole frames in `bytes[0, end)`. Returns how many bytes that was. */
  read(bytes: Uint8Array, end: number): number {
    if (this.#isStopped) return end;
    if (this.isGreeting && end > 0 && bytes[0] !== Type.WELCOME && bytes[0] !== Type.ERROR) {
      this.#broken(describeStranger(bytes.slice(0, end)));
      return end;
    }
    const taken = this.#scanner.scan(bytes, end, this);
    if (this.#scanner.fault !== undefined) {
      if (end - taken >= HEADER_BYTES) this.#show(bytes.subarray(0, end), taken);
      this.#broken(describeFault(this.#scanner, bytes.slice(taken, taken + HEADER_BYTES)));
    }
    return taken;
  }

  #broken(explanation: Promise<Explanation>): void {
    this.#isStopped = true;
    this.#events.broken(explanation);
  }

  /** See `FrameHandler.run`. */
  run(bytes: Uint8Array, from: number, to: number, count: number, channel: number): number {
    if (this.#isStopped) return from;
    if (!this.#isClosing && !this.#channels!.run(bytes, from, to, channel, count)) return from;
    if (this.#trace !== undefined) {
      for (let at = from; at < to; at += HEADER_BYTES + u32(bytes, at + 4)) this.#show(bytes, at);
    }
    return to;
  }

  /** See `FrameHandler.skip`. */
  skip(): boolean {
    return true;
  }

  /** See `FrameHandler.frame`. */
  frame(bytes: Uint8Array, from: number, to: number): boolean {
    if (this.#isStopped) return false;
    const header = readHeader(bytes, from);
    if (isAboutChannels(header)) {
      if (!this.#isClosing && !this.#channels!.frame(header, bytes, from, to)) return false;
      this.#show(bytes, from);
    } else {
      this.#show(bytes, from);
      this.#handle(header, bytes, from, to);
    }
    return true;
  }

  /** Reads a control payload. A malformed one ends the connection. */
  decode<N extends ClientControlName>(
    type: N,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): Payloads[N] | undefined {
    const decoded = decodeShape(type, CLIENT_SHAPES[type] as Shape<Payloads[N]>, bytes, from, to);
    if ("value" in decoded) return decoded.value;
    this.#events.violated("bad_payload", `broke the protocol: ${decoded.problem}`);
    return undefined;
  }

  #handle(header: Header, bytes: Uint8Array, from: number, to: number): void {
    switch (header.type) {
      case Type.WELCOME: {
        const welcome = this.decode("WELCOME", bytes, from, to);
        if (welcome === undefined) return;
        if (!this.isGreeting) {
          return this.#events.violated("bad_frame", "broke the protocol: a second WELCOME");
        }
        this.#scanner.greeted();
        this.#sessionId = welcome.number;
        this.#channels = this.#events.welcomeReceived(welcome);
        return;
      }
      case Type.ERROR: {
        const payload = this.decode("ERROR", bytes, from, to);
        if (payload === undefined) return;
        const advice = payload.code === "slow_consumer" ? SLOW_ADVICE : "";
        const fatal = payload.fatal || this.isGreeting;
        const error = new ParleyError(payload.code as ErrorCode, payload.message + advice, { fatal });
        return this.#events.errorReceived(error, header, fatal);
      }
      case Type.PING:
        return this.#events.pingReceived(header.id, bytes.subarray(from + HEADER_BYTES, to));
      case Type.PONG:
        if (header.id === 0) return this.#events.pongReceived(bytes.subarray(from + HEADER_BYTES, to));
        this.#calls.answer(header, bytes, from, to);
        return;
      case Type.BYE: {
        const bye = this.decode("BYE", bytes, from, to);
        return bye && this.#events.byeReceived(bye.reason);
      }
      default:
        // OPENED, LEFT, REPLY or ACK. A REPLY that came too late has no call.
        this.#calls.answer(header, bytes, from, to);
    }
  }

  #show(bytes: Uint8Array, at: number): void {
    if (this.#trace === undefined) return;
    const header = readHeader(bytes, at);
    const payload = bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + header.length);
    this.#trace("in", header, payload, this.#sessionId);
  }
}

// What says how a server broke the protocol is loaded when one does.

async function describeStranger(bytes: Uint8Array): Promise<Explanation> {
  const { describePeer } = await import("./peer_detection.ts");
  return { code: "not_parley", problem: describePeer(bytes, bytes.length) };
}

async function describeFault(scanner: FrameScanner, header: Uint8Array): Promise<Explanation> {
  const violation = (await import("../wire/violation.ts")).describeFault(scanner, header, 0);
  return { code: violation.code, problem: `broke the protocol: ${violation.message}` };
}

/** Whether a frame goes to {@linkcode ChannelEvents}. Only those may have to wait; all others are handled at once. */
function isAboutChannels({ type, id }: Header): boolean {
  return type === Type.MESSAGE || type === Type.REQUEST || type === Type.JOINED || type === Type.PARTED ||
    type === Type.POSITION || type === Type.OPENED && id === 0;
}
