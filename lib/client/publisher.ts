/**
 * Publishing: messages that can be sent at once, those that wait for their channel or for a connection, and the server's
 * rejections. What publishes on durable channels is loaded when there is a message for one, which waits for it.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { Type } from "../wire/header.ts";
import { countMessages } from "./connection_types.ts";
import { badArgument, checkName, checkOptions } from "./checks.ts";
import type { Producer } from "./api.ts";
import { sendDirect } from "./direct_messages.ts";
import type { DurableChannel } from "./durable_channel.ts";
import { DurablePart } from "./durable_part.ts";
import { follow, type Kept, KeptMessages } from "./kept_messages.ts";
import { KEPT_BYTES, MAX_PENDING_FACTOR, PING_MS } from "./limits.ts";
import type { Payload } from "./message_types.ts";
import type { PublishOptions, SendOptions, WaitOptions } from "./options.ts";
import { forbidden, nothingKept } from "./publish_errors.ts";
import type { ReconnectingSession } from "./reconnecting.ts";
import { Reports } from "./reports.ts";
import type { Session } from "./session.ts";
import type { SessionChannel } from "./session_channel.ts";
import { bounded, handled, RESOLVED, Wait } from "./waiting.ts";

/** What a publisher needs of its client. */
export interface PublisherOptions {
  /** See `ReconnectOptions.keptBytes`. */
  readonly keptBytes: number;
  /** See `ConnectOptions.pendingBytes`. */
  readonly pendingBytes: number;
  /** See `ConnectOptions.onError`. */
  readonly onError: ((error: ParleyError) => void) | undefined;
}

/** What one client publishes. */
export class Publisher {
  readonly #line: ReconnectingSession;
  readonly #options: PublisherOptions;
  /** Channels whose messages wait for receipts. */
  readonly #durable: DurablePart;
  /** The channels that were durable when this client opened them. */
  readonly #durableNames = new Set<string>();
  readonly #kept = new KeptMessages();
  readonly #reports: Reports;

