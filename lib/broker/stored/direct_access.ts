/**
 * What a session does on stored channels without frames of its own: HTTP requests are answered in the name of one. It may
 * do what its token allows, at the rate that the server allows each session.
 *
 * @module
 */

import { delay } from "@std/async";
import { isErrorCode, ParleyError } from "../../errors.ts";
import { HEADER_BYTES, type Limits, READ_AHEAD_BYTES } from "../../limits.ts";
import { encodeFrame, Type } from "../../wire/header.ts";
import { channelProblem, isPattern, isServerOwn } from "../../wire/names.ts";
import { ActiveSession } from "../active_session.ts";
import type { Channel } from "../channel.ts";
import { notAllowed, placeProblem, type Refusal, tooManyStored } from "../open_rules.ts";
import type { Router } from "../router.ts";
import { KeyedPublisher } from "./keyed_publisher.ts";
import { keyOf } from "./key.ts";
import type { StoredRun } from "./log.ts";
import type { StoredChannel } from "./stored_channel.ts";
import type { StoredChannels } from "./stored_channels.ts";

/** A message to store. */
export interface MessageToStore {
  readonly channel: string;
  /** The flags of its frame. */
  readonly flags: number;
  /** The payload of its frame. */
  readonly payload: Uint8Array;
  /** Of all messages of the session's subject under this key, one is stored. 1 to 128 visible characters. */
  readonly key: string | undefined;
}

/** Where a message is stored. */
export interface PublishedPlace {
  readonly epoch: string;
  readonly sequence: number;
  /** Whether another message was stored under its key before, which this is the place of. */
  readonly isReplayed: boolean;
}

/** Where to read from; see `StartingPoint` of the client. */
export type ReadFrom = "all" | "last" | Date | { readonly sequence: number; readonly epoch?: string };

/** A part of a stored channel. */
export interface StoredPart {
  readonly epoch: string;
  /** The lowest sequence that is stored, and the highest. */
  readonly first: number;
  readonly last: number;
  /** The sequence to begin with. The runs may begin before it, and end after `last`. */
  readonly from: number;
  readonly runs: readonly StoredRun[];
}

/** See the module's comment. */
export class DirectAccess {
  readonly #router: Router;
  readonly #channels: StoredChannels;
  readonly #publisher: KeyedPublisher;
  readonly #limits: Pick<Limits, "payloadBytes">;

  constructor(router: Router, channels: StoredChannels, limits: Pick<Limits, "payloadBytes">) {
    this.#router = router;
    this.#channels = channels;
    this.#publisher = new KeyedPublisher(channels);
    this.#limits = limits;
  }

  /** How `channel` is stored, if it is. */
  storage(channel: string): "durable" | "history" | undefined {
    return this.#channels.storageNamed(channel);
  }

  /**
   * Stores a message in the name of the session of that number; resolves when it is stored.
   *
   * @throws {ParleyError} `bad_channel`, `forbidden`, `too_large`, `not_durable` for a key on a channel that is not,
   * `limit`, `not_stored`; `closed` if `signal` is aborted before it is given to the store, or the session has ended
   */
  publish(number: number, message: MessageToStore, signal: AbortSignal): Promise<PublishedPlace> {
    return this.#inTheNameOf(number, message.channel, (session) => this.#publish(session, message, signal));
  }

  /**
   * Reads some of what is stored in a channel, in the name of the session of that number.
   *
   * @throws {ParleyError} `bad_channel`, `forbidden`, `epoch_changed`; `bad_payload` if the channel is not stored; `closed`
   * if the session has ended
   */
  read(number: number, name: string, from: ReadFrom): Promise<StoredPart> {
    return this.#inTheNameOf(number, name, (session) => this.#read(session, name, from));
  }

