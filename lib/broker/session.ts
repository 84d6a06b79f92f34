/**
 * One client's session from the first byte to the end of its connection: handshake, active, ended.
 *
 * What a session does while it is active is in `active_session.ts`; here are its states, and every reason to end it.
 *
 * @module
 */

import { type EndReason, type ErrorCode, isErrorCode, type ParleyError } from "../errors.ts";
import { type Limits, LINGER_MS } from "../limits.ts";
import { type Log, loggable } from "../logging/log.ts";
import { encodeControl, encodeError, type Welcome } from "../wire/control.ts";
import { Type } from "../wire/header.ts";
import { type FrameHandler, Scanner } from "../wire/scanner.ts";
import { ActiveSession } from "./active_session.ts";
import { maxRun, newRateLimiter, type Remote, type SessionContext } from "./context.ts";
import type { Counters } from "./counters.ts";
import { FlowControl } from "./flow_control.ts";
import { type AcceptedClient, Handshake } from "./handshake.ts";
import type { Transport } from "./peer.ts";

/** A session; see the module's comment. It receives the bytes of its connection. */
export class Session implements FrameHandler {
  /** Identifies the session in logs and tools. */
  readonly uuid: string;
  readonly remote: Remote;
  /** When it was established, RFC 3339; nothing before that. */
  since = "";
  /** Bytes that were taken from the client. */
  bytesIn = 0;

  readonly #context: SessionContext;
  readonly #transport: Transport;
  readonly #log: Log;
  readonly #scanner: Scanner;
  readonly #flow: FlowControl;
  readonly #onEnded: () => void;
  /** There until the client is accepted or rejected. */
  #handshake: Handshake | undefined;
  /** There from WELCOME on. */
  #active: ActiveSession | undefined;
  #isEnded = false;
  /** Ticks since something was received. */
  #silence = 0;

