/**
 * One connection to a server, from the client's side: greeting, heartbeat, calls and their answers, and the end. Frames
 * about channels go to {@linkcode ClientConnectionEvents}.
 *
 * @module
 */

import { Deadline } from "../deadline.ts";
import { type EndReason, type ErrorCode, ParleyError } from "../errors.ts";
import { LINGER_MS } from "../limits.ts";
import type { BasicConnection, Transport } from "../net/basic_connection.ts";
import type { Receiver } from "../net/connection.ts";
import { type Hello, PROTOCOL, type Welcome } from "../wire/client_control.ts";
import { type Header, INBOX, Type } from "../wire/header.ts";
import {
  byeError,
  type ClientConnectionEvents,
  type ClientConnectionOptions,
  disconnectedError,
  limitsOf,
} from "./connection_types.ts";
import { Confirmations } from "./confirmations.ts";
import { FrameWriter } from "./frame_writer.ts";
import { Heartbeat } from "./heartbeat.ts";
import {
  type ChannelEvents,
  type ConnectionEvents,
  type Explanation,
  Inbound,
  SLOW_ADVICE,
} from "./inbound.ts";
import { CLOSE_MS, NO_SLOW_CONSUMER_TIMEOUT_MS } from "./limits.ts";
import { Outbound } from "./outbound.ts";
import { Timer } from "./waiting.ts";
import { PendingCalls } from "./pending_calls.ts";

/** One connection; see the module's comment. */
export class ClientConnection implements Receiver, ConnectionEvents {
  /** Resolves when the socket is closed: to nothing if this client closed it, otherwise to the error that ended it. */
  readonly closed: Promise<ParleyError | undefined>;
  /** Incoming frames. */
  readonly inbound: Inbound;
  /** The calls that wait for an answer. */
  readonly calls: PendingCalls;
  /** Outgoing messages. */
  readonly outbound: Outbound;
  /** Which of them the server has taken. */
  readonly confirmations: Confirmations;

  readonly #server: string;
  readonly #connection: BasicConnection;
  readonly #writer: FrameWriter;
  #heartbeat: Heartbeat | undefined;
  /** Set while `greet` waits for the WELCOME. */
  #greeting:
    | { resolve(welcome: Welcome): ClientConnectionEvents; reject(error: ParleyError): void }
    | undefined;
  /** Set by the WELCOME. */
  #events: ClientConnectionEvents | undefined;
  #isPaused = false;
  /** Nothing can be written any more. What is unread may hold the reason. */
  #isLastRead = false;
  /** `close` was called. */
  #isClosing = false;
  /** BYE was sent, so the end of the connection is no error. */
  #isByeSent = false;
  #isEnded = false;
  /** Settles when it can be said how the server broke the protocol. The end of the connection waits for it. */
  #explaining: Promise<void> | undefined;
  /** Why the connection ended. The first error counts; those that follow from it do not. */
  #error: ParleyError | undefined;

