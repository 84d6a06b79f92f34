/**
 * One connection to a server, seen from the client: greeting, heartbeat, answers, refusals, and its end.
 *
 * What is about channels goes on to {@linkcode ClientConnectionEvents}; what is about the connection stays here.
 *
 * @module
 */

import { type EndReason, type ErrorCode, isErrorCode, ParleyError } from "../errors.ts";
import { LINGER_MS } from "../limits.ts";
import { BufferPool } from "../net/buffers.ts";
import { Connection, type Receiver } from "../net/connection.ts";
import type { Socket } from "../net/socket.ts";
import { type Hello, PROTOCOL, type Welcome } from "../wire/control.ts";
import { type Header, INBOX, Type } from "../wire/header.ts";
import { type Accept, type Late, PendingCalls } from "./pending_calls.ts";
import type { Trace } from "./api.ts";
import { CLOSE_MS, NO_SLOW_CONSUMER_TIMEOUT_MS } from "./limits.ts";
import { Heartbeat } from "./heartbeat.ts";
import { type ChannelEvents, type ConnectionEvents, Inbound } from "./inbound.ts";
import { Outbound } from "./outbound.ts";
import { FrameWriter } from "./payload.ts";

/** Who uses a link, once it is greeted. */
export interface ClientConnectionEvents {
  /** Who takes the messages. */
  readonly delivery: ChannelEvents;
  /** An ERROR that answers no call: of a MESSAGE, or (`id` is not 0) of a REPLY. */
  refused(error: ParleyError, channel: number, id: number): void;
  /** The connection is over, or will be at once. Without an error we closed it. */
  ended(error: ParleyError | undefined): void;
}

/** What a link needs to know. */
export interface ClientConnectionOptions {
  /** The server, as people write it. */
  readonly where: string;
  /** See `ConnectOptions.pendingBytes`. */
  readonly pendingBytes: number;
  /** See `ConnectOptions.trace`. */
  readonly trace: Trace | undefined;
}

const NOTHING = new Uint8Array(0);

/** One connection; see the module's comment. */
export class ClientConnection implements Receiver, ConnectionEvents {
  /** Resolves when the socket is closed: to nothing where we closed it, otherwise to why. */
  readonly closed: Promise<ParleyError | undefined>;
  /** What comes in. */
  readonly inbound: Inbound;
  /** Messages that go out. */
  readonly outbound: Outbound;

  readonly #where: string;
  readonly #connection: Connection;
  readonly #writer: FrameWriter;
  readonly #calls = new PendingCalls();
  #heartbeat: Heartbeat | undefined;
  /** Who waits for the greeting; afterwards nobody. */
  #greeting:
    | { resolve(welcome: Welcome): ClientConnectionEvents; reject(error: ParleyError): void }
    | undefined;
  /** There once the greeting is done. */
  #events: ClientConnectionEvents | undefined;
  #isPaused = false;
  /** `close` was called. */
  #isClosing = false;
  /** And all that was sent before has been dealt with, so that the end of the connection is what we want. */
  #saidGoodbye = false;
  #isEnded = false;
  /** Why the connection ends; the first reason is the one that counts. */
  #reason: ParleyError | undefined;
  /** How many of the messages sent the server is known to have dealt with. */
  #confirmed = 0;