  /** Publishes by the current session of `line`. */
  constructor(line: ReconnectingSession, options: PublisherOptions) {
    this.#line = line;
    this.#options = options;
    this.#reports = new Reports(options.onError);
    const { keptBytes, pendingBytes } = options;
    const unreported = (error: ParleyError, name: string) => this.#reports.rejected(error, name);
    this.#durable = new DurablePart(line, { keptBytes, pendingBytes, unreported }, {
      loaded: () => this.#durableLoaded(),
      failed: (error) => {
        for (const name of this.#durableNames) this.#fail(name, error);
      },
      published: (name, message, stored) => {
        this.#kept.forget(message);
        follow(message, stored, (error) => unreported(error, name));
      },
    });
  }

  /** See `Client.publish`. */
  publish(name: string, payload: Payload, options: PublishOptions | undefined): Promise<void> {
    const session = this.#line.current;
    const channel = session?.channels.get(name);
    if (channel?.isPlain && this.#reports.isEmpty && options === undefined) {
      session!.used(channel);
      return session!.connection.outbound.send(Type.MESSAGE, 0, channel.channelId, payload, undefined);
    }
    try {
      checkOptions("publish", options);
      return bounded(`publishing on ${name}`, options, this.#publish(name, payload, options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** See `Client.producer`. */
  async producer(
    name: string,
    producer: string,
    options: WaitOptions | undefined,
  ): Promise<Producer> {
    checkName(name);
    checkOptions("wait", options);
    const wait = new Wait(`becoming a producer on ${name}`, options);
    // What was published before is not the producer's.
    await wait.for(Promise.allSettled(this.#kept.of(name).map(({ promise }) => promise)));
    const durable = this.#durable.channels ?? await wait.for(this.#durable.load());
    return await durable.open(name, producer, wait);
  }

  #publish(name: string, payload: Payload, options: PublishOptions | undefined): Promise<void> {
    options?.signal?.throwIfAborted();
    const rejection = this.#reports.take(name);
    if (rejection !== undefined) throw rejection;
    const { endError, current: session } = this.#line;
    if (endError !== undefined) return handled(Promise.reject(endError));
    let channel = session?.channels.get(name);
    if (channel === undefined) checkName(name);
    const durable = this.#durable.channels;
    if (durable !== undefined && (options?.producer !== undefined || durable.get(name) !== undefined)) {
      return durable.publish(name, payload, options);
    }
    if (options?.producer !== undefined) {
      return this.#keepForProducer(name, options.producer, payload, options);
    }
    if (session === undefined) return this.#keepUntilConnected(name, payload, options);
    channel ??= session.openToSend(name);
    if (channel.isOpen) {
      if (!channel.mayPublish) throw forbidden(name);
      if (durable !== undefined && !channel.isPlain) return durable.add(name).publish(payload, options);
      if (channel.isPlain) {
        session.used(channel);
        return session.connection.outbound.send(Type.MESSAGE, 0, channel.channelId, payload, options);
      }
      this.#durable.request();
    }
    const isFirst = !this.#kept.has(name);
    const kept = this.#keep(name, payload, options, this.#options.pendingBytes * MAX_PENDING_FACTOR);
    // A channel that is opened for something else has a `ready` too.
    if (isFirst) channel.ready.catch((error) => this.#refused(session, name, error));
    return kept;
  }

  /** Keeps a message while there is no connection. Beyond `keptBytes` the caller waits until it is sent. */
  #keepUntilConnected(name: string, payload: Payload, options: PublishOptions | undefined): Promise<void> {
    const { keptBytes } = this.#options;
    if (keptBytes === 0) throw nothingKept();
    const sent = this.#keep(name, payload, options, keptBytes * MAX_PENDING_FACTOR);
    if (this.#kept.bytes > keptBytes || this.#durableNames.has(name)) return sent;
    const kept = this.#kept.of(name).at(-1)!;
    kept.isPromised = true;
    kept.resolve();
    return RESOLVED;
  }

  /** Keeps a message of a producer until it can be published. */
  #keepForProducer(
    name: string,
    producer: string,
    payload: Payload,
    options: PublishOptions,
  ): Promise<void> {
    const { keptBytes } = this.#options;
    if (this.#line.current === undefined && keptBytes === 0) throw nothingKept();
    const maxBytes = Math.max(keptBytes, KEPT_BYTES) * MAX_PENDING_FACTOR;
    const message = this.#kept.copy(payload, options, this.#line.current?.welcome, maxBytes);
    this.#durable.keep(name, producer, message);
    return message.promise;
  }

  /** Keeps a copy of a message. The promise resolves when it is sent. */
  #keep(
    name: string,
    payload: Payload,
    options: PublishOptions | undefined,
    maxBytes: number,
  ): Promise<void> {
    const kept = this.#kept.copy(payload, options, this.#line.current?.welcome, maxBytes);
    this.#kept.add(name, kept);
    return kept.promise;
  }

  /** How many messages wait, to be sent or for their receipt. */
  get keptCount(): number {
    return this.#kept.count + this.#durable.count;
  }

  /** The server has opened a channel: what waits for it is sent, before anything else can be. */
  channelOpened(session: Session, { name, channelId, mayPublish, isPlain, answer }: SessionChannel): void {
    if (answer?.durable) this.#durableNames.add(name);
    else this.#durableNames.delete(name);
    let durable: DurableChannel | undefined;
    if (mayPublish && !isPlain && this.#kept.has(name)) {
      if (this.#durable.channels === undefined) return this.#durable.request(); // they go on waiting
      durable = this.#durable.channels.add(name);
    }
    const list = this.#kept.take(name);
    for (const message of list) {
      try {
        if (!mayPublish) throw forbidden(name);
        if (durable?.producer !== undefined) {
          throw badArgument(`published on ${name} before its producer was`);
        }
        if (durable !== undefined) {
          follow(message, durable.publishEncoded(message), (error) => this.#reports.rejected(error, name));
          continue;
        }
        session.connection.outbound.sendEncoded(channelId, message);
        message.resolve();
      } catch (error) {
        this.#failed(name, message, error as ParleyError);
      }
    }
  }

  #refused(session: Session, name: string, error: ParleyError): void {
    // What waits for a connection goes on waiting.
    if (this.#line.current !== session) return;
    this.#fail(name, error);
  }

  /** What waits for a channel cannot be sent. */
  #fail(name: string, error: ParleyError): void {
    for (const message of this.#kept.take(name)) this.#failed(name, message, error);
  }

  /** What waits for durable channels that are open is sent. */
  #durableLoaded(): void {
    const { current: session } = this.#line;
    if (session === undefined) return; // the next session opens them
    for (const name of this.#kept.channels) {
      const channel = session.channels.get(name);
      if (channel?.isOpen) this.channelOpened(session, channel);
    }
  }

  #failed(name: string, message: Kept, error: ParleyError): void {
    if (message.isPromised) this.#reports.rejected(error, name);
    else message.reject(error);
  }

  /** See `Client.sendTo`. */
  sendTo(sessionId: number, payload: Payload, options: SendOptions | undefined): Promise<void> {
    return sendDirect(this.#line, this.#reports, sessionId, payload, options);
  }

  /** See `Client.flush`. */
  async flush(options: WaitOptions | undefined): Promise<void> {
    checkOptions("wait", options);
    const wait = new Wait("flush", options, PING_MS);
    while (!this.#reports.hasLost) {
      const session = await this.#line.session(wait);
      await wait.for(this.#allSent(session));
      await wait.for(this.#allStored());
      if (this.#reports.hasLost || this.#line.current !== session) continue;
      if (session.connection.confirmations.unconfirmed === 0) break;
      try {
        await session.connection.ping(wait.leftMs, options?.signal);
        if (this.#kept.count === 0) break;
      } catch (error) {
        if (session.connection.endError === undefined || this.#line.endError !== undefined) throw error;
      }
    }
    this.throwReports();
  }

  /** Waits for the channels that messages wait for. */
  async #allSent(session: Session): Promise<void> {
    await this.#durable.settled();
    for (const name of this.#kept.channels) await session.channels.get(name)?.ready.catch(() => {});
  }

  /** Waits for the receipts of all messages. */
  async #allStored(): Promise<void> {
    const outcomes = await Promise.allSettled(this.#durable.channels?.outcomes() ?? []);
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }

  /** Throws what no call has reported yet. */
  throwReports(): void {
    this.#reports.throwAll();
  }

  /** The client is being closed without a connection: what is kept is lost. */
  abandon(error: ParleyError | undefined): void {
    const { count } = this.#kept;
    const reason = error ?? new ParleyError("closed", "the client was closed before the message was sent");
    this.#durable.abandon(reason);
    for (const name of this.#kept.channels) {
      for (const { reject } of this.#kept.take(name)) reject(reason);
    }
    if (count > 0) {
      const text = `${countMessages(count)} not sent: the client is over`;
      this.#reports.lost(new ParleyError("disconnected", text, { cause: error }));
    }
  }

  /** The connection broke. Returns how many messages may be lost. */
  interrupted(session: Session, error: ParleyError): number {
    const { unconfirmed } = session.connection.confirmations;
    const { inDoubt = 0, unwatched = 0 } = this.#durable.channels?.interrupted(error) ?? {};
    const lost = unconfirmed + unwatched;
    if (lost > 0) {
      const text = `${countMessages(lost)} may not have reached the server: ${error.message}`;
      this.#reports.lost(new ParleyError(error.code, text, { cause: error }));
    }
    return unconfirmed + inDoubt;
  }

  /** There is a connection again: opens the channels that messages wait for. Returns how many messages do. */
  resumed(session: Session): number {
    const count = this.keptCount;
    this.#durable.channels?.resumed(session);
    for (const name of this.#kept.channels) {
      session.openToSend(name).ready.catch((error) => this.#refused(session, name, error));
    }
    return count;
  }

  /** The server rejected a message. */
  rejected(error: ParleyError, name: string, id: number): void {
    if (id === 0 && this.#durable.channels?.rejected(error, name)) return; // the promises of the calls say so
    if (id !== 0) this.report(error); // for a REPLY: the requester has gone
    else this.#reports.rejected(error, name);
  }

  /** Passes an error to the program's `onError`. Returns whether there is one. */
  report(error: ParleyError): boolean {
    return this.#reports.pass(error);
  }
}