  /** @param onEnded is called once, when the session has ended */
  constructor(context: SessionContext, transport: Transport, remote: Remote, onEnded: () => void) {
    const { limits } = context;
    this.remote = remote;
    this.#context = context;
    this.#transport = transport;
    this.#onEnded = onEnded;
    this.uuid = context.uuid();
    this.#log = context.log.with({ session: this.uuid });
    this.#scanner = new Scanner("server", limits.payloadBytes, maxRun(limits));
    this.#flow = new FlowControl(
      transport,
      context.budget,
      newRateLimiter(context),
      context.router.counters.heldBack,
    );
    const seconds = limits.handshakeMs / 1000;
    this.#handshake = new Handshake(
      context.authenticator,
      remote,
      limits.handshakeMs - (remote.agoMs ?? 0),
      {
        late: () => this.#fail("timeout", `no whole HELLO within ${seconds} s`),
        failed: (error) => this.failed(error),
      },
    );
    this.#log.info("connected", { remote: `${remote.address}:${remote.port}` });
  }

  /** What other sessions see of it, once it is established. */
  get active(): ActiveSession | undefined {
    return this.#active;
  }

  /** Bytes that were written to the client. */
  get bytesOut(): number {
    return this.#transport.outbox.taken;
  }

  /** Takes the whole frames of `bytes[0, end)`; see `Receiver` in `lib/net/connection.ts`. */
  receive(bytes: Uint8Array, end: number): number {
    this.#silence = 0;
    this.#flow.begin();
    const taken = this.#scanner.scan(bytes, end, this.#active ?? this);
    this.bytesIn += taken;
    this.#flow.end();
    const { violation } = this.#scanner;
    if (violation !== undefined) {
      this.#fail(violation.code, violation.message, violation.id, violation.channel);
    }
    return taken;
  }

  // Frames of the chunk in which the handshake ends come here; those of all others go to the active session directly.

  run(bytes: Uint8Array, from: number, to: number, count: number, channel: number): number {
    return this.#active!.run(bytes, from, to, count, channel);
  }

  frame(bytes: Uint8Array, from: number, to: number): boolean {
    if (this.#active !== undefined) return this.#active.frame(bytes, from, to);
    return !this.#isEnded && this.#hello(bytes, from, to);
  }

  skip(bytes: number): boolean {
    return this.#active!.skip(bytes);
  }

  /** Called once a second: pings a silent client, and ends the session of one that stays silent. */
  tick(): void {
    if (this.#active === undefined || this.#isEnded) return;
    this.#active.measure();
    const { identity, outbox } = this.#active;
    outbox.tick();
    const { authenticator, echo, limits } = this.#context;
    const rejection = identity && authenticator?.check(identity);
    if (rejection !== undefined) {
      return void this.#fail("unauthorized", rejection.message, 0, 0, rejection.detail);
    }
    const { heartbeatSeconds } = limits;
    if (this.#flow.mustPing(heartbeatSeconds)) echo.ping(outbox);
    if (this.#flow.isPaused) return; // silent because nothing is read from it
    // So many ticks may be almost a second less than so many seconds: the silence may have begun just before one.
    this.#silence++;
    if (this.#silence > 2 * heartbeatSeconds) {
      this.#fail("timeout", `nothing received for ${2 * heartbeatSeconds} s; answer PING with PONG to stay`);
    } else if (this.#silence === heartbeatSeconds + 1) {
      echo.ping(outbox);
    }
  }

  /** The server stops: nothing more is taken, while what was taken is being stored. `shutDown` comes next. */
  stopReceiving(): void {
    if (this.#active !== undefined) this.#flow.pauseForGood();
  }

  /** The server stops: says so, and ends once everything is written. */
  shutDown(): void {
    if (this.#isEnded) return;
    if (this.#active === undefined) {
      this.#fail("shutting_down", "this server is shutting down; connect again later");
    } else {
      this.#send(encodeControl({ type: Type.BYE }, { reason: "shutting_down" }));
      this.#transport.finish("shutting_down");
    }
  }

  /** An operator ends the session: says so, and ends once everything is written. */
  disconnect(): void {
    if (this.#isEnded) return;
    this.#send(encodeControl({ type: Type.BYE }, { reason: "disconnected" }));
    this.#transport.finish("bye");
  }

  /** Rejects the client before it has sent anything: the server is full. */
  reject(message: string): void {
    this.#fail("server_full", message);
  }

  /** Something threw, which is a bug: the log gets everything, the client a reference to it. */
  failed(error: unknown): void {
    const reference = this.#context.uuid();
    this.#log.error("internal error", { reference, error: loggable(error) });
    this.#fail("internal", `the server failed; its log has the details under ${reference}`);
  }

  /** The client has read too little of what waits for it, or too much waits for all; see `lib/net/slow_consumer.ts`. */
  onSlowConsumer(cause: "progress" | "total" = "progress"): void {
    if (this.#isEnded) return;
    this.#counters.slowConsumers++;
    const { pendingBytes, pendingTotalBytes, slowConsumerTimeoutMs } = this.#context.limits;
    const { outbox } = this.#transport;
    this.#log.warn("slow consumer", {
      number: this.#active?.number,
      pending: outbox.pending,
      ...cause === "total" ? { pendingTotalBytes } : { pendingBytes, slowConsumerTimeoutMs },
    });
    outbox.dropFrames(); // or the client would never get to read the reason
    const message = cause === "total"
      ? `more than ${pendingTotalBytes} bytes wait for all sessions of this server, and most for this one`
      : `this session read too little for ${slowConsumerTimeoutMs / 1000} s of what waits for it, at most ` +
        `${pendingBytes} bytes`;
    // Less than the full drain time, because the backlog of a slow consumer holds memory.
    this.#fail("slow_consumer", message, 0, 0, undefined, LINGER_MS);
  }

  /** What came is nothing that the connection may carry, such as a text message of a WebSocket. */
  readFailed({ code, message }: ParleyError): void {
    this.#fail(isErrorCode(code) ? code : "bad_frame", message);
  }

  /** The connection ends, for whatever reason. */
  ended(reason: EndReason): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#handshake?.stop();
    this.#flow.stop();
    this.#active?.end();
    this.#count(reason);
    this.#onEnded();
    this.#log.info("closed", { number: this.#active?.number ?? 0, reason });
  }

  get #counters(): Counters {
    return this.#context.router.counters;
  }

  /** The session has ended: what went through it stays in the totals. */
  #count(reason: EndReason): void {
    const { ended } = this.#counters;
    ended.messagesIn += this.#active?.messagesIn ?? 0;
    ended.messagesOut += this.#active?.messagesOut ?? 0;
    ended.bytesIn += this.bytesIn;
    // What waits is still written, unless the connection is broken.
    ended.bytesOut += this.bytesOut + (reason === "reset" ? 0 : this.#transport.outbox.pending);
  }

  #hello(bytes: Uint8Array, from: number, to: number): boolean {
    const client = this.#handshake!.decide(bytes, from, to, this.#flow.resume);
    if (client === undefined) return this.#flow.pauseUnless(false);
    if ("code" in client) {
      if (client.isTokenRejected) this.#counters.rejectedTokens++;
      return this.#fail(client.code, client.message, 0, 0, client.detail);
    }
    this.#handshake!.stop();
    this.#handshake = undefined;
    this.#establish(client);
    return true;
  }

  #establish(client: AcceptedClient): void {
    const { router, limits, server, time } = this.#context;
    const active = new ActiveSession(this.#context, this.#transport, this.#flow, client, this.remote);
    this.since = time();
    this.#active = active;
    this.#scanner.greeted(active.number);
    router.join(active);
    const { number, name, identity } = active;
    this.#send(
      encodeControl(
        { type: Type.WELCOME },
        welcome({ uuid: this.uuid, number, name }, server, limits, this.since),
      ),
    );
    this.#log.info("greeted", { number, name, token: identity?.id, issuer: identity?.issuer });
  }

  #send(frame: Uint8Array): void {
    this.#transport.outbox.send(frame, 0, frame.length);
  }

  /** Ends the session with a fatal ERROR. Nothing more of what it sent is taken. Returns false. */
  #fail(
    code: ErrorCode,
    message: string,
    id = 0,
    channel = 0,
    detail: string = message,
    withinMs?: number,
  ): false {
    if (this.#isEnded) return false;
    const { number, name } = this.#active ?? { number: 0, name: "" };
    this.#counters.refusals.add(code, detail, { number, name, remote: this.remote });
    this.#log.warn("refused", { number, code, reason: detail });
    // A client may have been rejected because its clock or the server's is wrong.
    const time = code === "unauthorized" ? this.#context.time() : undefined;
    this.#send(encodeError(code, message, id, channel, time));
    this.#transport.finish(code, withinMs);
    return false;
  }
}

/** The payload of WELCOME. */
export function welcome(
  session: { readonly uuid: string; readonly number: number; readonly name: string },
  server: Welcome["server"],
  limits: Limits,
  time: string,
): Welcome {
  const { uuid, number, name } = session;
  return {
    session: uuid,
    number,
    name,
    message: `Welcome, ${name}. You are session ${number} here; say parley and be heard.`,
    server,
    limits: { payload: limits.payloadBytes, channels: limits.channels, pending: limits.pendingBytes },
    heartbeat: limits.heartbeatSeconds,
    time,
  };
}
