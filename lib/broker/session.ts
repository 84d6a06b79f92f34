/**
 * One client's session: it is greeted, it opens and leaves channels, it publishes and asks, it ends.
 *
 * The session holds everything that belongs to one client against the protocol, and leaves to the router what
 * concerns others.
 *
 * @module
 */

import { type Log, loggable } from "../logging/log.ts";
import { type EndReason, type ErrorCode, FATAL } from "../errors.ts";
import { LINGER_MS } from "../limits.ts";
import { type ControlName, decodeControl, encodeControl } from "../wire/control.ts";
import { INBOX, Type, typeName, u16, u32 } from "../wire/header.ts";
import { Scanner } from "../wire/scanner.ts";
import { maxRun, newRateLimiter, type Remote, type SessionContext } from "./context.ts";
import { ALL_PERMISSIONS, type Identity, type Permissions } from "./authenticator.ts";
import { FlowControl } from "./flow_control.ts";
import { Handshake, welcome } from "./handshake.ts";
import { type OpenChannel, Subscriptions } from "./subscriptions.ts";
import type { Ledger, Outbox, Peer, Transport } from "./peer.ts";
import { newLedger } from "./pending_requests.ts";

type State = "greeting" | "ready" | "ended";

/** A session; see the module's comment. It receives from its connection, and is the router's peer. */
export class Session implements Peer {
  /** Identifies the session in logs and tools. */
  readonly uuid: string;
  /** 0 until greeted. */
  number = 0;
  name = "";
  readonly outbox: Outbox;

  readonly #context: SessionContext;
  readonly #transport: Transport;
  readonly #log: Log;
  readonly #scanner: Scanner;
  readonly #handshake: ReturnType<typeof setTimeout>;
  #greeting: Handshake | undefined;
  readonly #flow: FlowControl;
  #state: State = "greeting";
  #permissions: Permissions = ALL_PERMISSIONS;
  // Made when they are first needed: most of many sessions are idle, and each should cost little.
  #subscriptions: Subscriptions | undefined;
  #pendingRequests: Ledger | undefined;
  #identity: Identity | undefined;
  /** Ticks since something was received. */
  #silence = 0;

  readonly #onEnded: () => void;

  /** @param remote where the client connects from */
  constructor(context: SessionContext, transport: Transport, remote: Remote, onEnded: () => void) {
    const { limits } = context;
    this.#context = context;
    this.#onEnded = onEnded;
    this.#transport = transport;
    this.outbox = transport.outbox;
    this.uuid = context.uuid();
    this.#log = context.log.with({ session: this.uuid });
    this.#greeting = new Handshake(context.authenticator, remote.address, (error) => this.failed(error));
    this.#scanner = new Scanner("server", limits.payloadBytes, maxRun(limits));
    this.#flow = new FlowControl(transport, newRateLimiter(context));
    this.#handshake = setTimeout(() => this.#handshakeOver(), limits.handshakeMs - (remote.agoMs ?? 0));
    this.#log.info("connected", { remote: `${remote.address}:${remote.port}` });
  }

  /** Takes what is whole of `bytes[0, end)`; see `Receiver` in `lib/net/connection.ts`. */
  receive(bytes: Uint8Array, end: number): number {
    this.#silence = 0;
    const taken = this.#scanner.scan(bytes, end, this);
    const { violation } = this.#scanner;
    if (violation !== undefined) {
      this.#fail(violation.code, violation.message, violation.id, violation.channel);
    }
    return taken;
  }

