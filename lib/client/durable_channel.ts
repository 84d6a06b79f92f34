/**
 * What a client publishes on one durable channel.
 *
 * It outlives the sessions it publishes by. A producer's messages are kept until they are stored: the next session sends
 * again what the server says is missing. Without a producer, a message whose receipt had not come when the connection
 * broke may or may not be stored, and is not sent again.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import type { Opened } from "../wire/client_control.ts";
import type { Batch, BatchOwner } from "./batch.ts";
import { Batches } from "./batches.ts";
import type { EncodedMessage } from "./frame_writer.ts";
import { BATCH_BYTES, MAX_BATCHES } from "./limits.ts";
import type { Payload, ReplyOptions } from "./message_types.ts";
import { beganAnew, fenced, inDoubt } from "./durable_errors.ts";
import { forbidden, nothingKept } from "./publish_errors.ts";
import type { ReconnectingSession } from "./reconnecting.ts";
import type { Session } from "./session.ts";
import type { SessionChannel } from "./session_channel.ts";

/** What a durable channel needs of its client. */
export interface DurableOptions {
  /** How many bytes may wait for their receipts. */
  readonly maxBytes: number;
  /** How many bytes may wait while there is no connection; 0 if nothing is kept then. */
  readonly maxKept: number;
  /** The channel could not be opened to publish on: it is not known any more. */
  gone(): void;
  /** Messages were not stored, or may not be, and nothing waits for the promises of their calls. */
  unreported(error: ParleyError): void;
}

/** One durable channel that is published on; see the module's comment. */
export class DurableChannel implements BatchOwner {
  readonly name: string;
  /** The producer this client is on the channel, if it is one. */
  readonly producer: string | undefined;
  /** How many messages of the producer are stored, as far as known. */
  stored = 0;
  /** Why the producer can publish no more. */
  endError: ParleyError | undefined;

  readonly #line: ReconnectingSession;
  readonly #options: DurableOptions;
  readonly #batches: Batches;
  #isScheduled = false;
  /** Where to send, while that is possible. */
  #session: Session | undefined;
  #channel: SessionChannel | undefined;
  /** The OPEN under way, and for which session. */
  #opening: { readonly session: Session; readonly done: Promise<void> } | undefined;
  /** The server stores nothing until the channel is opened again. */
  #refusal: ParleyError | undefined;
  /** Whether the last message of a batch was refused, so that all of the next ones are. */
  #isRefused = false;
  /** Whether `stored` is exact but for messages that will be sent again. */
  #isCounted = false;

  /** Publishes by the current session of `line`. */
  constructor(
    name: string,
    producer: string | undefined,
    line: ReconnectingSession,
    options: DurableOptions,
  ) {
    this.name = name;
    this.producer = producer;
    this.#line = line;
    this.#options = options;
    this.#batches = new Batches(name, this, options.unreported);
  }

  /** How many messages are not settled. */
  get count(): number {
    return this.#batches.count;
  }

  /** The promises of all messages that are not settled. */
  outcomes(): Promise<void>[] {
    return this.#batches.outcomes();
  }

  /**
   * Adds a message. The promise resolves when it is stored; calls of one turn share it.
   *
   * @throws {ParleyError} `backlog_full`, `interrupted`, `too_large`, `bad_argument`; or why the producer has ended
   */
  publish(payload: Payload, options: ReplyOptions | undefined): Promise<void> {
    if (this.endError !== undefined) throw this.endError;
    const session = this.#line.current;
    const { maxBytes, maxKept } = this.#options;
    if (session === undefined && maxKept === 0) throw nothingKept();
    if (this.#batches.bytes > (session === undefined ? maxKept : maxBytes)) {
      const text =
        `${this.#batches.bytes} bytes on ${this.name} wait to be stored; await the promise of publish`;
      throw new ParleyError("backlog_full", text);
    }
    const batch = this.#batches.gathering();
    return this.#added(batch, batch.add(payload, options, session?.welcome.limits.payload ?? Infinity));
  }

  /** Adds a message that was kept, and is sent in any case. */
  publishEncoded(message: EncodedMessage): Promise<void> {
    const batch = this.#batches.gathering();
    return this.#added(batch, batch.addEncoded(message));
  }

