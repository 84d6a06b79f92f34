/**
 * The limits of stored channels.
 *
 * @module
 */

const KiB = 1024;
const MiB = 1024 * KiB;

/** Bytes that may wait to be stored, of all channels together; beyond it publishers are paused. */
export const MAX_UNSTORED_BYTES = 16 * MiB;

/**
 * A commit that took at least so long, in milliseconds, is followed by one that waits for publishers; see `Gathering`.
 * Behind quicker ones it gains nothing: where a sync takes 0.2 ms, 64 producers were 0.8 to 0.9 times as fast.
 */
export const COMMIT_GATHER_FROM_MS = 1;

/** How long it waits at most, as a share of the time that the commit before it took. */
export const COMMIT_GATHER_SHARE = 1 / 2;

/** How long it waits at most, in milliseconds: a disk that stands still for a while is no reason to wait for as long. */
export const MAX_COMMIT_GATHER_MS = 10;

/** With so many bytes it does not wait: then they are what it costs, and not the sync. */
export const COMMIT_GATHER_BYTES = 64 * KiB;

/** Commits in a row that do not wait because publishers have not come back before, at most. */
export const MAX_COMMITS_UNGATHERED = 16;

/** The longest run that is stored as one row: what a reader must have room for, and what one damaged row costs. */
export const MAX_STORED_RUN_BYTES = 256 * KiB;

/** What a reader that catches up is given at once. */
export const READ_AHEAD_BYTES = 1 * MiB;

/** Channels that may be stored; some 300 bytes of memory each. Their sequences go on, so they are never forgotten. */
export const MAX_STORED_CHANNELS = 65_536;

/** Producers of all channels together; some 150 bytes of memory each. */
export const MAX_PRODUCERS = 65_536;

/** Consumers of all channels together. */
export const MAX_CONSUMERS = 16_384;

/** Receipts that one session may wait for. Beyond it the session is paused. */
export const MAX_RECEIPTS = 16_384;

/** The window of a consumer's session, if it does not say. */
export const DEFAULT_WINDOW = 1024;

/** The largest such window. */
export const MAX_WINDOW = 65_535;

/** How long a message may go without an ACK before it is delivered again, in seconds, if the consumer does not say. */
export const DEFAULT_ACK_SECONDS = 30;

/** The longest such time. */
export const MAX_ACK_SECONDS = 86_400;

/** The highest limit of deliveries of one message. */
export const MAX_DELIVERIES = 1000;

/** Messages of one consumer that wait for the time of a NAK. With so many, delivery to the consumer pauses. */
export const MAX_DELAYED = 65_535;

/**
 * Messages of one consumer that may be set aside. With so many, delivery to the consumer pauses. All of them are written
 * when one is added: some 10 ms for so many.
 */
export const MAX_SET_ASIDE = 10_000;

/** What is kept of runs that consumers have read and not yet sent, of all consumers together. Beyond it they read again. */
export const MAX_CONSUMER_READ_AHEAD_BYTES = 64 * MiB;

/** How long the position of a consumer may wait to be stored: it changes with every ACK, and each commit costs a sync. */
export const CONSUMER_STATE_MS = 100;

/** The grain of the times at which messages are delivered again, so that what is sent within it is one range. */
export const REDELIVERY_GRAIN_MS = 50;

/** How long a key under which a message was stored is remembered. */
export const KEY_MS = 24 * 3600 * 1000;

/** How many messages of a channel with history are kept, unless told otherwise. */
export const HISTORY_MESSAGES = 10_000;

/** What the durable channels may take on disk, and the history in memory, unless told otherwise. */
export const MAX_STORE_BYTES = 10 * 1024 * MiB;
/** See {@linkcode MAX_STORE_BYTES}. */
export const MAX_HISTORY_BYTES = 64 * MiB;

/** Stored channels looked at in each sweep for messages that are too old, and whether they are still read. */
export const KEPT_CHANNELS_PER_SWEEP = 1024;

/** Session numbers reserved at a time: a server with durable channels goes on after them when it starts again. */
export const SESSIONS_RESERVED = 1_048_576;

/** The page size of the store: 4 KiB make large runs a quarter slower, 16 KiB double what a small commit writes. */
export const STORE_PAGE_BYTES = 8 * KiB;

/** Pages of the write-ahead log after which it is checkpointed: 16 MiB. */
export const STORE_WAL_PAGES = 2000;

/** The wait before a store whose disk failed is tried again, in milliseconds. It doubles each time. */
export const STORE_RETRY_MS = 20;
/** The longest such wait; see {@linkcode STORE_RETRY_MS}. */
export const MAX_STORE_RETRY_MS = 5_000;

/** How long a checkpoint waits for a reader to let go of the write-ahead log. */
export const STORE_BUSY_MS = 10_000;

/** SQLite's page cache, per connection, in KiB. Runs are read once, so more brings nothing. */
export const STORE_CACHE_KIB = 8 * 1024;

/** Rows that one commit removes at most, if it does not add more, so that it takes a few milliseconds longer at most. */
export const TRIMMED_ROWS_PER_COMMIT = 256;
/** Bytes of runs that one commit removes at most; see {@linkcode TRIMMED_ROWS_PER_COMMIT}. */
export const TRIMMED_BYTES_PER_COMMIT = 4 * MiB;

/** The pause between two steps in which what a deleted channel has left is removed, in milliseconds. */
export const STORE_TIDY_MS = 10;

/** How long the lock of a store is waited for: the server before may be about to end. In milliseconds. */
export const STORE_LOCK_WAIT_MS = 1_000;

/** How long the end of a server waits for a store whose disk does not answer, in milliseconds. */
export const STORE_CLOSE_MS = 5_000;

/** How much of a store is verified in one step, between two reports of the progress. */
export const VERIFY_STEP_BYTES = 8 * MiB;

/** How often a backup says how far it is, in milliseconds. */
export const BACKUP_PROGRESS_MS = 200;
