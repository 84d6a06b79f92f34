/**
 * What a log of stored channels takes and gives. The broker declares the same shapes, with what they mean, in
 * `lib/broker/stored/log.ts`; the two never import each other, and a test holds them equal.
 *
 * @module
 */

/** Neighbouring messages of one channel. */
export interface StoredRun {
  readonly first: number;
  readonly count: number;
  readonly bytes: Uint8Array;
  readonly time?: number;
}

/** A channel. */
export interface ChannelState {
  readonly name: string;
  readonly number: number;
  readonly epoch: string;
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
}

/** A producer of one channel. */
export interface ProducerState {
  readonly channel: number;
  readonly producer: string;
  readonly stored: number;
}

/** A consumer of one channel. */
export interface ConsumerState {
  readonly channel: number;
  readonly consumer: string;
  readonly position: number;
  readonly isPaused: boolean;
  readonly setAside: readonly {
    readonly sequence: number;
    readonly deliveries: number;
    readonly since: number;
  }[];
}

/** What a log has when it is opened. */
export interface LogState {
  readonly epoch: string;
  readonly firstSession: number;
  readonly channels: readonly ChannelState[];
  readonly producers: readonly ProducerState[];
  readonly consumers: readonly ConsumerState[];
}

/** What is to be dropped of one channel. */
export interface Trim {
  readonly channel: number;
  readonly first: number;
  readonly bytes: number;
  readonly before: number;
}

/** What is written together. */
export interface Commit {
  readonly time: number;
  readonly channels: readonly ChannelState[];
  readonly runs: readonly (StoredRun & { readonly channel: number })[];
  readonly producers: readonly ProducerState[];
  readonly consumers: readonly ConsumerState[];
  readonly deletedConsumers: readonly { readonly channel: number; readonly consumer: string }[];
  readonly keys: readonly { readonly channel: number; readonly key: string; readonly sequence: number }[];
  readonly trims: readonly Trim[];
  readonly deletedChannels: readonly number[];
  readonly epoch?: string;
  readonly firstSession?: number;
}

/** A commit on its way to the thread that writes: lists that are stored already are left out. */
export interface SentCommit extends Omit<Commit, "consumers"> {
  readonly consumers: readonly (Omit<ConsumerState, "setAside"> & Partial<Pick<ConsumerState, "setAside">>)[];
}

/** What a commit has done besides. */
export interface Committed {
  readonly trimmed: readonly { readonly number: number; readonly first: number; readonly bytes: number }[];
  readonly hasMoreToTrim: boolean;
}

/** Runs that were read, in the form in which they pass from thread to thread at the least cost. */
export interface ReadRuns {
  /** For each run its first sequence, its count, its time and its size. */
  readonly runs: Float64Array<ArrayBuffer>;
  /** The bytes of all of them. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly damaged: readonly DamagedRun[];
}

/** A run that cannot be read, or whose checksum is wrong. */
export interface DamagedRun {
  /** The channel's number and name. */
  readonly channel: number;
  readonly name: string;
  readonly first: number;
  readonly last: number;
}

/** A step of verifying. */
export interface Verified {
  /** The run that was looked at last: the next step begins after it. */
  readonly after: Place;
  /** Bytes looked at. */
  readonly size: number;
  readonly damaged: readonly DamagedRun[];
  /** Ranges of which nothing is stored, between others of which something is. */
  readonly missing: readonly DamagedRun[];
  readonly isDone: boolean;
}

/** A place in the order in which a store is verified. */
export interface Place {
  readonly series: number;
  readonly first: number;
}