  #added(batch: Batch, bytes: number): Promise<void> {
    this.#batches.bytes += bytes;
    if (batch.length >= BATCH_BYTES) this.#flush();
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      queueMicrotask(this.#flush);
    }
    return batch.outcome.promise;
  }

  /** Sends what waits, as far as that is possible; opens the channel if it must be. */
  readonly #flush = () => {
    this.#isScheduled = false;
    const session = this.#line.current;
    if (session === undefined || this.endError !== undefined || this.#batches.first === undefined) return;
    const channel = this.#channel;
    if (
      channel === undefined || this.#session !== session || !channel.isOpen || this.#refusal !== undefined
    ) {
      this.open(session).catch(() => {}); // the messages that wait are rejected
      return;
    }
    if (this.#batches.sent === 0) channel.holds++;
    while (this.#batches.first !== undefined && this.#batches.sent < MAX_BATCHES) {
      if (session.connection.endError !== undefined) break;
      this.#send(this.#batches.shift(), session, channel.channelId);
    }
    session.used(channel);
    if (this.#batches.sent === 0) session.release(channel);
  };

  #send(batch: Batch, { connection, id }: Session, channelId: number): void {
    try {
      connection.calls.expect(batch);
    } catch (error) {
      return this.#batches.settle(batch, error as ParleyError);
    }
    batch.address(channelId, id);
    connection.outbound.sendFrames(batch.bytes, batch.length);
    this.#batches.wasSent(batch, this.producer !== undefined);
  }

  /** Opens the channel to publish on: as the producer, or again after a refusal. */
  open(session: Session): Promise<void> {
    if (this.#opening?.session === session) return this.#opening.done;
    const done = this.#open(session).finally(() => {
      if (this.#opening?.session === session) this.#opening = undefined;
    });
    this.#opening = { session, done };
    return done;
  }

  async #open(session: Session): Promise<void> {
    const retry = this.#refusal === undefined ? undefined : true;
    try {
      const { producer } = this;
      const isAgain = producer !== undefined || retry !== undefined;
      const answer =
        await (isAgain ? session.openWith(this.name, { producer, retry }) : opened(session, this.name));
      if (this.#line.current !== session) throw session.connection.endError;
      const channel = session.channels.get(this.name);
      if (channel === undefined || !answer.publish) throw forbidden(this.name);
      if (!answer.durable) {
        throw new ParleyError("not_durable", `${this.name} is not durable any more; publish again`);
      }
      if (this.producer !== undefined) this.#count(answer);
      if (this.endError !== undefined) throw this.endError;
      channel.isProducer = this.producer !== undefined;
      this.#session = session;
      this.#channel = channel;
      this.#refusal = undefined;
      this.#isRefused = false;
    } catch (error) {
      if (session.connection.endError === undefined) this.#openFailed(error as ParleyError);
      throw error;
    }
    this.#flush();
  }

  #openFailed(error: ParleyError): void {
    if (this.producer === undefined) this.#batches.rejectUnsent(error);
    else this.#end(error);
    this.#options.gone();
  }

  /** Settles what the server has stored of the messages sent by a session before this one. */
  #count({ stored = 0 }: Opened): void {
    const more = this.#isCounted ? stored - this.stored : 0;
    this.#isCounted = true;
    if (more > this.#batches.doubtful) return this.#end(fenced(this.name, this.producer));
    if (more < 0) return this.#end(beganAnew(this.name, this.producer!, stored, this.stored));
    this.stored = stored;
    this.#batches.storedBefore(more);
  }

  acknowledged(batch: Batch): void {
    const settled = this.#batches.takeUpTo(batch);
    if (settled.length === 0) return;
    this.#batches.isProbing = false;
    for (const each of settled) {
      this.stored += each.count;
      this.#batches.settle(each);
    }
    this.#answered();
  }

  rejected(batch: Batch, error: unknown): void {
    if (!this.#batches.take(batch)) return;
    const { code, message, fatal } = error as ParleyError;
    let reason = error as ParleyError;
    if (fatal || code === "closed") reason = inDoubt(code, this.name, batch.count, message);
    else this.serverRejected(reason);
    if (code === "not_stored") {
      // Of the first batch that is refused, the first messages may be in a commit that succeeded.
      const isCertain = batch.count === 1 || this.#isRefused;
      this.#isRefused = this.#batches.isProbing = true;
      const text = `the server could not store all of them: ${message}`;
      if (!isCertain) {
        this.#isCounted = false;
        reason = inDoubt("interrupted", this.name, batch.count, text);
      }
    }
    this.#batches.settle(batch, reason);
    this.#answered();
  }

  /** The server has rejected messages that have no receipt of their own, or takes no more of the producer. */
  serverRejected(error: ParleyError): void {
    if (error.code === "fenced") return this.#end(fenced(this.name, this.producer));
    this.#refusal ??= error;
    this.#batches.rejectUnsent(error);
  }

  /** A batch was answered: there is room for another, or the channel may be left. */
  #answered(): void {
    if (this.#batches.sent === 0 && this.#channel !== undefined) this.#session?.release(this.#channel);
    this.#flush();
  }

  /** The connection broke. Returns how many messages are in doubt, and of how many no call learns that. */
  interrupted(error: ParleyError): { readonly inDoubt: number; readonly unwatched: number } {
    this.#session =
      this.#channel =
      this.#opening =
      this.#refusal =
        undefined;
    this.#isRefused = false;
    if (this.producer === undefined || this.endError !== undefined) {
      return this.#batches.rejectSent("interrupted", error.message);
    }
    this.#batches.requeue();
    return { inDoubt: 0, unwatched: 0 };
  }

  /** The client is over. */
  abandon(error: ParleyError): void {
    this.#batches.rejectSent(error.code, error.message);
    this.#batches.rejectUnsent(error);
  }

  #end(error: ParleyError): void {
    this.endError ??= error;
    this.#batches.rejectUnsent(error);
  }
}

/** The answer to the OPEN of a channel that is sent on. */
async function opened(session: Session, name: string): Promise<Opened> {
  const channel = session.openToSend(name);
  await channel.ready;
  return channel.answer!;
}
