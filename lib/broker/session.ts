/**
 * One client's session: it is greeted, it opens and leaves channels, it publishes and asks, it ends.
 *
 * The session holds everything that belongs to one client against the protocol, and leaves to the router what
 * concerns others.
 *
 * @module
 */

import type { Log } from "../log.ts";
import { type EndReason, type ErrorCode, FATAL } from "../errors.ts";
import { HEADER_BYTES, type Limits, LINGER_MS, MAX_RUN_BYTES } from "../limits.ts";
import { type ControlName, decodeControl, encodeControl, type Hello, PROTOCOL } from "../wire/control.ts";
import { INBOX, putHeader, Type, typeName, u16, u32 } from "../wire/header.ts";
import { Scanner } from "../wire/scanner.ts";
import { Memberships, type OpenChannel } from "./memberships.ts";
import type { Link, Outlet, Peer } from "./peer.ts";
import { newLedger } from "./requests.ts";
import type { Router } from "./router.ts";

/** What all sessions of one server share. */
export interface SessionContext {
  readonly router: Router;
  readonly limits: Readonly<Limits>;
  /** What WELCOME says of the server. */
  readonly server: { readonly name: string; readonly version: string };
  /** Gives out session numbers, none of them twice. */
  readonly nextNumber: () => number;
  /** Makes the UUIDs that identify sessions and internal errors in the log. */
  readonly uuid: () => string;
  readonly log: Log;
  /** The session ended; nothing refers to it any more. */
  readonly ended: (session: Session) => void;
}

type State = "greeting" | "ready" | "ended";

/** A session; see the module's comment. It receives from its connection, and is the router's peer. */
export class Session implements Peer {
  /** Identifies the session in logs and tools. */
  readonly uuid: string;
  /** 0 until greeted. */
  number = 0;
  name = "";
  readonly outlet: Outlet;
  readonly ledger = newLedger();

