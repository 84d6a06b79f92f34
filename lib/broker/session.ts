/**
 * One client's session: it is greeted, it opens and leaves channels, it publishes and asks, it ends.
 *
 * The session holds everything that belongs to one client against the protocol, and leaves to the router what
 * concerns others.
 *
 * @module
 */

import type { Logger } from "@logtape/logtape";
import { type EndReason, type ErrorCode, FATAL } from "../errors.ts";
import { HEADER_BYTES, type Limits, LINGER_MS, MAX_LISTED_MEMBERS } from "../limits.ts";
import {
  type ControlName,
  decodeControl,
  encodeControl,
  type Hello,
  type Open,
  PROTOCOL,
} from "../wire/control.ts";
import { INBOX, putHeader, Type, typeName, u16, u32 } from "../wire/header.ts";
import { channelProblem, ECHO, isPattern, isServerOwn } from "../wire/names.ts";
import { Scanner } from "../wire/scanner.ts";
import type { Channel } from "./channels.ts";
import type { Link, Outlet, Peer, Subscription } from "./peer.ts";
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
  readonly log: Logger;
  /** The session ended; nothing refers to it any more. */
  readonly ended: (session: Session) => void;
}

/** A channel the session has open by name. */
interface OpenChannel {
  readonly channel: Channel;
  /** Whether it is `$echo`, which the server answers itself. */
  readonly isEcho: boolean;
  readonly mayPublish: boolean;
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
  readonly #log: Logger;
  readonly #scanner: Scanner;
  readonly #handshake: ReturnType<typeof setTimeout>;
  readonly #opened = new Map<number, OpenChannel>();
  readonly #patterns = new Map<string, Subscription>();
  /** Numbers it was told of without asking, because a pattern of its covers them. */
  readonly #announced = new Set<number>();
  readonly #header = new Uint8Array(HEADER_BYTES);
  readonly #resume = () => this.#link.resume();
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
    this.#scanner = new Scanner("server", context.limits.payloadBytes);
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
    const open = this.#opened.get(channel);
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
    if (this.#state !== "ready") return;
    const { heartbeatSeconds } = this.#context.limits;
    this.#silence++;
    if (this.#silence >= 2 * heartbeatSeconds) {
      this.#fail("timeout", `nothing received for ${this.#silence} s; answer PING with PONG to stay`, 0, 0);
    } else if (this.#silence === heartbeatSeconds) {
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
      for (const { channel } of this.#opened.values()) this.#release(channel);
      for (const [pattern, subscription] of this.#patterns) {
        router.channels.patterns.remove(pattern, subscription);
      }
      router.leave(this);
    }
    this.#context.ended(this);
    this.#log.info("closed", { number: this.number, reason });
  }

  announce(name: string, number: number): void {
    if (this.#opened.has(number) || this.#announced.has(number)) return;
    this.#announced.add(number);
    const payload = { channel: name, number, publish: false, subscribe: true };
    this.#send(encodeControl({ type: Type.OPENED, channel: number }, payload));
  }

  forget(number: number): void {
    this.#announced.delete(number);
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
    if (open === undefined || !this.#mayName(open.channel, id)) return true;
    if (open.presence && !open.subscribe) {
      this.refuse("bad_payload", 'OPEN "presence" goes together with "subscribe"', id, 0);
    } else if (isPattern(open.channel)) {
      this.#openPattern(open, id);
    } else {
      this.#openName(open, id);
    }
    return true;
  }

  #openPattern(open: Open, id: number): void {
    if (!open.subscribe || open.presence) {
      const message = `${open.channel} is a pattern, which is only for subscribing; name one channel`;
      this.refuse("bad_channel", message, id, 0);
      return;
    }
    const { patterns } = this.#context.router.channels;
    const before = this.#patterns.get(open.channel);
    if (before === undefined && !this.#mayOpenMore(id)) return;
    if (before !== undefined) patterns.remove(open.channel, before);
    const subscription: Subscription = { peer: this, group: open.group, echo: open.echo };
    this.#patterns.set(open.channel, subscription);
    patterns.add(open.channel, subscription);
    const opened = { channel: open.channel, number: 0, publish: false, subscribe: true };
    this.#send(encodeControl({ type: Type.OPENED, id }, opened));
  }

  #openName(open: Open, id: number): void {
    const { channels } = this.#context.router;
    const known = channels.find(open.channel);
    const before = known === undefined ? undefined : this.#opened.get(known.number);
    if (before === undefined && !this.#mayOpenMore(id)) return;
    const channel = before?.channel ?? channels.open(open.channel);
    const isEcho = open.channel === ECHO;
    if (before === undefined) this.#opened.set(channel.number, { channel, isEcho, mayPublish: true });
    // Everybody is alone on $echo: nobody to receive from there, and nobody to see.
    if (!isEcho) this.#subscribe(channel, open);
    const presence = open.presence
      ? { members: listMembers(channel, MAX_LISTED_MEMBERS), count: channel.subscribers.size }
      : {};
    const opened = {
      channel: channel.name,
      number: channel.number,
      publish: true,
      subscribe: open.subscribe,
      ...presence,
    };
    this.#send(encodeControl({ type: Type.OPENED, id, channel: channel.number }, opened));
  }

  /** Makes the subscription by name what `open` asks for, and tells the watchers if that is news. */
  #subscribe(channel: Channel, open: Open): void {
    const was = channel.subscribers.has(this);
    if (open.subscribe) channel.subscribe({ peer: this, group: open.group, echo: open.echo });
    else channel.unsubscribe(this);
    if (open.presence) channel.watchers.add(this);
    else channel.watchers.delete(this);
    if (open.subscribe !== was) this.#tellWatchers(channel, open.subscribe ? Type.JOINED : Type.PARTED);
  }

  #leave(bytes: Uint8Array, from: number, to: number, id: number): boolean {
    const leave = this.#decode("LEAVE", bytes, from, to, id);
    if (leave === undefined || !this.#mayName(leave.channel, id)) return true;
    const { channels } = this.#context.router;
    const subscription = this.#patterns.get(leave.channel);
    const number = channels.find(leave.channel)?.number ?? 0;
    const open = this.#opened.get(number);
    if (subscription !== undefined) {
      this.#patterns.delete(leave.channel);
      channels.patterns.remove(leave.channel, subscription);
      // Which of these another pattern still covers would take long to find out; saying them again is cheap.
      this.#announced.clear();
    } else if (open !== undefined) {
      this.#opened.delete(number);
      this.#release(open.channel);
    } else {
      this.refuse("not_open", `${leave.channel} is not open; nothing to leave`, id, 0);
      return true;
    }
    this.#send(encodeControl({ type: Type.LEFT, id, channel: number }, { channel: leave.channel }));
    return true;
  }

  #release(channel: Channel): void {
    const was = channel.subscribers.has(this);
    channel.unsubscribe(this);
    channel.watchers.delete(this);
    // A pattern of this session may still cover it, and must then say its number anew.
    channel.changed();
    if (was) this.#tellWatchers(channel, Type.PARTED);
    this.#context.router.channels.release(channel);
  }

  #tellWatchers(channel: Channel, type: typeof Type.JOINED | typeof Type.PARTED): void {
    if (channel.watchers.size === 0) return;
    const frame = encodeControl({ type, channel: channel.number }, { number: this.number, name: this.name });
    for (const watcher of channel.watchers) {
      if (watcher !== this) watcher.outlet.send(frame, 0, frame.length);
    }
  }

