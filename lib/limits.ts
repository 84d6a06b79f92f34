/**
 * Every limit and deadline of Parley, with its unit in its name and its reason beside it.
 *
 * Constants are part of the protocol or follow from it. {@linkcode Limits} are those that a server can be configured
 * with, {@linkcode DEFAULT_LIMITS} their defaults.
 *
 * @module
 */

export * from "./limits/security.ts";
export * from "./limits/stored.ts";
export * from "./limits/web.ts";
export * from "./limits/gateway.ts";
import { MAX_HISTORY_BYTES, MAX_STORE_BYTES } from "./limits/stored.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** A frame's header (docs/protocol.md, "Frame"). */
export const HEADER_BYTES = 16;

/**
 * A control payload of a client, HELLO included: a name and at most one token (8 KiB). A client that has not been
 * accepted yet cannot make the server hold more than this.
 */
export const MAX_CONTROL_BYTES = 16 * KiB;

/** The payload of a PING: enough for a clock and a nonce, and too small to abuse the answer. */
export const MAX_PING_BYTES = 125;

/** A sequence of a stored channel, a u64. */
export const SEQUENCE_BYTES = 8;

/** A session's name, in Unicode code points; fits a terminal column. */
export const MAX_NAME_LENGTH = 64;

/** A channel name or pattern, in bytes; it is ASCII, so also in characters. */
export const MAX_CHANNEL_BYTES = 128;

/** Segments of a channel name or pattern. Each may double the patterns that have to be looked at for one name. */
export const MAX_CHANNEL_SEGMENTS = 16;

/** A block of message headers, in bytes: its length field is a u16. */
export const MAX_MESSAGE_HEADERS_BYTES = 65_535;

/** The highest session or channel number: the top bit of the channel field marks an inbox. */
export const MAX_NUMBER = 0x7fff_ffff;

/** How many members an OPENED lists; `count` has all. 1,000 names of 64 characters stay under 1 MiB. */
export const MAX_LISTED_MEMBERS = 1000;

/** The port of Parley. No service that is in common use is registered for it. */
export const DEFAULT_PORT = 7253;

/** The largest payload of a message. Larger things belong in a file store, and their address in a message. */
export const MAX_PAYLOAD_BYTES = 1 * MiB;

/** Bytes that may be pending for one session: some seconds of a fast publisher, but not the memory of the server. */
export const MAX_PENDING_BYTES = 16 * MiB;

/**
 * Above the pending bound, for what is sent to a peer without asking it first: ERROR, PONG, BYE. Room for what one event
 * causes at most: `responder_gone` for each of the 16,384 requests of one responder, or an OPENED with 1,000 long names.
 */
export const CONTROL_RESERVE_BYTES = 2 * MiB;

/** Channels and patterns one session may have open. */
export const MAX_CHANNELS_PER_SESSION = 1024;

/**
 * REQUESTs of one session that wait for their REPLY: as many as there are ids, some 10 MiB. A request that the client has
 * given up still counts until the request time is over, so a session may give up a thousand a second.
 */
export const MAX_REQUESTS_PER_SESSION = 65_535;

/** Requests that one responder has yet to answer. When it ends, each of them costs an ERROR. */
export const MAX_RECEIVED_REQUESTS = 16_384;

/** Requests of all sessions together that wait for their reply; some 150 bytes each. */
export const MAX_REQUESTS = 1_048_576;

/** Requests of one session to the server itself, such as `$stats.now`, that may be under way. */
export const MAX_SERVER_REQUESTS = 16;
/** What such a request may hold, in bytes: some names and numbers. */
export const MAX_SERVER_ASK_BYTES = 4 * KiB;

/** How long making a list may hold up the event loop at a time: messages wait no longer than for other work. */
export const MONITOR_SLICE_MS = 2;

/** How long after the last look at `$stats` things are measured that cost something. */
export const MONITOR_IDLE_MS = 60_000;

/** How much of the past is sampled, in seconds: 900 samples of 8 numbers are 57 KiB. */
export const HISTORY_SECONDS = 900;

/** The delay of the event loop is measured with a timer of so many milliseconds, while a session asks for it. */
export const LOOP_PROBE_MS = 50;

/** ERROR frames of which a server remembers what they said, to show the last ones. */
export const REMEMBERED_REFUSALS = 100;

