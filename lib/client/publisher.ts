/**
 * Publishing: messages that can be sent at once, those that wait for their channel or for a connection, and the server's
 * rejections.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { MAX_NUMBER } from "../limits.ts";
import { Type } from "../wire/header.ts";
import { callSafely } from "./callback.ts";
import { countMessages } from "./connection_types.ts";
import { badArgument, checkName, checkOptions } from "./checks.ts";
import { checkSize, type EncodedMessage, encodeMessage } from "./frame_writer.ts";
import { MAX_PENDING_FACTOR, MAX_REJECTIONS, PING_MS } from "./limits.ts";
import type { Payload } from "./message_types.ts";
import type { PublishOptions, WaitOptions } from "./options.ts";
import type { ReconnectingSession } from "./reconnecting.ts";
import { inboxKey, inboxOf, type Session } from "./session.ts";
import type { SessionChannel } from "./session_channel.ts";
import { handled, RESOLVED, Wait } from "./waiting.ts";

/** A message that waits. */
interface Kept extends EncodedMessage {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  /** Whether the caller was told already that it is kept. */
  isPromised: boolean;
}

/** What a publisher needs of its client. */
export interface PublisherOptions {
  /** See `ReconnectOptions.keptBytes`. */
  readonly keptBytes: number;
  /** How much may wait for the server's permission to publish. */
  readonly openingBytes: number;
  /** See `ConnectOptions.onError`. */
  readonly onError: ((error: ParleyError) => void) | undefined;
}

/** What one client publishes. */
export class Publisher {
  readonly #line: ReconnectingSession;
  readonly #options: PublisherOptions;
  /** By channel, in order. */
  readonly #kept = new Map<string, Kept[]>();
  #keptBytes = 0;
  /** Rejections that no call has reported yet, by channel or inbox. */
  readonly #rejections = new Map<string, ParleyError>();
  /** Why messages were lost, until `flush` or `close` has said so. */
  #lost: ParleyError | undefined;

  /** Publishes by the current session of `line`. */
  constructor(line: ReconnectingSession, options: PublisherOptions) {
    this.#line = line;
    this.#options = options;
  }

  /** See `Client.publish`. */
  publish(name: string, payload: Payload, options: PublishOptions | undefined): Promise<void> {
    const session = this.#line.current;
    const channel = session?.channels.get(name);
    if (channel?.mayPublish && this.#rejections.size === 0 && options === undefined) {
      session!.used(channel);
      return session!.connection.outbound.send(Type.MESSAGE, 0, channel.channelId, payload, undefined);
    }
    try {
      checkOptions("publish", options);
      return this.#bounded(name, options, this.#publish(name, payload, options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #bounded(name: string, options: PublishOptions | undefined, sent: Promise<void>): Promise<void> {
    if (options?.signal === undefined && options?.timeoutMs === undefined) return sent;
    return handled(new Wait(`publishing on ${name}`, options).for(sent));
  }

  #publish(name: string, payload: Payload, options: PublishOptions | undefined): Promise<void> {
    options?.signal?.throwIfAborted();
    const rejection = this.#takeRejection(name);
    if (rejection !== undefined) throw rejection;
    const { endError, current: session } = this.#line;
    if (endError !== undefined) return handled(Promise.reject(endError));
    let channel = session?.channels.get(name);
    if (channel === undefined) checkName(name);
    if (session === undefined) return this.#keepUntilConnected(name, payload, options);
    channel ??= session.openToSend(name);
    if (channel.isOpen) {
      if (!channel.mayPublish) throw forbidden(name);
      session.used(channel);
      return session.connection.outbound.send(Type.MESSAGE, 0, channel.channelId, payload, options);
    }
    const isFirst = !this.#kept.has(name);
    const kept = this.#keep(name, payload, options, this.#options.openingBytes);
    // A channel that is opened for something else has a `ready` too.
    if (isFirst) channel.ready.catch((error) => this.#refused(session, name, error));
    return kept;
  }

  /** Keeps a message while there is no connection. Beyond `keptBytes` the caller waits until it is sent. */
  #keepUntilConnected(name: string, payload: Payload, options: PublishOptions | undefined): Promise<void> {
    const { keptBytes } = this.#options;
    if (keptBytes === 0) {
      throw new ParleyError("interrupted", "the connection is interrupted, and nothing is kept meanwhile");
    }
    const sent = this.#keep(name, payload, options, keptBytes * MAX_PENDING_FACTOR);
    if (this.#keptBytes > keptBytes) return sent;
    const kept = this.#kept.get(name)!.at(-1)!;
    kept.isPromised = true;
    kept.resolve();
    return RESOLVED;
  }

  /** Keeps a copy of a message. The promise resolves when it is sent. */
  #keep(
    name: string,
    payload: Payload,
    options: PublishOptions | undefined,
    maxBytes: number,
  ): Promise<void> {
    const { flags, bytes } = encodeMessage(payload, options);
    const maxPayload = this.#line.current?.welcome.limits.payload;
    if (maxPayload !== undefined) checkSize(bytes.length, maxPayload);
    if (this.#keptBytes > 0 && this.#keptBytes + bytes.length > maxBytes) {
      const text = `${this.#keptBytes} bytes wait to be sent; await the promise that publish returns`;
      throw new ParleyError("backlog_full", text);
    }
    this.#keptBytes += bytes.length;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const copy = bytes === payload ? bytes.slice() : bytes;
    const list = this.#kept.get(name);
    const kept = { flags, bytes: copy, resolve, reject, isPromised: false };
    if (list === undefined) this.#kept.set(name, [kept]);
    else list.push(kept);
    return handled(promise);
  }

