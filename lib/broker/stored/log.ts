/**
 * What the broker needs of a log that keeps stored channels: on disk, in memory, or on several machines.
 *
 * Everything is made of *runs*: neighbouring messages of one channel, byte for byte as they were sent. A log never looks
 * into them. Sequences are whole numbers from 1; times are milliseconds since 1970.
 *
 * @module
 */

/** Neighbouring messages of one channel, as they are stored. */
export interface StoredRun {
  /** The sequence of the first message. The others follow without gaps. */
  readonly first: number;
  /** How many messages it has. */
  readonly count: number;
  /** Whole frames. */
  readonly bytes: Uint8Array;
  /** When it was stored; known of a run that was read. */
  readonly time?: number;
}

/** A channel that a log keeps, also while nothing of it is stored: its sequences go on. */
export interface ChannelState {
  readonly name: string;
  /** Its number on the wire, which the stored frames carry. */
  readonly number: number;
  /** Names this series of sequences. */
  readonly epoch: string;
  /** The lowest sequence that is stored; `last + 1` if there is none. */
  readonly first: number;
  readonly last: number;
  /** The size of what is stored, in bytes. */
  readonly bytes: number;
}

/** How much of a channel is stored by one producer. */
export interface ProducerState {
  /** The channel's number. */
  readonly channel: number;
  /** Subject and name, as the broker writes them. */
  readonly producer: string;
  /** Messages of this producer that were stored, ever. */
  readonly stored: number;
}

/** A message that a consumer is not sent again until an operator gives it back. */
export interface SetAside {
  readonly sequence: number;
  /** How often it was delivered. */
  readonly deliveries: number;
  /** When it was set aside. */
  readonly since: number;
}

/** What is kept of one consumer. */
export interface ConsumerState {
  /** The channel's number. */
  readonly channel: number;
  /** Subject and name, as the broker writes them. */
  readonly consumer: string;
  /** Every message up to this sequence has been dealt with. */
  readonly position: number;
  /** Whether an operator has paused it. */
  readonly isPaused: boolean;
  readonly setAside: readonly SetAside[];
}

/** What a log has when it is opened. */
export interface LogState {
  /** The epoch of channels that are stored for the first time. Changes with a restored backup or a deleted channel. */
  readonly epoch: string;
  /** A session number that no stored frame carries, nor any after it. */
  readonly firstSession: number;
  readonly channels: readonly ChannelState[];
  readonly producers: readonly ProducerState[];
  readonly consumers: readonly ConsumerState[];
}

/** A run to store. Its messages get the sequences after the channel's last. */
export interface RunToStore extends StoredRun {
  /** The channel's number. */
  readonly channel: number;
}

/** A message that is stored once under a key, such as an idempotency key. */
export interface StoredKey {
  /** The channel's number. */
  readonly channel: number;
  readonly key: string;
  readonly sequence: number;
}

/** What is to be dropped of one channel. */
export interface Trim {
  /** The channel's number. */
  readonly channel: number;
  /** Drop what is below this sequence. */
  readonly first: number;
  /** Drop the oldest until at most so many bytes are stored. The last message always stays. */
  readonly bytes: number;
  /** Drop what was stored before this time. */
  readonly before: number;
}

/** What two trims of one channel drop together. The later one knows how much may stay. */
export function joinTrims(earlier: Trim | undefined, later: Trim): Trim {
  if (earlier === undefined) return later;
  return {
    channel: later.channel,
    first: Math.max(earlier.first, later.first),
    bytes: later.bytes === Infinity ? earlier.bytes : later.bytes,
    before: Math.max(earlier.before, later.before),
  };
}

/** What is written together: all of it or nothing. */
export interface Commit {
  /** The time of its runs. */
  readonly time: number;
  /** Channels that have nothing stored yet, before the first of their runs; `first` is 1, `last` and `bytes` are 0. */
  readonly channels: readonly ChannelState[];
  readonly runs: readonly RunToStore[];
  readonly producers: readonly ProducerState[];
  /** Each replaces what was known of the consumer. */
  readonly consumers: readonly ConsumerState[];
  /** Consumers that an operator deleted. */
  readonly deletedConsumers: readonly Pick<ConsumerState, "channel" | "consumer">[];
  readonly keys: readonly StoredKey[];
  readonly trims: readonly Trim[];
  /** Numbers of channels that an operator deleted, with all that belongs to them. They go before anything else is done. */
  readonly deletedChannels: readonly number[];
  /** The epoch of channels that are stored for the first time from now on, if it changes. */
  readonly epoch?: string;
  /** See {@linkcode LogState.firstSession}, if it changes. */
  readonly firstSession?: number;
}

/** What a commit has done besides. */
export interface Committed {
  /** Channels that have lost their oldest messages, and what is left of them. */
  readonly trimmed: readonly Pick<ChannelState, "number" | "first" | "bytes">[];
  /** Whether more is to be dropped than one commit should: the same trims must be given again. */
  readonly hasMoreToTrim: boolean;
}

/** A log of stored channels. */
export interface ChannelLog {
  /** What it had when it was opened. */
  readonly state: LogState;
  /**
   * Stores. Called again only after the promise of the call before has settled.
   *
   * Resolves once all of it is on disk to stay. Rejects only if it is certain that nothing of it is stored, or will be
   * found after a restart; until that is certain the promise is pending. The runs' bytes must not change until then.
   */
  commit(commit: Commit): Promise<Committed>;
  /**
   * Reads runs of a channel in order, of at most `maxBytes` together, but at least one: the first that has a message from
   * sequence `from` on, and its neighbours. It may begin before `from`, and end after what was trimmed meanwhile. Returns
   * none if nothing is stored from there on. A damaged run is left out.
   */
  read(channel: number, from: number, maxBytes: number): Promise<readonly StoredRun[]>;
  /** The sequence of the first message that was stored at `time` or later; `last + 1` if there is none. */
  find(channel: number, time: number): Promise<number>;
  /** The sequence under which a message with `key` was stored in the last 24 hours. */
  findKey(channel: number, key: string): Promise<number | undefined>;
  /** Ends it, after the commit under way. */
  close(): Promise<void>;
}