  /** Takes over `transport`. Nothing is read before `greet`. */
  constructor(transport: Transport, options: ClientConnectionOptions) {
    this.#server = options.server;
    this.#connection = transport.connect(this, limitsOf(options));
    const { outbox } = this.#connection;
    this.#writer = new FrameWriter(outbox, options.trace);
    this.calls = new PendingCalls(this.#writer, this);
    this.inbound = new Inbound(this, this.calls, options.trace);
    this.outbound = new Outbound(outbox, this.#writer, options, () => this.resume());
    this.confirmations = new Confirmations(this.outbound, this.#writer);
    this.closed = this.#connection.closed.then(() => this.#explaining).then(() => this.#error);
  }

  /**
   * Sends HELLO and waits for the WELCOME, at most `withinMs` milliseconds. `attach` gets the WELCOME before the next
   * frame is read, and makes the user of the connection.
   *
   * @throws {ParleyError} the server's rejection; `not_parley`, `timeout` or `disconnected`; the socket is closed by
   * then
   */
  async greet<T extends ClientConnectionEvents>(
    hello: Omit<Hello, "protocol">,
    withinMs: number,
    attach: (welcome: Welcome) => T,
  ): Promise<T> {
    const deadline = new Deadline(Math.min(withinMs, NO_SLOW_CONSUMER_TIMEOUT_MS), () => {
      const seconds = Math.round(withinMs / 100) / 10;
      const problem = `accepts connections but did not greet within ${seconds} s`;
      this.violated("timeout", `${problem}; check that it is a Parley server`);
    });
    try {
      return await new Promise<T>((resolve, reject) => {
        const greeted = (welcome: Welcome) => {
          const events = attach(welcome);
          return resolve(events), events;
        };
        this.#greeting = { resolve: greeted, reject };
        this.#writer.control(Type.HELLO, 0, { protocol: PROTOCOL, ...hello });
        this.#connection.start();
      });
    } catch (error) {
      await this.closed;
      throw error;
    } finally {
      deadline.stop();
    }
  }

  /** Closes at once, because the caller of `greet` has given up. */
  abandon(): void {
    this.#destroy(new ParleyError("closed", "connecting was given up"));
  }

  /** The error for calls on a connection that has ended or is closing; undefined while it can be used. */
  get endError(): ParleyError | undefined {
    if (!this.#isEnded && !this.#isClosing) return undefined;
    return this.#error ?? new ParleyError("closed", "this client is closed; connect again", { fatal: true });
  }

  /** Whether to read on although a queue is full, because the answer to a call comes behind the messages. */
  get mustRead(): boolean {
    return this.#isLastRead || this.calls.count > 0 || this.outbound.isWaiting || this.#isClosing;
  }

  /** Stops reading until `resume`. Only `ChannelEvents.run` and `frame` may call this, and must then return false. */
  pause(): void {
    this.#isPaused = true;
    this.#connection.pause();
  }

  /** Reads on, if paused. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#heartbeat?.received();
    this.#connection.resume();
  }

  /** Measures a round trip in milliseconds. The PONG confirms the messages sent before. */
  ping(withinMs: number, signal?: AbortSignal): Promise<number> {
    const start = performance.now();
    const { sent } = this.outbound;
    const ping = (writer: FrameWriter, id: number) => writer.frame(Type.PING, 0, id, 0);
    const pong = () => {
      this.confirmations.confirm(sent);
      return performance.now() - start;
    };
    const text = `${this.#server} did not answer a PING within ${Math.round(withinMs) / 1000} s`;
    const error = () => new ParleyError("timed_out", text);
    return this.calls.call(Type.PONG, ping, pong, { ms: withinMs, error, signal });
  }

  /**
   * Waits until the server has taken everything sent, sends BYE, and closes.
   *
   * @throws {ParleyError} if the server did not confirm; the connection is closed all the same
   */
  async close(reason: string): Promise<void> {
    let unconfirmed: unknown;
    if (this.endError === undefined) {
      this.calls.rejectAll(new ParleyError("closed", "the client was closed before the answer came"));
      // Before `#isClosing` is set, because no call is possible afterwards.
      const confirmed = this.confirmations.unconfirmed > 0 || this.outbound.hasReplied
        ? this.ping(CLOSE_MS)
        : undefined;
      this.#isClosing = true;
      this.inbound.dropMessages();
      this.outbound.stop(this.endError!);
      this.resume();
      await confirmed?.catch((error) => unconfirmed = error);
      if (!this.#isEnded) {
        this.#isByeSent = true;
        this.#writer.control(Type.BYE, 0, { reason });
        this.#connection.finish("bye");
      }
    }
    await this.closed;
    if (unconfirmed !== undefined) throw unconfirmed;
  }

  /** See `Receiver`. */
  receive(bytes: Uint8Array, end: number): number {
    this.#heartbeat?.received();
    return this.inbound.read(bytes, end);
  }

  /** See `Receiver.failed`. */
  failed(error: unknown): void {
    const text = `this client failed to handle a frame of ${this.#server}: ${error}; please report it`;
    this.#destroy(new ParleyError("internal", text, { cause: error, fatal: true }));
  }

  /** See `Receiver.writeFailed`. The server's ERROR may lie behind unread messages: reads on, however full a queue is. */
  writeFailed(): boolean {
    if (this.#isByeSent) return false;
    if (!this.#isLastRead) {
      this.#isLastRead = true;
      const timer = new Timer(LINGER_MS, () => this.#connection.destroy("reset"));
      this.#connection.closed.then(() => timer.stop());
      this.resume();
    }
    return true;
  }

  /** See `Receiver.onSlowConsumer`. Nothing to do, see {@linkcode NO_SLOW_CONSUMER_TIMEOUT_MS}. */
  onSlowConsumer(): void {}

  /** See `Receiver.overflowed`. */
  overflowed(): void {
    const problem = `sends more than this program takes, and a WebSocket cannot be held back${SLOW_ADVICE}`;
    this.violated("slow_consumer", problem);
  }

  /** See `Receiver.ended`. */
  ended(reason: EndReason): void {
    if (this.#explaining !== undefined) return void this.#explaining.then(() => this.ended(reason));
    this.#isEnded = true;
    this.inbound.stop();
    this.#heartbeat?.stop();
    this.confirmations.stop();
    if (!this.#isByeSent) {
      this.#error ??= disconnectedError(this.#server, reason, this.#greeting !== undefined);
    }
    const error = this.#error ?? new ParleyError("closed", "the client was closed");
    this.#greeting?.reject(error);
    this.#greeting = undefined;
    this.outbound.stop(error);
    this.#events?.ended(this.#error);
    this.calls.rejectAll(error); // the calls ask whether the client goes on
  }

  /** See `ConnectionEvents.welcomeReceived`. */
  welcomeReceived(welcome: Welcome): ChannelEvents {
    this.#writer.sender = welcome.number;
    this.#writer.maxPayload = welcome.limits.payload;
    this.#heartbeat = new Heartbeat(welcome.heartbeat, {
      sendPing: () => this.#writer.frame(Type.PING, 0, 0, 0),
      timedOut: () =>
        this.violated("timeout", `has been silent for ${welcome.heartbeat * 2} s; check the network`),
      isPaused: () => this.#isPaused,
    });
    this.confirmations.start();
    this.#events = this.#greeting!.resolve(welcome);
    this.#greeting = undefined;
    return this.#events.delivery;
  }

  /** See `ConnectionEvents.errorReceived`. */
  errorReceived(error: ParleyError, { id, channel }: Header, isFatal: boolean): void {
    if (isFatal) {
      this.#error ??= error;
      return this.#connection.finish(error.code as EndReason, LINGER_MS);
    }
    // The ERROR for a REPLY carries the requester's id, which may also be one of ours. Its channel is an inbox.
    const answersReply = id !== 0 && channel >= INBOX;
    if (!answersReply && id !== 0 && this.calls.reject(id, error)) return;
    this.#events?.rejected(error, channel, id);
  }

  /** See `ConnectionEvents.pingReceived`. */
  pingReceived(id: number, payload: Uint8Array): void {
    this.#writer.frame(Type.PONG, 0, id, 0, payload);
  }

  /** See `ConnectionEvents.pongReceived`. */
  pongReceived(payload: Uint8Array): void {
    this.confirmations.pongReceived(payload);
  }

  /** See `ConnectionEvents.byeReceived`. */
  byeReceived(reason: string): void {
    this.#error ??= byeError(this.#server, reason);
    this.#connection.finish("bye", LINGER_MS);
  }

  /** See `ConnectionEvents.violated`. */
  violated(code: ErrorCode | "not_parley" | "disconnected", problem: string): void {
    this.#destroy(new ParleyError(code, `${this.#server} ${problem}`, { fatal: true }));
  }

  /** See `ConnectionEvents.broken`. */
  broken(explanation: Promise<Explanation>): void {
    const unexplained: Explanation = { code: "bad_frame", problem: "broke the protocol" }; // the page is offline
    this.#explaining = explanation.catch(() => unexplained).then(({ code, problem }) => {
      this.#explaining = undefined;
      this.violated(code, problem);
    });
  }

  /** Ends the connection at once, with `error`. */
  #destroy(error: ParleyError): void {
    this.#error ??= error;
    this.#connection.destroy("reset");
  }
}
