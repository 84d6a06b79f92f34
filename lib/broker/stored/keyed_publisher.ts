/**
 * Stores single messages that do not come through a session's connection, such as those of HTTP requests, maybe under a
 * key: of all messages of a channel under one key, one is stored, in the same commit as the key.
 *
 * @module
 */

import { ParleyError } from "../../errors.ts";
import type { StoredChannel } from "./stored_channel.ts";
import type { StoredChannels } from "./stored_channels.ts";
import type { Settler } from "./tail.ts";

/** Where a message is stored. */
export interface StoredPlace {
  readonly sequence: number;
  /** Whether another message was stored under its key before, which this is the place of. */
  readonly isReplayed: boolean;
}

/** See the module's comment. */
export class KeyedPublisher {
  readonly #channels: StoredChannels;
  /** What is being stored under keys. */
  readonly #underWay = new Map<string, Promise<StoredPlace>>();

  constructor(channels: StoredChannels) {
    this.#channels = channels;
  }

  /**
   * Stores the message that is the whole frame `frame`, unless one was stored under `key` in the last 24 hours. Calls
   * under one key that come at the same time are joined.
   *
   * @param isWanted asked before the message is given to the store; if not, nothing is stored
   * @throws {ParleyError} `not_stored` if it is certain that it is not stored
   */
  publish(
    channel: StoredChannel,
    frame: Uint8Array,
    key: string | undefined,
    isWanted: () => boolean,
  ): Promise<StoredPlace> {
    if (key === undefined) return this.#store(channel, frame, undefined, isWanted);
    const name = `${channel.epoch} ${channel.name} ${key}`;
    const underWay = this.#underWay.get(name);
    if (underWay !== undefined) return underWay.then(({ sequence }) => ({ sequence, isReplayed: true }));
    // Others wait for the outcome, so the end of the first request must not be theirs: it is stored in any case.
    const stored = this.#storeOnce(channel, frame, key).finally(() => this.#underWay.delete(name));
    this.#underWay.set(name, stored);
    return stored;
  }

  async #storeOnce(channel: StoredChannel, frame: Uint8Array, key: string): Promise<StoredPlace> {
    const { log } = this.#channels.storageOf(channel.policy);
    // A channel that is new to the log has no keys.
    const sequence = channel.isNew ? undefined : await log.findKey(channel.number, key);
    if (sequence !== undefined) return { sequence, isReplayed: true };
    return await this.#store(channel, frame, key, () => true);
  }

  async #store(
    channel: StoredChannel,
    frame: Uint8Array,
    key: string | undefined,
    isWanted: () => boolean,
  ): Promise<StoredPlace> {
    const commits = this.#channels.commitsOf(channel);
    for (let hasRoom = false; !hasRoom;) {
      const { promise, resolve } = Promise.withResolvers<void>();
      hasRoom = commits.hasRoom(frame.length, resolve);
      if (!hasRoom) await promise;
    }
    if (!isWanted()) throw new ParleyError("closed", "the message is not wanted any more; it is not stored");
    const refusal = this.#channels.refusal(channel, frame.length, 1);
    if (refusal !== undefined) throw notStored(channel, refusal);
    const message = new SingleMessage(channel);
    commits.append(channel, frame, 0, frame.length, 1, message, 1); // one that is waited for, as a receipt is
    if (key !== undefined) commits.addKey(channel, key);
    return { sequence: await message.sequence, isReplayed: false };
  }
}

/** The publisher of one message. */
class SingleMessage implements Settler {
  readonly producer = undefined;
  readonly #channel: StoredChannel;
  readonly #outcome = Promise.withResolvers<number>();

  constructor(channel: StoredChannel) {
    this.#channel = channel;
  }

  /** The sequence under which it is stored. */
  get sequence(): Promise<number> {
    return this.#outcome.promise;
  }

  stored(_entry: unknown, sequence: number): void {
    this.#outcome.resolve(sequence);
  }

  notStored(_entry: unknown, reason: string): void {
    this.#outcome.reject(notStored(this.#channel, reason));
  }
}

function notStored({ name }: StoredChannel, reason: string): ParleyError {
  return new ParleyError("not_stored", `${name}: ${reason}`);
}