  /** Takes a run of messages; see `Sink` in `lib/wire/scanner.ts`. */
  run(bytes: Uint8Array, from: number, to: number, count: number, channel: number): number {
    if (this.#state !== "ready" || !this.#flow.hasRate()) return from;
    if (!this.#run(bytes, from, to, channel)) return from;
    this.#flow.spend(count, to - from);
    return to;
  }

  #run(bytes: Uint8Array, from: number, to: number, channel: number): boolean {
    const { router } = this.#context;
    if (channel >= INBOX) {
      if (!this.#flow.hasRoom()) return false;
      const number = channel - INBOX;
      if (!this.#permissions.mayDirect && number !== this.number) {
        this.refuse(
          "forbidden",
          "this session's token does not allow to write to others' inboxes",
          0,
          channel,
        );
        return true;
      }
      return this.#flow.taken(router.direct(number, this, bytes, from, to, this.#flow.resume));
    }
    const open = this.#subscriptions?.get(channel);
    if (open === undefined || !open.mayPublish) {
      return this.#flow.hasRoom() && this.#refuseUse(open, 0, channel);
    }
    if (open.isEcho) {
      if (!this.#flow.hasRoom(to - from)) return false;
      this.outbox.send(bytes, from, to);
      return true;
    }
    return this.#flow.taken(router.publish(open.channel, this, bytes, from, to, this.#flow.resume));
  }

  /** Takes any other frame; see `Sink` in `lib/wire/scanner.ts`. */
  frame(bytes: Uint8Array, from: number, to: number): boolean {
    // Each of these may be answered: whoever does not read the answers is not listened to either.
    if (this.#state === "ended" || !this.#flow.hasRoom(to - from) || !this.#flow.hasRate()) return false;
    const taken = this.#frame(bytes, from, to);
    if (taken) this.#flow.spend(1, to - from);
    return taken;
  }

  /** An extension frame is skipped, and counts against the rate like any other. */
  skip(bytes: number): boolean {
    if (!this.#flow.hasRate()) return false;
    this.#flow.spend(1, bytes);
    return true;
  }

  #frame(bytes: Uint8Array, from: number, to: number): boolean {
    const type = bytes[from];
    const id = u16(bytes, from + 2);
    const channel = u32(bytes, from + 8);
    switch (type) {
      case Type.HELLO:
        return this.#greet(bytes, from, to);
      case Type.PING:
        this.#context.echo.pong(this.outbox, bytes, from, to);
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
        return this.#flow.taken(
          this.#context.router.answer(channel - INBOX, this, id, bytes, from, to, this.#flow.resume),
        );
      case Type.MESSAGE: // with the receipt flag; the others come as runs
      case Type.ACK:
      case Type.NAK:
      case Type.RENEW:
        return this.#refuseReceipt(typeName(type), id, channel);
      default:
        throw new Error(`the scanner let ${typeName(type)} pass`);
    }
  }

  /** Once a second: asks a silent client whether it is there, and gives up one that stays silent. */
  tick(): void {
    if (this.#state !== "ready") return;
    const rejection = this.#identity && this.#context.authenticator?.check(this.#identity);
    if (rejection !== undefined) {
      return void this.#fail("unauthorized", rejection.message, 0, 0, rejection.detail);
    }
    const { heartbeatSeconds } = this.#context.limits;
    if (this.#flow.mustSpeak(heartbeatSeconds)) this.#context.echo.ping(this.outbox);
    if (this.#flow.paused) return; // silent because we do not listen
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
      this.#context.echo.ping(this.outbox);
    }
  }

  /** The server stops: says so, and ends once everything is written. */
  shutDown(): void {
    if (this.#state === "greeting") {
      this.#fail("shutting_down", "this server is shutting down; connect again later", 0, 0);
    } else if (this.#state === "ready") {
      this.#send(encodeControl({ type: Type.BYE }, { reason: "shutting_down" }));
      this.#transport.finish("shutting_down");
    }
  }

  /** Turns the client away before it has said anything: there is no place for it. */
  reject(message: string): void {
    this.#fail("server_full", message, 0, 0);
  }

  /** A bug of ours: the log gets everything, the client a reference to it. */
  failed(error: unknown): void {
    const reference = this.#context.uuid();
    this.#log.error("internal error", { reference, error: loggable(error) });
    this.#fail("internal", `the server failed; its log has the details under ${reference}`, 0, 0);
  }

  /** The client has not read what waits for it within the grace time. */
  onSlowConsumer(): void {
    if (this.#state === "ended") return;
    const { pendingBytes, slowConsumerTimeoutMs } = this.#context.limits;
    this.#log.warn("slow consumer", { number: this.number, pendingBytes, slowConsumerTimeoutMs });
    this.#fail(
      "slow_consumer",
      `${pendingBytes} bytes waited to be read for ${slowConsumerTimeoutMs / 1000} s`,
      0,
      0,
    );
  }

  /** The connection ends, for whatever reason: nobody may find this session any more. */
  ended(reason: EndReason): void {
    if (this.#state === "ended") return;
    const greeted = this.#state === "ready";
    this.#state = "ended";
    clearTimeout(this.#handshake);
    this.#flow.stop();
    if (greeted) {
      const { router } = this.#context;
      this.#subscriptions?.leaveAll();
      router.leave(this);
    }
    this.#onEnded();
    this.#log.info("closed", { number: this.number, reason });
  }

  /** Whom it asked, and who waits for its answers. */
  get pendingRequests(): Ledger {
    return this.#pendingRequests ??= newLedger();
  }

  announce(name: string, number: number): void {
    this.#subscriptions?.announce(name, number);
  }

  forget(number: number): void {
    this.#subscriptions?.forget(number);
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
    const accepted = this.#greeting!.judge(bytes, from, to, this.#flow.resume);
    if (accepted === undefined) return this.#flow.taken(false);
    if ("code" in accepted) return this.#fail(accepted.code, accepted.message, 0, 0, accepted.detail);
    const { limits, server, router } = this.#context;
    clearTimeout(this.#handshake);
    this.number = this.#context.nextNumber();
    this.name = accepted.name ?? `guest-${this.number}`;
    this.#permissions = accepted.permissions;
    this.#greeting = undefined;
    this.#identity = accepted.identity;
    this.#state = "ready";
    this.#scanner.greeted(this.number);
    router.join(this);
    this.#send(encodeControl({ type: Type.WELCOME }, welcome(this, server, limits)));
    this.#log.info("greeted", { number: this.number, name: this.name, token: accepted.identity?.id });
    return true;
  }

  #bye(bytes: Uint8Array, from: number, to: number): boolean {
    if (this.#decode("BYE", bytes, from, to, 0) === undefined) return true;
    this.#transport.finish("bye");
    return true;
  }

  #open(bytes: Uint8Array, from: number, to: number, id: number): boolean {
    const open = this.#decode("OPEN", bytes, from, to, id);
    if (open !== undefined) this.#opener().open(open, id);
    return true;
  }

  #leave(bytes: Uint8Array, from: number, to: number, id: number): boolean {
    const leave = this.#decode("LEAVE", bytes, from, to, id);
    if (leave !== undefined) this.#opener().leave(leave.channel, id);
    return true;
  }

  #opener(): Subscriptions {
    const { router, limits } = this.#context;
    return this.#subscriptions ??= new Subscriptions(
      this,
      router.channels,
      limits.channels,
      this.#permissions,
    );
  }

  #ask(bytes: Uint8Array, from: number, to: number, id: number, channel: number): boolean {
    const open = this.#subscriptions?.get(channel);
    if (open === undefined || !open.mayPublish) return this.#refuseUse(open, id, channel);
    if (open.isEcho) {
      this.#context.echo.reply(this, bytes, from, to);
      return true;
    }
    return this.#flow.taken(
      this.#context.router.ask(open.channel, this, id, bytes, from, to, this.#flow.resume),
    );
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
    const open = this.#subscriptions?.get(channel);
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

  #send(frame: Uint8Array): void {
    this.outbox.send(frame, 0, frame.length);
  }

  /** Ends the session with a fatal ERROR. Nothing more of what it sent is taken. */
  #fail(code: ErrorCode, message: string, id: number, channel: number, detail: string = message): false {
    if (this.#state === "ended") return false;
    this.#log.warn("refused", { number: this.number, code, reason: detail });
    this.refuse(code, message, id, channel);
    // Whoever does not read gets one more moment, not the drain time: what waits for it holds memory.
    this.#transport.finish(code, code === "slow_consumer" ? LINGER_MS : undefined);
    return false;
  }
}