  /** Takes over `socket`. Nothing is read before `greet`. */
  constructor(socket: Socket, options: ClientConnectionOptions) {
    const limits = {
      pendingBytes: options.pendingBytes,
      slowConsumerTimeoutMs: NO_SLOW_CONSUMER_TIMEOUT_MS,
      drainMs: CLOSE_MS,
    };
    this.#where = options.where;
    this.#connection = new Connection(socket, new BufferPool(), limits, () => this);
    this.#writer = new FrameWriter(this.#connection.outbox, options.trace);
    this.inbound = new Inbound(this, this.#calls, options.trace);
    const { outbox } = this.#connection;
    this.outbound = new Outbound(outbox, this.#writer, options.pendingBytes, () => this.resume());
    this.closed = this.#connection.closed.then(() => this.#reason);
  }

  /**
   * Says HELLO and waits for the WELCOME, at most `withinMs` milliseconds. `attach` is called with it before anything
   * after it is looked at, and makes who takes the rest.
   *
   * @throws {ParleyError} what the server refused with; `not_parley`, `timeout` or `disconnected`; the socket is
   * closed then
   */
  async greet<T extends ClientConnectionEvents>(
    hello: Omit<Hello, "protocol">,
    withinMs: number,
    attach: (welcome: Welcome) => T,
  ): Promise<T> {
    const late = setTimeout(() => {
      const seconds = Math.round(withinMs / 100) / 10;
      const problem = `accepts connections but did not greet within ${seconds} s`;
      this.violated("timeout", `${problem}; check that it is a Parley server`);
    }, withinMs);
    try {
      return await new Promise<T>((resolve, reject) => {
        const greeted = (welcome: Welcome) => {
          const events = attach(welcome);
          resolve(events);
          return events;
        };
        this.#greeting = { resolve: greeted, reject };
        this.#writer.control(Type.HELLO, 0, { protocol: PROTOCOL, ...hello });
        this.#connection.start();
      });
    } catch (error) {
      await this.closed;
      throw error;
    } finally {
      clearTimeout(late);
    }
  }

  /** The error for calls on a link that is over, if it is. */
  get over(): ParleyError | undefined {
    if (!this.#isEnded && !this.#isClosing) return undefined;
    return this.#reason ?? new ParleyError("closed", "this client is closed; connect again");
  }

  /** Whether messages should be taken beyond the bound of their queue, because a call waits for what is behind them. */
  get mustRead(): boolean {
    return this.#calls.count > 0 || this.outbound.isWaiting || this.#isClosing;
  }

  /** Nothing is read until `resume`; only from within `ClientConnectionEvents.run` and `frame`, which return false then. */
  pause(): void {
    this.#isPaused = true;
    this.#connection.pause();
  }

  /** There is room again, or a reason to go on without. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#heartbeat?.heard();
    this.#connection.resume();
  }

  /**
   * Sends a frame and waits for the answer of type `answer`, which `accept` reads before anything after it is.
   *
   * @throws {ParleyError} what the server answered, or what ended the connection
   */
  ask<T>(
    answer: number,
    send: (writer: FrameWriter, id: number) => void,
    accept: Accept<T>,
    late?: Late,
  ): Promise<T> {
    if (this.over !== undefined) return Promise.reject(this.over);
    const answered = this.#calls.wait(answer, (id) => send(this.#writer, id), accept, late);
    this.resume();
    return answered;
  }

  /** Measures a round trip in milliseconds. */
  ping(withinMs: number): Promise<number> {
    const start = performance.now();
    const posted = this.outbound.posted;
    const ping = (writer: FrameWriter, id: number) => writer.frame(Type.PING, 0, id, 0, NOTHING);
    const pong = () => {
      this.#confirmed = posted;
      return performance.now() - start;
    };
    const late = () =>
      new ParleyError("timeout", `${this.#where} did not answer a PING within ${withinMs / 1000} s`);
    return this.ask(Type.PONG, ping, pong, { ms: withinMs, error: late });
  }

  /**
   * Says goodbye once the server has dealt with all that was sent, and closes. Resolves when that is done.
   *
   * @throws {ParleyError} where the server did not confirm what was sent: closed it is all the same
   */
  async close(reason: string): Promise<void> {
    let lost: unknown;
    if (this.over === undefined) {
      this.#calls.failAll(new ParleyError("closed", "the client was closed before the answer came"));
      // Asked before `#isClosing` is set, because afterwards nothing may be asked any more.
      const confirmed = this.outbound.posted > this.#confirmed ? this.ping(CLOSE_MS) : undefined;
      this.#isClosing = true;
      this.inbound.dropMessages();
      this.outbound.stop(this.over!);
      this.resume();
      await confirmed?.catch((error) => lost = error);
      if (!this.#isEnded) {
        this.#saidGoodbye = true;
        this.#writer.control(Type.BYE, 0, { reason });
        this.#connection.finish("bye");
      }
    }
    await this.closed;
    if (lost !== undefined) throw lost;
  }

  // What the connection tells.

  /** See `Receiver.receive`. */
  receive(bytes: Uint8Array, end: number): number {
    this.#heartbeat?.heard();
    return this.inbound.read(bytes, end);
  }

  /** See `Receiver.failed`. */
  failed(error: unknown): void {
    const text = `this client failed at what ${this.#where} sent: ${error}; please report it`;
    this.#destroy(new ParleyError("internal", text, { cause: error }));
  }

  /** See `Receiver.onSlowConsumer`; but a server may hold us back, see {@linkcode NO_SLOW_CONSUMER_TIMEOUT_MS}. */
  onSlowConsumer(): void {}

  /** See `Receiver.ended`. */
  ended(reason: EndReason): void {
    this.#isEnded = true;
    this.inbound.stop();
    this.#heartbeat?.stop();
    if (!this.#saidGoodbye) this.#reason ??= this.#lost(reason);
    const error = this.#reason ?? new ParleyError("closed", "the client was closed");
    this.#greeting?.reject(error);
    this.#greeting = undefined;
    this.#calls.failAll(error);
    this.outbound.stop(error);
    this.#events?.ended(this.#reason);
  }

  // What the frames say.

  /** See `ConnectionEvents.welcomed`. */
  welcomed(welcome: Welcome): ChannelEvents {
    this.#writer.sender = welcome.number;
    this.#writer.maxPayload = welcome.limits.payload;
    this.#heartbeat = new Heartbeat(welcome.heartbeat, {
      ask: () => this.#writer.frame(Type.PING, 0, 0, 0, NOTHING),
      giveUp: () =>
        this.violated("timeout", `has been silent for ${welcome.heartbeat * 2} s; check the network`),
      isHeld: () => this.#isPaused,
    });
    this.#events = this.#greeting!.resolve(welcome);
    this.#greeting = undefined;
    return this.#events.delivery;
  }

  /** See `ConnectionEvents.refused`. */
  refused(error: ParleyError, { id, channel }: Header, isFatal: boolean): void {
    if (isFatal) {
      this.#reason ??= error;
      return this.#connection.finish(error.code as EndReason, LINGER_MS);
    }
    // An ERROR of a REPLY carries the asker's id, which may also be one of ours; its channel tells them apart.
    const isOfReply = id !== 0 && channel >= INBOX;
    if (!isOfReply && id !== 0 && this.#calls.refuse(id, error)) return;
    this.#events?.refused(error, channel, id);
  }

  /** See `ConnectionEvents.pinged`. */
  pinged(id: number, payload: Uint8Array): void {
    this.#writer.frame(Type.PONG, 0, id, 0, payload);
  }

  /** See `ConnectionEvents.saidGoodbye`. */
  saidGoodbye(reason: string): void {
    const text = `${this.#where} ended the session: ${reason || "no reason given"}`;
    this.#reason ??= new ParleyError(isErrorCode(reason) ? reason : "disconnected", text);
    this.#connection.finish("bye", LINGER_MS);
  }

  /** See `ConnectionEvents.violated`. */
  violated(code: ErrorCode | "not_parley", problem: string): void {
    this.#destroy(new ParleyError(code, `${this.#where} ${problem}`));
  }

  /** Ends at once, because of `error`. */
  #destroy(error: ParleyError): void {
    this.#reason ??= error;
    this.#connection.destroy("reset");
  }

  /** The error for an end without a word. */
  #lost(reason: EndReason): ParleyError {
    const text = this.#greeting !== undefined
      ? `${this.#where} accepted the connection and closed it without a greeting; check that it is a Parley server`
      : `the connection to ${this.#where} ${
        reason === "reset" ? "was reset" : "ended without a goodbye"
      }; the ` +
        "server may have stopped, or the network failed: connect again";
    return new ParleyError("disconnected", text);
  }
}
