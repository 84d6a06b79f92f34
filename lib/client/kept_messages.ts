/**
 * Messages that wait until they can be sent: for their channel, for a connection, or for a part of the client that is
 * being loaded.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import type { Welcome } from "../wire/client_control.ts";
import { checkSize, type EncodedMessage, encodeMessage } from "./frame_writer.ts";
import type { Payload, ReplyOptions } from "./message_types.ts";
import { type Settleable, WatchedPromise } from "./waiting.ts";

/** A message that waits. Its promise settles when it is sent. */
export interface Kept extends EncodedMessage, Settleable {
  /** Whether the caller was told already that it is kept. */
  isPromised: boolean;
}

/** What one client keeps. */
export class KeptMessages {
  /** Their size. */
  bytes = 0;
  /** By channel, in order. */
  readonly #byChannel = new Map<string, Kept[]>();

  /** How many there are. */
  get count(): number {
    let count = 0;
    for (const list of this.#byChannel.values()) count += list.length;
    return count;
  }

  /** The channels that messages wait for. A copy: what is done with each may change them. */
  get channels(): readonly string[] {
    return [...this.#byChannel.keys()];
  }

  /** Whether messages wait for a channel. */
  has(channel: string): boolean {
    return this.#byChannel.has(channel);
  }

  /** Those that wait for a channel. */
  of(channel: string): readonly Kept[] {
    return this.#byChannel.get(channel) ?? [];
  }

  /**
   * Makes a copy of a message, which counts until `forget`.
   *
   * @param welcome has the server's limit; undefined while there is no connection
   * @param maxBytes how much may be kept
   * @throws {ParleyError} `bad_argument`, `too_large`, `backlog_full`
   */
  copy(
    payload: Payload,
    options: ReplyOptions | undefined,
    welcome: Welcome | undefined,
    maxBytes: number,
  ): Kept {
    const { flags, bytes } = encodeMessage(payload, options);
    if (welcome !== undefined) checkSize(bytes.length, welcome.limits.payload);
    if (this.bytes > 0 && this.bytes + bytes.length > maxBytes) {
      const text = `${this.bytes} bytes wait to be sent; await the promise that publish returns`;
      throw new ParleyError("backlog_full", text);
    }
    this.bytes += bytes.length;
    const own = bytes === payload ? bytes.slice() : bytes;
    return { flags, bytes: own, ...WatchedPromise.pending(), isPromised: false };
  }

  /** A copy counts no longer. */
  forget({ bytes }: Kept): void {
    this.bytes -= bytes.length;
  }

  /** Adds a copy to those that wait for a channel. */
  add(channel: string, kept: Kept): void {
    const list = this.#byChannel.get(channel);
    if (list === undefined) this.#byChannel.set(channel, [kept]);
    else list.push(kept);
  }

  /** Takes out those that wait for a channel. */
  take(channel: string): readonly Kept[] {
    const list = this.of(channel);
    this.#byChannel.delete(channel);
    for (const message of list) this.forget(message);
    return list;
  }
}

/** Passes on what became of a message. `unreported` is called with an error that no call learns of. */
export function follow(
  { promise, resolve, reject }: Kept,
  stored: Promise<void>,
  unreported: (error: ParleyError) => void,
): void {
  stored.then(resolve, (error) => {
    if (!promise.isWatched) unreported(error);
    reject(error);
  });
}