  readonly #context: SessionContext;
  readonly #link: Link;
  readonly #log: Log;
  readonly #scanner: Scanner;
  readonly #handshake: ReturnType<typeof setTimeout>;
  readonly #memberships: Memberships;
  readonly #header = new Uint8Array(HEADER_BYTES);
  /** Held until somebody has room for what this session sent. */
  #held = false;
  readonly #resume = () => {
    this.#held = false;
    this.#link.resume();
  };
  #state: State = "greeting";
  /** Ticks since something was received. */
  #silence = 0;

  /** @param remote where the client connects from, for the log */
  constructor(context: SessionContext, link: Link, remote: string) {
    this.#context = context;
    this.#link = link;
    this.outlet = link.outlet;
    this.uuid = context.uuid();
    this.#log = context.log.with({ session: this.uuid });
    this.#memberships = new Memberships(this, context.router.channels, context.limits.channels);
    this.#scanner = new Scanner(
      "server",
      context.limits.payloadBytes,
      Math.min(MAX_RUN_BYTES, context.limits.pendingBytes), // a run must fit an empty outbox
    );
    this.#handshake = setTimeout(() => this.#handshakeOver(), context.limits.handshakeMs);
    this.#log.info("connected", { remote });
  }

  /** Takes what is whole of `bytes[0, end)`; see `Receiver` in `lib/net/connection.ts`. */
  receive(bytes: Uint8Array, end: number): number {
    this.#silence = 0;
    const taken = this.#scanner.scan(bytes, end, this);
    const stop = this.#scanner.stop;
    if (stop !== undefined) this.#fail(stop.code, stop.message, stop.id, stop.channel);
    return taken;
  }

  /** Takes a run of messages; see `Sink` in `lib/wire/scanner.ts`. */
  run(bytes: Uint8Array, from: number, to: number, _count: number, channel: number): boolean {
    if (this.#state !== "ready") return false;
    const { router } = this.#context;
    if (channel >= INBOX) {
      return this.#hasRoom() &&
        this.#taken(router.direct(channel - INBOX, this, bytes, from, to, this.#resume));
    }
    const open = this.#memberships.get(channel);
    if (open === undefined || !open.mayPublish) return this.#hasRoom() && this.#refuseUse(open, 0, channel);
    if (open.isEcho) {
      if (!this.#hasRoom(to - from)) return false;
      this.outlet.send(bytes, from, to);
      return true;
    }
    return this.#taken(router.publish(open.channel, this, bytes, from, to, this.#resume));
  }

  /** Takes any other frame; see `Sink` in `lib/wire/scanner.ts`. */
  frame(bytes: Uint8Array, from: number, to: number): boolean {
    // Each of these may be answered: whoever does not read the answers is not listened to either.
    if (this.#state === "ended" || !this.#hasRoom(to - from)) return false;
    const type = bytes[from];
    const id = u16(bytes, from + 2);
    const channel = u32(bytes, from + 8);
    switch (type) {
      case Type.HELLO:
        return this.#greet(bytes, from, to);
      case Type.PING:
        this.#reply(Type.PONG, 0, id, 0, bytes, from, to);
        return true;
      case Type.PONG:
        return true;
      case Type.BYE:
        return this.#bye(bytes, from, to);
      case Type.OPEN:
        return this.#open(bytes, from, to, id);
      case Type.LEAVE:
        return this.#leave(bytes, from, to, id);
      case Type.REQUEST:
        return this.#ask(bytes, from, to, id, channel);
      case Type.REPLY:
        return this.#taken(
          this.#context.router.answer(channel - INBOX, this, id, bytes, from, to, this.#resume),
        );
      case Type.MESSAGE: // with the receipt flag; the others come as runs
      case Type.ACK:
        return this.#refuseReceipt(typeName(type), id, channel);
      default:
        throw new Error(`the scanner let ${typeName(type)} pass`);
    }
  }

  /** Once a second: asks a silent client whether it is there, and gives up one that stays silent. */
  tick(): void {
    // Who is held is silent because we do not listen.
    if (this.#state !== "ready" || this.#held) return;
    const { heartbeatSeconds } = this.#context.limits;
    // So many ticks may be almost a second less than so many seconds: the silence may have begun just before one.
    this.#silence++;
    if (this.#silence > 2 * heartbeatSeconds) {
      this.#fail(
        "timeout",
        `nothing received for ${2 * heartbeatSeconds} s; answer PING with PONG to stay`,
        0,
        0,
      );
    } else if (this.#silence === heartbeatSeconds + 1) {
      putHeader(this.#header, 0, Type.PING, 0, 0, 0, 0, 0);
      this.outlet.send(this.#header, 0, HEADER_BYTES);
    }
  }

  /** The server stops: says so, and ends once everything is written. */
  shutDown(): void {
    if (this.#state === "greeting") {
      this.#fail("shutting_down", "this server is shutting down; connect again later", 0, 0);
    } else if (this.#state === "ready") {
      this.#send(encodeControl({ type: Type.BYE }, { reason: "shutting_down" }));
      this.#link.finish("shutting_down");
    }
  }

  /** A bug of ours: the log gets everything, the client a reference to it. */
  failed(error: unknown): void {
    const reference = this.#context.uuid();
    this.#log.error("internal error", { reference, error });
    this.#fail("internal", `the server failed; its log has the details under ${reference}`, 0, 0);
  }

  /** The client has not read what waits for it within the grace time. */
  slow(): void {
    const { pendingBytes, slowGraceMs } = this.#context.limits;
    this.#log.warn("slow consumer", { number: this.number, pendingBytes, slowGraceMs });
    this.#fail("slow_consumer", `${pendingBytes} bytes waited to be read for ${slowGraceMs / 1000} s`, 0, 0);
  }

  /** The connection ends, for whatever reason: nobody may find this session any more. */
  ended(reason: EndReason): void {
    if (this.#state === "ended") return;
    const greeted = this.#state === "ready";
    this.#state = "ended";
    clearTimeout(this.#handshake);
    if (greeted) {
      const { router } = this.#context;
      this.#memberships.leaveAll();
      router.leave(this);
    }
    this.#context.ended(this);
    this.#log.info("closed", { number: this.number, reason });
  }

  announce(name: string, number: number): void {
    this.#memberships.announce(name, number);
  }

  forget(number: number): void {
    this.#memberships.forget(number);
  }

  refuse(code: ErrorCode, message: string, id: number, channel: number): void {
    const payload = { code, message, fatal: FATAL[code] };
    this.#send(encodeControl({ type: Type.ERROR, id, channel }, payload));
  }

  #handshakeOver(): void {
    const seconds = this.#context.limits.handshakeMs / 1000;
    this.#fail("timeout", `no whole HELLO within ${seconds} s`, 0, 0);
  }

  #greet(bytes: Uint8Array, from: number, to: number): boolean {
    const decoded = decodeControl("HELLO", bytes, from, to);
    if ("problem" in decoded) return this.#fail("bad_hello", decoded.problem, 0, 0);
    const hello: Hello = decoded.value;
    if (hello.protocol !== PROTOCOL) {
      return this.#fail("unsupported_protocol", `this server speaks ${PROTOCOL}`, 0, 0);
    }
    const { limits, server, router } = this.#context;
    clearTimeout(this.#handshake);
    this.number = this.#context.nextNumber();
    this.name = hello.name ?? `guest-${this.number}`;
    this.#state = "ready";
    this.#scanner.greeted(this.number);
    router.join(this);
    const welcome = {
      session: this.uuid,
      number: this.number,
      name: this.name,
      message: `Welcome, ${this.name}. You are session ${this.number} of this server; enjoy the talk.`,
      server,
      limits: { payload: limits.payloadBytes, channels: limits.channels, pending: limits.pendingBytes },
      heartbeat: limits.heartbeatSeconds,
    };
    this.#send(encodeControl({ type: Type.WELCOME }, welcome));
    this.#log.info("greeted", { number: this.number, name: this.name });
    return true;
  }

  #bye(bytes: Uint8Array, from: number, to: number): boolean {
    if (this.#decode("BYE", bytes, from, to, 0) === undefined) return true;
    this.#link.finish("bye");
    return true;
  }

  #open(bytes: Uint8Array, from: number, to: number, id: number): boolean {
    const open = this.#decode("OPEN", bytes, from, to, id);
    if (open !== undefined) this.#memberships.open(open, id);
    return true;
  }

  #leave(bytes: Uint8Array, from: number, to: number, id: number): boolean {
    const leave = this.#decode("LEAVE", bytes, from, to, id);
    if (leave !== undefined) this.#memberships.leave(leave.channel, id);
    return true;
  }

  #ask(bytes: Uint8Array, from: number, to: number, id: number, channel: number): boolean {
    const open = this.#memberships.get(channel);
    if (open === undefined || !open.mayPublish) return this.#refuseUse(open, id, channel);
    if (open.isEcho) {
      this.#reply(Type.REPLY, bytes[from + 1], id, (this.number | INBOX) >>> 0, bytes, from, to);
      return true;
    }
    return this.#taken(this.#context.router.ask(open.channel, this, id, bytes, from, to, this.#resume));
  }

  /** Answers the frame `bytes[from, to)` with its own payload. */
  #reply(
    type: number,
    flags: number,
    id: number,
    channel: number,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): void {
    putHeader(this.#header, 0, type, flags, id, to - from - HEADER_BYTES, channel, 0);
    this.outlet.send(this.#header, 0, HEADER_BYTES);
    this.outlet.send(bytes, from + HEADER_BYTES, to);
  }

  /** Refuses to use a channel that is not open, or not for this session to publish on. */
  #refuseUse(open: OpenChannel | undefined, id: number, channel: number): true {
    if (open === undefined) {
      this.refuse("not_open", `channel ${channel} is not open; OPEN it first`, id, channel);
    } else this.refuse("forbidden", `not permitted to publish on ${open.channel.name}`, id, channel);
    return true;
  }

  /** No channel is durable yet, so there is nothing to acknowledge in either direction. */
  #refuseReceipt(type: string, id: number, channel: number): true {
    const open = this.#memberships.get(channel);
    if (channel < INBOX && (open === undefined || !open.mayPublish)) {
      return this.#refuseUse(open, id, channel);
    }
    const what = open?.channel.name ?? "an inbox";
    this.refuse("not_durable", `${type} wants a receipt, but ${what} is not durable`, id, channel);
    return true;
  }

  /** Reads a control payload; refuses the frame and gives nothing where it is not as it must be. */
  #decode<N extends Exclude<ControlName, "HELLO">>(
    name: N,
    bytes: Uint8Array,
    from: number,
    to: number,
    id: number,
  ) {
    const decoded = decodeControl(name, bytes, from, to);
    if ("value" in decoded) return decoded.value;
    this.refuse("bad_payload", decoded.problem, id, 0);
    return undefined;
  }

  /** Whether the session may be answered; where not, it is held until it has read what waits for it. */
  #hasRoom(bytes: number = HEADER_BYTES): boolean {
    return this.outlet.hasRoom(bytes) || this.#taken(this.#waitForRoom());
  }

  #waitForRoom(): false {
    this.outlet.whenRoom(this.#resume);
    return false;
  }

  /** Passes on whether the router took something; where not, nothing more is read until it can. */
  #taken(taken: boolean): boolean {
    if (!taken) {
      this.#held = true;
      this.#link.hold();
    }
    return taken;
  }

  #send(frame: Uint8Array): void {
    this.outlet.send(frame, 0, frame.length);
  }

  /** Ends the session with a fatal ERROR. Nothing more of what it sent is taken. */
  #fail(code: ErrorCode, message: string, id: number, channel: number): false {
    if (this.#state === "ended") return false;
    this.#log.warn("refused", { number: this.number, code, reason: message });
    this.refuse(code, message, id, channel);
    // Whoever does not read gets one more moment, not the drain time: what waits for it holds memory.
    this.#link.finish(code, code === "slow_consumer" ? LINGER_MS : undefined);
    return false;
  }
}
