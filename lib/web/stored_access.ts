/**
 * What the gateway needs of stored channels besides a client: to store one message and learn its sequence, and to read a
 * part of a channel. The broker's `DirectAccess` is it.
 *
 * @module
 */

/** A message to store. */
export interface MessageToStore {
  readonly channel: string;
  /** The flags of its frame. */
  readonly flags: number;
  /** The payload of its frame. */
  readonly payload: Uint8Array;
  /** Of all messages of the session's subject under this key, one is stored. */
  readonly key: string | undefined;
}

/** Where a message is stored. */
export interface PublishedPlace {
  readonly epoch: string;
  readonly sequence: number;
  /** Whether another message was stored under its key before, which this is the place of. */
  readonly isReplayed: boolean;
}

/** Where to read from. */
export type ReadFrom = "all" | "last" | Date | { readonly sequence: number; readonly epoch?: string };

/** Neighbouring messages of a stored channel. */
export interface StoredRun {
  /** The sequence of the first message. The others follow without gaps. */
  readonly first: number;
  readonly count: number;
  /** Whole frames. */
  readonly bytes: Uint8Array;
  /** When it was stored, in milliseconds since 1970. */
  readonly time?: number;
}

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

/** See the module's comment. Sessions are named by their numbers; what they may not do is refused with a `ParleyError`. */
export interface StoredAccess {
  /** How `channel` is stored, if it is. */
  storage(channel: string): "durable" | "history" | undefined;
  /** Stores a message; resolves when it is stored. */
  publish(session: number, message: MessageToStore, signal: AbortSignal): Promise<PublishedPlace>;
  /** Reads some of what is stored. */
  read(session: number, channel: string, from: ReadFrom): Promise<StoredPart>;
}
