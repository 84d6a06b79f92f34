/**
 * What the client bounds by itself: every number with its unit in its name and its reason beside it.
 *
 * @module
 */

const KiB = 1024;
const MiB = 1024 * KiB;

/** From calling `connect` to the server's WELCOME; as long as the server waits for our HELLO. */
export const CONNECT_MS = 5_000;

/** How long a request waits for its reply; half of what a server allows, so that the asker decides, not the server. */
export const REQUEST_MS = 30_000;

/** How long a ping waits for its answer. A server that reads at all answers at once. */
export const PING_MS = 5_000;

/** What may wait to be written before `publish` asks its caller to wait; some 16 of the largest writes. */
export const PENDING_BYTES = 4 * MiB;

/** Above so many times the pending bound, `publish` refuses: its promises are plainly not awaited. */
export const MAX_PENDING_FACTOR = 8;

/**
 * What one channel may hold for its iterator before the connection is held: four of the longest runs, so that the
 * socket is read while the iterator works, and a channel nobody reads costs little.
 */
export const QUEUE_BYTES = 1 * MiB;

/**
 * What all channels of a client may hold together while an answer is awaited. The answer comes behind the messages
 * that wait for us at the server (16 MiB by default) and in the sockets between; holding the connection before it is
 * there would make a loop that asks a question for each message wait for itself.
 */
export const OVERFLOW_BYTES = 64 * MiB;

/** The largest frame taken from a server: what a server may at most be set to. Only what really comes is stored. */
export const MAX_FRAME_BYTES = 64 * MiB;

/**
 * The longest run taken at once: what a message that is kept without reading it keeps in memory. At 16 KiB, what is paid
 * once a run is already next to nothing for each of its messages.
 */
export const RUN_BYTES = 16 * KiB;

/** Answers that may be outstanding at once: the ids of the wire, 1 to 65,535. */
export const MAX_ID = 0xffff;

/** How many refusals are remembered for the next call on their channel; more tell nothing new. */
export const MAX_REJECTIONS = 64;

/** Requests one responder works on at once; more wait in its queue. */
export const CONCURRENCY = 64;

/** How long `close` waits for the server to have dealt with what was published, and then for the last writes. */
export const CLOSE_MS = 5_000;

/** How often silence is looked at, as a part of the heartbeat: a PING is at most a quarter late. */
export const HEARTBEAT_PARTS = 4;

/**
 * An outbox calls its peer slow after a grace time, and a server then closes it. A client must not: a server may hold
 * a publisher back for as long as it likes, and whether it is alive is the heartbeat's question. The longest timer.
 */
export const NO_SLOW_CONSUMER_TIMEOUT_MS = 0x7fff_ffff;

/** Text up to a third of this is encoded without allocating. */
export const SCRATCH_BYTES = 16 * KiB;