  /** How many messages wait. */
  get keptCount(): number {
    let count = 0;
    for (const list of this.#kept.values()) count += list.length;
    return count;
  }

  /** The server has opened a channel: what waits for it is sent, before anything else can be. */
  channelOpened(session: Session, { name, channelId, mayPublish }: SessionChannel): void {
    const list = this.#take(name);
    for (const message of list) {
      try {
        if (!mayPublish) throw forbidden(name);
        session.connection.outbound.sendEncoded(channelId, message);
        message.resolve();
      } catch (error) {
        this.#failed(name, message, error as ParleyError);
      }
    }
  }

  #take(name: string): Kept[] {
    const list = this.#kept.get(name) ?? [];
    this.#kept.delete(name);
    for (const { bytes } of list) this.#keptBytes -= bytes.length;
    return list;
  }

  #refused(session: Session, name: string, error: ParleyError): void {
    // What waits for a connection goes on waiting.
    if (this.#line.current !== session) return;
    for (const message of this.#take(name)) this.#failed(name, message, error);
  }

  #failed(name: string, message: Kept, error: ParleyError): void {
    if (message.isPromised) this.rejected(error, name, 0);
    else message.reject(error);
  }

  /** See `Client.sendTo`. */
  sendTo(sessionId: number, payload: Payload, options: PublishOptions | undefined): Promise<void> {
    try {
      checkOptions("publish", options);
      if (!Number.isInteger(sessionId) || sessionId < 1 || sessionId > MAX_NUMBER) {
        throw badArgument(`a session's id is a whole number from 1 to ${MAX_NUMBER}, not ${sessionId}`);
      }
      const inbox = inboxOf(sessionId);
      const rejection = this.#takeRejection(inboxKey(inbox));
      if (rejection !== undefined) throw rejection;
      const { endError, current: session } = this.#line;
      if (endError !== undefined) return handled(Promise.reject(endError));
      if (session === undefined) {
        const text = "the connection is interrupted; session ids known from before may be stale then";
        throw new ParleyError("interrupted", text);
      }
      const sent = session.connection.outbound.send(Type.MESSAGE, 0, inbox, payload, options);
      return this.#bounded(`session ${sessionId}`, options, sent);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** See `Client.flush`. */
  async flush(options: WaitOptions | undefined): Promise<void> {
    checkOptions("wait", options);
    const wait = new Wait("flush", options, PING_MS);
    while (this.#lost === undefined) {
      const session = await this.#line.session(wait);
      await wait.for(this.#allSent(session));
      if (this.#lost !== undefined || this.#line.current !== session) continue;
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
    for (const name of this.#kept.keys()) await session.channels.get(name)?.ready.catch(() => {});
  }

  /** Throws what no call has reported yet. */
  throwReports(): void {
    const [rejection] = this.#rejections.values();
    const report = this.#lost ?? rejection;
    this.#lost = undefined;
    this.#rejections.clear();
    if (report !== undefined) throw report;
  }

  /** The client is being closed without a connection: what is kept is lost. */
  abandon(error: ParleyError | undefined): void {
    const count = this.keptCount;
    const reason = error ?? new ParleyError("closed", "the client was closed before the message was sent");
    for (const name of [...this.#kept.keys()]) {
      for (const { reject } of this.#take(name)) reject(reason);
    }
    if (count > 0) {
      this.#lost ??= new ParleyError("disconnected", `${countMessages(count)} not sent: the client is over`, {
        cause: error,
      });
    }
  }

  /** The connection broke. Returns how many messages may be lost. */
  interrupted({ connection }: Session, error: ParleyError): number {
    const { unconfirmed } = connection.confirmations;
    if (unconfirmed > 0) {
      const text = `${countMessages(unconfirmed)} may not have reached the server: ${error.message}`;
      this.#lost ??= new ParleyError(error.code, text, { cause: error });
    }
    return unconfirmed;
  }

  /** There is a connection again: opens the channels that messages wait for. Returns how many messages do. */
  resumed(session: Session): number {
    const count = this.keptCount;
    for (const name of this.#kept.keys()) {
      session.openToSend(name).ready.catch((error) => this.#refused(session, name, error));
    }
    return count;
  }

  /** The server rejected a message. */
  rejected(error: ParleyError, name: string, id: number): void {
    if (this.report(error)) return;
    if (id !== 0) return; // for a REPLY: the requester has gone
    if (this.#rejections.size < MAX_REJECTIONS) this.#rejections.set(name, error);
  }

  /** Passes an error to the program's `onError`. Returns whether there is one. */
  report(error: ParleyError): boolean {
    const { onError } = this.#options;
    if (onError === undefined) return false;
    callSafely(() => onError(error));
    return true;
  }

  #takeRejection(name: string): ParleyError | undefined {
    if (this.#rejections.size === 0) return undefined;
    const rejection = this.#rejections.get(name);
    this.#rejections.delete(name);
    return rejection;
  }
}

function forbidden(name: string): ParleyError {
  return new ParleyError("forbidden", `the server does not let this session publish on ${name}`);
}
