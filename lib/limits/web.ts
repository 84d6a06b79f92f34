/**
 * The limits of the web server, and of WebSockets at either end.
 *
 * @module
 */

const KiB = 1024;
const MiB = 1024 * KiB;

/** Where a server has its WebSocket. */
export const WEB_SOCKET_PATH = "/parley";

/**
 * The largest message of a WebSocket that a client sends: enough for its cost to be next to nothing for each frame. A
 * server takes no larger one before WELCOME: a message is held until it has come whole, and strangers must cost little.
 * From then on a frame of any length fits a message, and so much beside it.
 */
export const WEB_SOCKET_MESSAGE_BYTES = 64 * KiB;

/**
 * Before WELCOME, the pieces in which a message of a WebSocket may come, and the answers to pings that may wait: a message of 64 KiB in
 * packets of a slow network is fewer than 200.
 */
export const MAX_WEB_SOCKET_PIECES = 1024;

/** What a WebSocket may hold before a client hands it no more: a fast network never waits, and little is in flight. */
export const WEB_SOCKET_BUFFERED_BYTES = 1 * MiB;

/** How often a client asks a WebSocket that holds so much whether it has room. Browsers do not wait for less. */
export const WEB_SOCKET_POLL_MS = 4;

/** What a client over a WebSocket keeps of what the program does not take: as much as a server keeps by default. */
export const WEB_SOCKET_UNREAD_BYTES = 16 * MiB;

/** What a connection to the web server reads at once: a request, and no more than that while it is idle. */
export const MIN_HTTP_READ_BYTES = 2 * KiB;

/** The largest such read, for bodies and WebSockets that send without a pause. */
export const MAX_HTTP_READ_BYTES = 64 * KiB;

/** The head of a request: a token (8 KiB), and what browsers send besides. */
export const MAX_HTTP_HEAD_BYTES = 16 * KiB;

/** Requests of one connection that may wait for the one before: browsers send none, and each holds memory. */
export const MAX_PIPELINED_REQUESTS = 16;

/** How long a connection to the web server may be idle between two requests, in seconds. */
export const HTTP_IDLE_SECONDS = 15;

/** How long the body of a request may take, in seconds: 1 MiB on a bad mobile network. */
export const HTTP_BODY_SECONDS = 30;

/** How long a peer may take nothing of a response, in seconds. Event streams have deadlines of their own as well. */
export const HTTP_WRITE_SECONDS = 30;
