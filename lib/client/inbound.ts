/**
 * From the server's bytes to what they mean: who each frame is for.
 *
 * @module
 */

import { type ErrorCode, ParleyError } from "../errors.ts";
import { HEADER_BYTES } from "../limits.ts";
import { type ControlName, decodeControl, type Welcome } from "../wire/control.ts";
import { type Header, readHeader, Type, u32 } from "../wire/header.ts";
import { type FrameHandler, Scanner } from "../wire/scanner.ts";
import type { PendingCalls } from "./pending_calls.ts";
import type { Trace } from "./api.ts";
import { MAX_FRAME_BYTES, RUN_BYTES } from "./limits.ts";
import { describePeer, maybeClientHello } from "./peer_detection.ts";

/** Who the frames about channels are for. */
export interface ChannelEvents {
  /** Messages of one channel or inbox, as `FrameHandler.run`; returns `false` after `ClientConnection.pause`. */
  run(bytes: Uint8Array, from: number, to: number, channel: number): boolean;
  /** A REQUEST, a JOINED, a PARTED, an announcement, or a MESSAGE with a receipt; `false` as above. */
  frame(header: Header, bytes: Uint8Array, from: number, to: number): boolean;
}

/** What is about the connection itself. */
export interface ConnectionEvents {
  /** The first WELCOME; the answer takes what comes after it. */
  welcomed(welcome: Welcome): ChannelEvents;
  /** An ERROR; a fatal one ends the connection. */
  refused(error: ParleyError, header: Header, isFatal: boolean): void;
  /** A PING to answer. */
  pinged(id: number, payload: Uint8Array): void;
  /** A BYE. */
  saidGoodbye(reason: string): void;
  /** What came is not the protocol, in words to be read after the server's address. */
  violated(code: ErrorCode | "not_parley", problem: string): void;
}

/** What each control payload is. */
type Payloads = {
  [N in ControlName]: Extract<ReturnType<typeof decodeControl<N>>, { readonly value: unknown }>["value"];
};

const SLOW_ADVICE = "; iterate your channels without long pauses, and open those you only publish on with " +
  "subscribe: false";

/** Reads what one connection brings. */
export class Inbound implements FrameHandler {
  readonly #events: ConnectionEvents;
  readonly #calls: PendingCalls;
  readonly #trace: Trace | undefined;
  readonly #scanner = new Scanner("client", MAX_FRAME_BYTES, RUN_BYTES);
  /** There once the greeting is done. */
  #channels: ChannelEvents | undefined;
  /** The program wants no more messages. */
  #isClosing = false;
  #isStopped = false;

  /** Answers go to `answers`, and each frame is shown to `trace`. */
  constructor(events: ConnectionEvents, calls: PendingCalls, trace: Trace | undefined) {
    this.#events = events;
    this.#calls = calls;
    this.#trace = trace;
  }

  /** Whether the WELCOME is still to come. */
  get isGreeting(): boolean {
    return this.#channels === undefined;
  }

  /** From now on messages are thrown away, and only answers and the server's own words are heard. */
  dropMessages(): void {
    this.#isClosing = true;
  }

  /** Nothing more is read. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Takes what is whole of `bytes[0, end)`; returns how many bytes that was. */
  read(bytes: Uint8Array, end: number): number {
    if (this.isGreeting && end > 0 && !maybeClientHello(bytes[0])) {
      this.#events.violated("not_parley", describePeer(bytes, end));
      return end;
    }
    const taken = this.#scanner.scan(bytes, end, this);
    const { violation } = this.#scanner;
    if (violation !== undefined) {
      this.#events.violated(violation.code, `broke the protocol: ${violation.message}`);
    }
    return taken;
  }

  /** See `FrameHandler.run`. */
  run(bytes: Uint8Array, from: number, to: number, _count: number, channel: number): number {
    if (this.#isStopped) return from;
    if (!this.#isClosing && !this.#channels!.run(bytes, from, to, channel)) return from;
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

  /** Reads a control payload; one that is against the protocol ends the connection. */
  decode<N extends ControlName>(
    type: N,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): Payloads[N] | undefined {
    const decoded = decodeControl(type, bytes, from, to);
    if ("value" in decoded) return decoded.value as Payloads[N];
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
        this.#channels = this.#events.welcomed(welcome);
        return;
      }
      case Type.ERROR: {
        const payload = this.decode("ERROR", bytes, from, to);
        if (payload === undefined) return;
        const advice = payload.code === "slow_consumer" ? SLOW_ADVICE : "";
        const error = new ParleyError(payload.code as ErrorCode, payload.message + advice);
        return this.#events.refused(error, header, payload.fatal || this.isGreeting);
      }
      case Type.PING:
        return this.#events.pinged(header.id, bytes.subarray(from + HEADER_BYTES, to));
      case Type.BYE: {
        const bye = this.decode("BYE", bytes, from, to);
        return bye && this.#events.saidGoodbye(bye.reason);
      }
      default: // PONG, OPENED, LEFT, REPLY. A PONG of id 0 answers the heartbeat, a late REPLY nobody any more.
        this.#calls.answer(header, bytes, from, to);
    }
  }

  #show(bytes: Uint8Array, at: number): void {
    if (this.#trace === undefined) return;
    const header = readHeader(bytes, at);
    this.#trace("in", header, bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + header.length));
  }
}

/** Whether a frame is for {@linkcode ChannelEvents}: it may have to wait, all others are dealt with at once. */
function isAboutChannels({ type, id }: Header): boolean {
  return type === Type.MESSAGE || type === Type.REQUEST || type === Type.JOINED || type === Type.PARTED ||
    type === Type.OPENED && id === 0;
}