/**
 * Work in one turn of the event loop, in units of about 50 ns: one for each outbox, tree node or entry that is touched.
 * Beyond it sessions wait for the next turn, so no session makes the others wait much longer than 5 ms.
 */
export const WORK_PER_TURN = 65_536;

/**
 * Paused sessions that resume in one turn of the event loop, about as many as may finish an operation in it: each may
 * bring a whole read buffer to pass on, which the work budget does not count.
 */
export const CALLS_PER_TURN = 128;

/** Routes kept for channels that patterns alone cover; each holds as many entries as sessions receive there. */
export const MAX_SHARED_ROUTES = 1024;

/** Channels looked at in each sweep for a route that no longer holds. */
export const CHANNELS_PER_SWEEP = 4096;

/** Channels of which is counted at once what was sent on them; so many take some 2 ms. */
export const CHANNELS_PER_SETTLE = 16_384;

/** Channel numbers a session is remembered to have been told without opening the channel. Beyond it is told again. */
export const MAX_TOLD_NUMBERS = 1024;

/** Names that no session has open, but that keep their numbers; 65,536 of 128 bytes are some 16 MiB. */
export const MAX_IDLE_CHANNELS = 65_536;

/** Connections in all, before and after HELLO. Each costs a descriptor and some 10 KiB. */
export const MAX_CONNECTIONS = 10_000;

/** Connections of one address, so that one machine cannot take them all. Behind a NAT many machines share one. */
export const MAX_CONNECTIONS_PER_ADDRESS = 4096;

/** Rejected connections that are still read from, so that the client learns why. Further ones are just closed. */
export const MAX_REJECTED_CONNECTIONS = 128;

/** Silence after which a side sends PING. Twice that ends the session. */
export const HEARTBEAT_SECONDS = 30;

/** From accepting a connection to its whole HELLO: enough for a slow network, and a silent client is soon gone. */
export const HANDSHAKE_MS = 5_000;

/** The time in which a slow consumer must make progress; see {@linkcode MIN_PROGRESS_SHARE}. */
export const SLOW_CONSUMER_TIMEOUT_MS = 5_000;

/** The part of the pending limit that a session must take within the slow consumer timeout while a publisher waits. */
export const MIN_PROGRESS_SHARE = 16;

/** What may wait for all sessions together, unless told otherwise; the program takes a quarter of the memory instead. */
export const MAX_PENDING_TOTAL_BYTES = 1024 * MiB;

/** Answers to a session's own frames, such as those of `$echo`, may fill this part of what may be pending for it. */
export const ANSWERS_SHARE = 16;

/** How soon after a deadline it is confirmed, once what had arrived by then has been read; see `deadline.ts`. */
export const DEADLINE_CONFIRM_MS = 50;

/** How long a responder has to REPLY. */
export const REQUEST_MS = 60_000;

/** How long a shutdown waits until pending bytes are written. */
export const DRAIN_MS = 5_000;

/**
 * How long a connection is read from after its last frame was written. What comes is thrown away: closing with unread
 * bytes would make TCP reset the connection, and the client would not see why it was closed.
 */
export const LINGER_MS = 1_000;
/** How many bytes are read and thrown away meanwhile; see {@linkcode LINGER_MS}. */
export const LINGER_BYTES = 4 * MiB;

/** How long operations on a closed socket may take to fail. On runtimes older than 2.9.5 they never do. */
export const CANCEL_MS = 100;

/**
 * The sizes of read and write buffers. The smallest is what an idle session waits with. With the largest, one system
 * call moves 8 thousand messages of 16 bytes; a larger one brought nothing more.
 */
export const BUFFER_BYTES: readonly number[] = [256, 4 * KiB, 16 * KiB, 64 * KiB, 256 * KiB];

/** Smaller read buffers are not shared with outboxes: copying them costs less than counting their users. */
export const MIN_SHARED_BYTES = 16 * KiB;

/** Free buffers kept per size: 64 of each are at most some 22 MiB. */
export const MAX_FREE_BUFFERS = 64;

/** What one direction of a connection within this process holds: about as much as the system's sockets do at least. */
export const MEMORY_SOCKET_BYTES = 64 * KiB;
/** What is read from it in one turn of the event loop, so that a long stream leaves time for everything else. */
export const MEMORY_SOCKET_BYTES_PER_TURN = 256 * KiB;

/** Above this many bytes lent to connections that are not silent, reads get less; see `lib/net/buffers.ts`. */
export const MAX_LENT_BYTES = 64 * MiB;