  /** Does something for a session, and counts it among the refusals if it is refused. */
  async #inTheNameOf<T>(
    number: number,
    name: string,
    act: (session: ActiveSession) => Promise<T>,
  ): Promise<T> {
    const session = this.#router.find(number);
    if (!(session instanceof ActiveSession) || session.isEnded) {
      throw new ParleyError("closed", `session ${number} has ended`);
    }
    try {
      return await act(session);
    } catch (error) {
      if (error instanceof ParleyError && isErrorCode(error.code)) {
        this.#router.counters.refusals.add(error.code, error.message, session, name);
      }
      throw error;
    }
  }

  async #publish(
    session: ActiveSession,
    message: MessageToStore,
    signal: AbortSignal,
  ): Promise<PublishedPlace> {
    const { channel: name, flags, payload, key } = message;
    checkName(name);
    if (!session.permissions.mayPublish(name)) throw refused(notAllowed(`publish on ${name}`));
    const { payloadBytes } = this.#limits;
    if (payload.length > payloadBytes) {
      const text = `payload of ${payload.length} bytes; this server takes at most ${payloadBytes}`;
      throw new ParleyError("too_large", text);
    }
    await rate(session, HEADER_BYTES + payload.length, signal);
    return await this.#withChannel(name, async (channel, stored) => {
      if (stored.isNew && this.#channels.isFull) {
        throw refused(tooManyStored());
      }
      if (key !== undefined && !stored.isDurable) {
        throw new ParleyError("not_durable", `${name} is not durable, so a key has no effect there`);
      }
      const header = { type: Type.MESSAGE, flags, channel: channel.number, sender: session.number };
      // A name has no "/", and a key must have none: it would be another subject's key.
      const subject = session.identity?.subject ?? "";
      const full = key === undefined ? undefined : keyOf({ name: encodeURIComponent(key), subject });
      const isWanted = () => !signal.aborted && !session.isEnded;
      const place = await this.#publisher.publish(stored, encodeFrame(header, payload), full, isWanted);
      return { ...place, epoch: stored.epoch };
    });
  }

  async #read(session: ActiveSession, name: string, from: ReadFrom): Promise<StoredPart> {
    checkName(name);
    if (!session.permissions.maySubscribe(name)) throw refused(notAllowed(`subscribe to ${name}`));
    return await this.#withChannel(name, async (_channel, stored) => {
      const place = await this.#place(stored, from);
      const { epoch, first, last, isNew } = stored;
      const start = Math.max(place, first);
      const runs = isNew || start > last ? [] : await stored.read(start, READ_AHEAD_BYTES);
      return { epoch, first, last, from: start, runs };
    });
  }

  /** Keeps the channel open meanwhile, so that its number stays. */
  async #withChannel<T>(
    name: string,
    act: (channel: Channel, stored: StoredChannel) => Promise<T>,
  ): Promise<T> {
    const { channels } = this.#router;
    if (this.storage(name) === undefined) {
      throw new ParleyError("bad_payload", `${name} is not a stored channel`);
    }
    const channel = channels.open(name);
    try {
      return await act(channel, channel.stored!);
    } finally {
      channels.release(channel);
    }
  }

  async #place(channel: StoredChannel, from: ReadFrom): Promise<number> {
    const { first, last } = channel;
    if (from === "all") return first;
    if (from === "last") return Math.max(first, last);
    if (from instanceof Date) {
      return channel.isNew ? last + 1 : await this.#channels.findTime(channel, from.getTime());
    }
    const problem = placeProblem(channel, from);
    if (problem !== undefined) throw refused(problem);
    return from.sequence;
  }
}

function checkName(name: string): void {
  const problem = isPattern(name) ? `${name} is a pattern; name one channel` : channelProblem(name);
  if (problem !== undefined) throw new ParleyError("bad_channel", problem);
  if (isServerOwn(name)) throw new ParleyError("forbidden", `${name} is the server's own`);
}

function refused({ code, message }: Refusal): ParleyError {
  return new ParleyError(code, message);
}

/** Waits until the session's rate allows a message of `bytes`. */
async function rate(session: ActiveSession, bytes: number, signal: AbortSignal): Promise<void> {
  const isUnwanted = () => signal.aborted || session.isEnded;
  for (let waitMs; !isUnwanted() && (waitMs = session.rateWaitMs()) > 0;) {
    await delay(waitMs, { signal }).catch(() => {}); // rejects if the message is not wanted any more
  }
  if (isUnwanted()) throw new ParleyError("closed", "the message is not wanted any more; it is not stored");
  session.spend(bytes);
}