  #ask(bytes: Uint8Array, from: number, to: number, id: number, channel: number): boolean {
    const open = this.#opened.get(channel);
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
    const open = this.#opened.get(channel);
    if (channel < INBOX && (open === undefined || !open.mayPublish)) {
      return this.#refuseUse(open, id, channel);
    }
    const what = open?.channel.name ?? "an inbox";
    this.refuse("not_durable", `${type} wants a receipt, but ${what} is not durable`, id, channel);
    return true;
  }

  #mayName(channel: string, id: number): boolean {
    const problem = channelProblem(channel);
    if (problem !== undefined) {
      this.refuse("bad_channel", problem, id, 0);
    } else if (isServerOwn(channel) && channel !== ECHO) {
      this.refuse("forbidden", `${channel} is the server's own; only ${ECHO} is open to sessions`, id, 0);
    } else {
      return true;
    }
    return false;
  }

  #mayOpenMore(id: number): boolean {
    const { channels } = this.#context.limits;
    if (this.#opened.size + this.#patterns.size < channels) return true;
    this.refuse("limit", `${channels} channels are open, which is the limit; LEAVE one first`, id, 0);
    return false;
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
    if (!taken) this.#link.hold();
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

function listMembers(channel: Channel, atMost: number): { number: number; name: string }[] {
  const members: { number: number; name: string }[] = [];
  for (const { number, name } of channel.subscribers.keys()) {
    if (members.length === atMost) break;
    members.push({ number, name });
  }
  return members;
}
