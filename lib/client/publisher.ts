/**
 * Publishing: messages that can be sent at once, those that wait for their channel or for a connection, and the server's
 * rejections. What publishes on durable channels is loaded when there is a message for one, which waits for it.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { MAX_NUMBER } from "../limits.ts";
import { Type } from "../wire/header.ts";
import { countMessages } from "./connection_types.ts";
import { badArgument, checkName, checkOptions } from "./checks.ts";
import type { Producer } from "./api.ts";
import type { DurableChannel } from "./durable_channel.ts";
import type { DurableChannels } from "./durable_channels.ts";
import { checkSize, type EncodedMessage, encodeMessage } from "./frame_writer.ts";
import { KEPT_BYTES, MAX_PENDING_FACTOR, PING_MS } from "./limits.ts";
import { loaded } from "./loading.ts";
import type { Payload } from "./message_types.ts";
import type { PublishOptions, SendOptions, WaitOptions } from "./options.ts";
import { forbidden, nothingKept } from "./publish_errors.ts";
import type { ReconnectingSession } from "./reconnecting.ts";
import { Reports } from "./reports.ts";
import { inboxKey, inboxOf } from "./inbox.ts";
import type { Session } from "./session.ts";
import type { SessionChannel } from "./session_channel.ts";
import { bounded, handled, RESOLVED, type Settleable, Wait, WatchedPromise } from "./waiting.ts";

/** A message that waits. */
interface Kept extends EncodedMessage, Settleable {
  /** Whether the caller was told already that it is kept. */
  isPromised: boolean;
}

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
  /** Channels whose messages wait for receipts, once that is loaded. */
  #durable: DurableChannels | undefined;
  /** Set while it is being loaded; never rejects. */
  #loading: Promise<DurableChannels> | undefined;
  /** The channels that were durable when this client opened them. */
  readonly #durableNames = new Set<string>();
  /** What is published as a producer meanwhile. */
  #keptForProducers: { readonly name: string; readonly producer: string; readonly message: Kept }[] = [];
  /** By channel, in order. */
  readonly #kept = new Map<string, Kept[]>();
  #keptBytes = 0;
  readonly #reports: Reports;

  /** Publishes by the current session of `line`. */
  constructor(line: ReconnectingSession, options: PublisherOptions) {
    this.#line = line;
    this.#options = options;
    this.#reports = new Reports(options.onError);
  }

  /** Loads what publishes on durable channels. What waits for it goes out before anything else can. */
  #load(): Promise<DurableChannels> {
    return this.#loading ??= loaded(import("./durable_channels.ts")).then((part) => {
      const { keptBytes, pendingBytes } = this.#options;
      this.#durable = new part.DurableChannels(this.#line, {
        keptBytes,
        pendingBytes,
        unreported: (error, name) => this.#reports.rejected(error, name),
      });
      for (const { name, producer, message } of this.#keptForProducers.splice(0)) {
        this.#forget(message);
        this.#settle(message, name, this.#durable.publishEncoded(name, producer, message));
      }
      const session = this.#line.current;
      for (const name of session === undefined ? [] : [...this.#kept.keys()]) {
        const channel = session!.channels.get(name);
        if (channel?.isOpen) this.channelOpened(session!, channel);
      }
      return this.#durable;
    }).catch((error) => {
      this.#loading = undefined; // the next message tries again
      for (const { name, message } of this.#keptForProducers.splice(0)) {
        this.#forget(message);
        this.#failed(name, message, error);
      }
      for (const name of this.#durableNames) {
        for (const message of this.#take(name)) this.#failed(name, message, error);
      }
      throw error;
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
    await wait.for(Promise.allSettled(this.#kept.get(name)?.map(({ promise }) => promise) ?? []));
    const durable = this.#durable ?? await wait.for(this.#load());
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
    const durable = this.#durable;
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
      this.#load().catch(() => {}); // the messages that wait are rejected
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
    if (this.#keptBytes > keptBytes || this.#durableNames.has(name)) return sent;
    const kept = this.#kept.get(name)!.at(-1)!;
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
    const message = this.#copy(payload, options, Math.max(keptBytes, KEPT_BYTES) * MAX_PENDING_FACTOR);
    this.#keptForProducers.push({ name, producer, message });
    this.#load().catch(() => {}); // the messages that wait are rejected
    return message.promise;
  }

  /** Keeps a copy of a message. The promise resolves when it is sent. */
  #keep(
    name: string,
    payload: Payload,
    options: PublishOptions | undefined,
    maxBytes: number,
  ): Promise<void> {
    const kept = this.#copy(payload, options, maxBytes);
    const list = this.#kept.get(name);
    if (list === undefined) this.#kept.set(name, [kept]);
    else list.push(kept);
    return kept.promise;
  }

  #copy(payload: Payload, options: PublishOptions | undefined, maxBytes: number): Kept {
    const { flags, bytes } = encodeMessage(payload, options);
    const maxPayload = this.#line.current?.welcome.limits.payload;
    if (maxPayload !== undefined) checkSize(bytes.length, maxPayload);
    if (this.#keptBytes > 0 && this.#keptBytes + bytes.length > maxBytes) {
      const text = `${this.#keptBytes} bytes wait to be sent; await the promise that publish returns`;
      throw new ParleyError("backlog_full", text);
    }
    this.#keptBytes += bytes.length;
    const copy = bytes === payload ? bytes.slice() : bytes;
    return { flags, bytes: copy, ...WatchedPromise.pending(), isPromised: false };
  }

  /** How many messages wait, to be sent or for their receipt. */
  get keptCount(): number {
    let count = (this.#durable?.count ?? 0) + this.#keptForProducers.length;
    for (const list of this.#kept.values()) count += list.length;
    return count;
  }

  /** The server has opened a channel: what waits for it is sent, before anything else can be. */
  channelOpened(session: Session, { name, channelId, mayPublish, isPlain, answer }: SessionChannel): void {
    if (answer?.durable) this.#durableNames.add(name);
    else this.#durableNames.delete(name);
    let durable: DurableChannel | undefined;
    if (mayPublish && !isPlain && this.#kept.has(name)) {
      if (this.#durable === undefined) return void this.#load().catch(() => {}); // they go on waiting
      durable = this.#durable.add(name);
    }
    const list = this.#take(name);
    for (const message of list) {
      try {
        if (!mayPublish) throw forbidden(name);
        if (durable?.producer !== undefined) {
          throw badArgument(`published on ${name} before its producer was`);
        }
        if (durable !== undefined) {
          this.#settle(message, name, durable.publishEncoded(message));
          continue;
        }
        session.connection.outbound.sendEncoded(channelId, message);
        message.resolve();
      } catch (error) {
        this.#failed(name, message, error as ParleyError);
      }
    }
  }

  /** Passes on what became of a message that was kept. */
  #settle(message: Kept, name: string, stored: Promise<void>): void {
    stored.then(message.resolve, (error) => {
      if (!message.promise.isWatched) this.#reports.rejected(error, name);
      message.reject(error);
    });
  }

  #take(name: string): Kept[] {
    const list = this.#kept.get(name) ?? [];
    this.#kept.delete(name);
    for (const message of list) this.#forget(message);
    return list;
  }

  #forget({ bytes }: Kept): void {
    this.#keptBytes -= bytes.length;
  }

  #refused(session: Session, name: string, error: ParleyError): void {
    // What waits for a connection goes on waiting.
    if (this.#line.current !== session) return;
    for (const message of this.#take(name)) this.#failed(name, message, error);
  }

  #failed(name: string, message: Kept, error: ParleyError): void {
    if (message.isPromised) this.#reports.rejected(error, name);
    else message.reject(error);
  }

  /** See `Client.sendTo`. */
  sendTo(sessionId: number, payload: Payload, options: SendOptions | undefined): Promise<void> {
    try {
      checkOptions("sendTo", options);
      if (!Number.isInteger(sessionId) || sessionId < 1 || sessionId > MAX_NUMBER) {
        throw badArgument(`a session's id is a whole number from 1 to ${MAX_NUMBER}, not ${sessionId}`);
      }
      const inbox = inboxOf(sessionId);
      const rejection = this.#reports.take(inboxKey(inbox));
      if (rejection !== undefined) throw rejection;
      const { endError, current: session } = this.#line;
      if (endError !== undefined) return handled(Promise.reject(endError));
      if (session === undefined) {
        const text = "the connection is interrupted; session ids known from before may be stale then";
        throw new ParleyError("interrupted", text);
      }
      const sent = session.connection.outbound.send(Type.MESSAGE, 0, inbox, payload, options);
      return bounded(`publishing to session ${sessionId}`, options, sent);
    } catch (error) {
      return Promise.reject(error);
    }
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
        if (this.#kept.size === 0) break;
      } catch (error) {
        if (session.connection.endError === undefined || this.#line.endError !== undefined) throw error;
      }
    }
    this.throwReports();
  }

  /** Waits for the channels that messages wait for. */
  async #allSent(session: Session): Promise<void> {
    if (this.#durable === undefined) await this.#loading?.catch(() => {});
    for (const name of this.#kept.keys()) await session.channels.get(name)?.ready.catch(() => {});
  }

  /** Waits for the receipts of all messages. */
  async #allStored(): Promise<void> {
    const outcomes = await Promise.allSettled(this.#durable?.outcomes() ?? []);
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }

  /** Throws what no call has reported yet. */
  throwReports(): void {
    this.#reports.throwAll();
  }

  /** The client is being closed without a connection: what is kept is lost. */
  abandon(error: ParleyError | undefined): void {
    const count = this.keptCount - (this.#durable?.count ?? 0);
    const reason = error ?? new ParleyError("closed", "the client was closed before the message was sent");
    this.#durable?.abandon(reason);
    for (const { message } of this.#keptForProducers.splice(0)) message.reject(reason);
    for (const name of [...this.#kept.keys()]) {
      for (const { reject } of this.#take(name)) reject(reason);
    }
    if (count > 0) {
      const text = `${countMessages(count)} not sent: the client is over`;
      this.#reports.lost(new ParleyError("disconnected", text, { cause: error }));
    }
  }

  /** The connection broke. Returns how many messages may be lost. */
  interrupted(session: Session, error: ParleyError): number {
    const { unconfirmed } = session.connection.confirmations;
    const { inDoubt = 0, unwatched = 0 } = this.#durable?.interrupted(error) ?? {};
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
    this.#durable?.resumed(session);
    for (const name of this.#kept.keys()) {
      session.openToSend(name).ready.catch((error) => this.#refused(session, name, error));
    }
    return count;
  }

  /** The server rejected a message. */
  rejected(error: ParleyError, name: string, id: number): void {
    if (id === 0 && this.#durable?.rejected(error, name)) return; // the promises of the calls say so
    if (id !== 0) this.report(error); // for a REPLY: the requester has gone
    else this.#reports.rejected(error, name);
  }

  /** Passes an error to the program's `onError`. Returns whether there is one. */
  report(error: ParleyError): boolean {
    return this.#reports.pass(error);
  }
}