/** What a read gets at most then: more than half of the throughput, and 160 MiB for 10,000 connections. */
export const SCARCE_READ_BYTES = 16 * KiB;

/** After this many ticks in which nothing came, a connection counts as silent. */
export const IDLE_READ_TICKS = 2;

/** The longest run handed on at once: what one subscriber must have room for, unless a single frame is longer. */
export const MAX_RUN_BYTES = 256 * KiB;

/**
 * A turn of the event loop in which so many operations finish is crowded (the runtime finishes at most 128); see
 * `lib/net/read_scheduler.ts`. In other turns every connection that is ready is read from.
 */
export const CROWDED_OPERATIONS = 120;

/**
 * Connections that are read from at once while turns are crowded. Their reads and writes are half of what the runtime
 * finishes in a turn, so the other half is left for everything else. Measured: 20 to 40 perform alike.
 */
export const SLICE_READERS = 30;

/** Turns without a wait after which the runtime has polled the sockets: its scheduler does so after 61. */
export const TURNS_TO_POLL = 64;

/** The wait after accepting has failed, most likely because descriptors have run out. It doubles each time. */
export const ACCEPT_BACKOFF_MS = 20;
/** The longest such wait; see {@linkcode ACCEPT_BACKOFF_MS}. */
export const MAX_ACCEPT_BACKOFF_MS = 1_000;

/** How often deadlines of several seconds (heartbeat, requests) are checked. */
export const SWEEP_MS = 1_000;

/** What one server can be configured with; the ranges are in `lib/config/limit_ranges.ts`. All are whole numbers. */
export interface Limits {
  /** Largest payload of a message, in bytes. */
  payloadBytes: number;
  /** Bytes that may be pending for one session; at least one whole frame. */
  pendingBytes: number;
  /** What may wait for all sessions together, in bytes, frames that have not come whole included. */
  pendingTotalBytes: number;
  /** Channels and patterns one session may have open. */
  channels: number;
  /** REQUESTs of one session that may wait for an answer, at most 65,535. */
  requests: number;
  /** Connections in all. */
  connections: number;
  /** Connections of one address. */
  connectionsPerAddress: number;
  /** Messages that one session may send in a second; 0 is no limit. Enforced by reading more slowly. */
  messagesPerSecond: number;
  /** Bytes that one session may send in a second, headers included; 0 is no limit. */
  bytesPerSecond: number;
  /** Silence before a PING, in seconds. */
  heartbeatSeconds: number;
  /** Time for a whole HELLO, in milliseconds. */
  handshakeMs: number;
  /** Time in which a slow consumer must make progress, in milliseconds; see {@linkcode MIN_PROGRESS_SHARE}. */
  slowConsumerTimeoutMs: number;
  /** Time for a REPLY, in milliseconds. */
  requestMs: number;
  /** Time a shutdown waits for unwritten bytes, in milliseconds. */
  drainMs: number;
  /** What all durable channels together may take on disk, in bytes. */
  storeBytes: number;
  /** What the history of all channels together may take in memory, in bytes. */
  historyBytes: number;
}

/** The default limits. */
export const DEFAULT_LIMITS: Readonly<Limits> = {
  payloadBytes: MAX_PAYLOAD_BYTES,
  pendingBytes: MAX_PENDING_BYTES,
  pendingTotalBytes: MAX_PENDING_TOTAL_BYTES,
  channels: MAX_CHANNELS_PER_SESSION,
  requests: MAX_REQUESTS_PER_SESSION,
  connections: MAX_CONNECTIONS,
  connectionsPerAddress: MAX_CONNECTIONS_PER_ADDRESS,
  messagesPerSecond: 0,
  bytesPerSecond: 0,
  heartbeatSeconds: HEARTBEAT_SECONDS,
  handshakeMs: HANDSHAKE_MS,
  slowConsumerTimeoutMs: SLOW_CONSUMER_TIMEOUT_MS,
  requestMs: REQUEST_MS,
  drainMs: DRAIN_MS,
  storeBytes: MAX_STORE_BYTES,
  historyBytes: MAX_HISTORY_BYTES,
};

if (MAX_CONTROL_BYTES > MAX_PAYLOAD_BYTES || MAX_RUN_BYTES > MAX_PENDING_BYTES) {
  throw new Error("lib/limits.ts contradicts itself: a constant outgrew the one above it");
}
