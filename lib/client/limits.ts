/**
 * The client's own limits: every number has its unit in its name and its reason beside it.
 *
 * @module
 */

const KiB = 1024;
const MiB = 1024 * KiB;

/** From calling `connect` to the server's WELCOME. A server waits as long for the HELLO. */
export const CONNECT_MS = 5_000;

/** How long a request waits for its reply: half of what a server allows, so that the requester's own time counts. */
export const REQUEST_MS = 30_000;

/** How long a ping waits for its answer. A server that reads at all answers at once. */
export const PING_MS = 5_000;

/** How many bytes may wait to be written before `publish` delays its caller; some 16 of the largest writes. */
export const PENDING_BYTES = 4 * MiB;

/** Above this many times the pending limit, `publish` throws: the program plainly does not await its promises. */
export const MAX_PENDING_FACTOR = 8;

/**
 * How much one channel queues for its iterator before the connection pauses. 64 of the longest runs: the socket is
 * read while the iterator works, and a channel that is never iterated costs little.
 */
export const QUEUE_BYTES = 1 * MiB;

/**
 * How much all channels of a client queue together while a call waits for its answer. The answer comes behind the
 * messages that wait at the server (16 MiB by default) and in the sockets between. If the connection paused before
 * the answer is there, a loop that sends a request for each message would wait for itself.
 */
export const OVERFLOW_BYTES = 64 * MiB;

/** The largest frame accepted from a server: the most that a server can be set to. Memory grows only as bytes arrive. */
export const MAX_FRAME_BYTES = 64 * MiB;

/**
 * The longest run taken at once. One unread message keeps its whole run in memory. At 16 KiB the cost of a run is
 * already next to nothing for each of its messages.
 */
export const RUN_BYTES = 16 * KiB;

/** Calls that may wait for an answer at once: the ids of the wire, 1 to 65,535. */
export const MAX_ID = 0xffff;

/**
 * How many channel numbers a session remembers: those that a server announces to a pattern can be without end. A server
 * itself forgets a channel that no session has open behind 65,536 others, and announces it again. This is some 16 MiB.
 */
export const MAX_NAMES = 100_000;

/** In how many channels a pattern goes on where it was after a broken connection. Each costs two calls. */
export const MAX_COVERED = 256;

/** How many rejections are kept for the next call on their channel; more of them say nothing new. */
export const MAX_REJECTIONS = 64;

/** Requests that one responder handles at once; more wait in its queue. */
export const CONCURRENCY = 64;

/** After so many bytes a batch of messages for a durable channel is sent, with a receipt; some writes' worth. */
export const BATCH_BYTES = 64 * KiB;

/** Batches on one channel that may wait for their receipts. More messages gather meanwhile into larger ones. */
export const MAX_BATCHES = 1024;

/** How long an ACK waits for others at most. What is acknowledged and not told comes again if the program ends. */
export const ACK_MS = 5;

/** ACKs are gathered for this part of a consumer's window, so that the server goes on sending. */
export const ACK_PARTS = 4;

/** How often the messages in hand are renewed, in parts of the time after which they would be delivered again. */
export const RENEWALS = 3;

/** How long `close` waits for the server to take what was published, and then for the last writes. */
export const CLOSE_MS = 5_000;

/** The longest wait before the first attempt to reconnect. A thousand clients come at a thousand a second at most. */
export const RECONNECT_INITIAL_MS = 1_000;

/** The longest wait before any attempt: a server that is back has its clients within that time. */
export const RECONNECT_MAX_MS = 5_000;

/** How much is kept of what is published while there is no connection. */
export const KEPT_BYTES = 1 * MiB;

/** How often the server is asked what it has taken: a connection that breaks leaves the messages of that time in doubt. */
export const CONFIRM_MS = 1_000;

/** How often silence is checked, in parts of a heartbeat: a PING is at most a quarter late. */
export const HEARTBEAT_PARTS = 4;

/**
 * An outbox reports its peer as a slow consumer after a timeout, and a server then closes it. A client must not: a
 * server may delay a publisher for as long as it likes, and the heartbeat tells whether the server is alive. This is
 * the longest timer.
 */
export const NO_SLOW_CONSUMER_TIMEOUT_MS = 0x7fff_ffff;

/** Text up to a third of this is encoded without allocation. */
export const SCRATCH_BYTES = 16 * KiB;
