/**
 * The options of the client's calls.
 *
 * @module
 */

import type { ParleyError } from "../errors.ts";
import type { WebSocketLike } from "../net/web_socket_like.ts";
import type { Header } from "../wire/header.ts";
import type { ClientEvent } from "./events.ts";
import type { ReplyOptions, Request } from "./message_types.ts";

/** How long a call may take as a whole. */
export interface WaitOptions {
  /** Gives up: the call rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** How long the call may take, in milliseconds; Infinity for no limit. Later it rejects with `timed_out`. */
  readonly timeoutMs?: number;
}

/**
 * How one message is sent. `signal` and `timeoutMs` end the wait for room, by default without limit; the message may be
 * sent all the same.
 */
export interface SendOptions extends ReplyOptions, WaitOptions {}

/** How one message is published. On a durable channel, `signal` and `timeoutMs` end the wait until it is stored. */
export interface PublishOptions extends SendOptions {
  /**
   * Publishes as this producer of a durable channel, 1 to 64 of `A-Z a-z 0-9 _ -`: what is in doubt after a broken
   * connection is sent again, and stored once. All messages of a client on one channel are of one producer, or of none.
   * A program that goes on after a restart needs {@linkcode Client.producer}, which says how many are stored.
   */
  readonly producer?: string;
}

/** How a request is sent. The default of `timeoutMs` is 30,000. */
export interface RequestOptions extends SendOptions {}

/**
 * Where a subscription to a stored channel begins: with what is `"new"`, with `"all"` that is stored, with the `"last"`
 * stored message, with a sequence (and the epoch it belongs to, if it is known), or with the first message that was
 * stored at a time or later. What follows comes without a gap.
 */
export type StartingPoint =
  | "new"
  | "all"
  | "last"
  | number
  | Date
  | { readonly sequence: number; readonly epoch?: string };

/** How to subscribe. `signal` also ends the subscription later; `timeoutMs` limits the wait for the server's answer. */
export interface SubscribeOptions extends WaitOptions {
  /** Shares the work: each message goes to one member of the group, in turn. */
  readonly group?: string;
  /** Whether to receive what this client publishes; true by default. */
  readonly echo?: boolean;
  /** Whether to know the other subscribers; a function is also called when one joins or parts. */
  readonly presence?: boolean | ((change: PresenceChange) => void);
  /**
   * Where to begin in a stored channel; `"new"` by default. A pattern takes `"new"` and `"last"` only. For a consumer it
   * counts only if the consumer is new, and is `"all"` by default.
   */
  readonly from?: StartingPoint;
  /**
   * Subscribes to a durable channel as this consumer, 1 to 64 of `A-Z a-z 0-9 _ -`. The server stores the consumer's
   * position: each message is delivered until it is acknowledged with `message.ack()`. Several clients can be one
   * consumer; each message then goes to one of them.
   */
  readonly consumer?: string;
  /** How many messages of the consumer may be here without acknowledgement, 1 to 65,535; 1,024 by default. */
  readonly window?: number;
  /** Whether one client of the consumer gets all messages, and the next one takes over when it ends. */
  readonly exclusive?: boolean;
  /**
   * After how many seconds a message that is neither acknowledged nor renewed is delivered again, 1 to 86,400; 30 by
   * default. While the body of a loop runs, its message and those that wait behind it are renewed.
   */
  readonly ackSeconds?: number;
  /** How often a message is delivered before it is set aside, 1 to 1,000; 0, no limit, by default. */
  readonly deliveries?: number;
}

/** A session joined a channel, or parted from it. */
export interface PresenceChange {
  /** Which of the two. */
  readonly type: "joined" | "parted";
  /** The id of the session, as in `sender` of its messages. */
  readonly sessionId: number;
  /** The session's name. */
  readonly name: string;
}

/** How requests are answered. `signal` stops the responder; `timeoutMs` limits the wait for the server's answer. */
export interface RespondOptions extends WaitOptions {
  /** How many requests are handled at once; 64 by default. Infinity for no limit. */
  readonly concurrency?: number;
  /** Called with each error that the handler throws; `console.error` by default, as in `Deno.serve`. */
  readonly onError?: (error: unknown, request: Request) => void;
}

/** How to reconnect after the connection broke. */
export interface ReconnectOptions {
  /**
   * The longest wait before the first attempt, in milliseconds; 1,000 by default. Each further attempt doubles it. The
   * wait is random between 0 and this, so that the clients of a restarted server do not all come at once.
   */
  readonly initialMs?: number;
  /** The longest wait before any attempt, in milliseconds; 5,000 by default. */
  readonly maxMs?: number;
  /** How long to keep trying, in milliseconds; Infinity by default. */
  readonly giveUpMs?: number;
  /**
   * How many bytes of what is published meanwhile are kept, to be sent in order; 1 MiB by default. Beyond that, `publish`
   * waits until the message is sent, and beyond eight times as much it fails with `backlog_full`. 0 refuses everything
   * at once, as `interrupted`.
   */
  readonly keptBytes?: number;
}

/**
 * Sees every frame: `in` from the server, `out` to it. The payload is valid only during the call; that of a frame which
 * breaks the protocol may be shorter than its header says. `sessionId` is 0 until the WELCOME has been read; it tells the
 * connections of one client apart. The function must not throw.
 */
export type Trace = (way: "in" | "out", header: Header, payload: Uint8Array, sessionId: number) => void;

/** Where to connect to, and as which session. `signal` and `timeoutMs` (5,000 by default) are those of one attempt. */
export interface ConnectOptions extends WaitOptions {
  /**
   * `parley://host:port`, `parleys://host:port` for TLS, or a server's join link; instead of `hostname` and `port`. Or
   * `ws://host:port` and `wss://host:port` for a server with `--web`, whose WebSocket is at `/parley`: the only ones in
   * a browser, where the page's own server is the default. Several are tried in order, and one after the other when the connection breaks.
   */
  readonly url?: string | readonly string[];
  /** Name or address of the server; 127.0.0.1 by default. */
  readonly hostname?: string;
  /** Port of the server, 1 to 65,535; 7253 by default. */
  readonly port?: number;
  /** The session's name for others, 1 to 64 characters; made up by the server by default. */
  readonly name?: string;
  /**
   * The token, for a server that requires one; or a function that fetches one for each attempt to connect. If it throws,
   * `connect` does; later, `onError` is told, and another attempt follows.
   */
  readonly token?: string | (() => string | Promise<string>);
  /** Whether to use TLS; true by default with `parleys://` or `ca`, otherwise false. */
  readonly tls?: boolean;
  /** The certificate authority to trust in addition to the system's, PEM: the content of the server's `ca.pem`. */
  readonly ca?: string;
  /** Whether to send the token to another machine without TLS, where others on the network can read it. */
  readonly insecure?: boolean;
  /** How many bytes may wait to be written before `publish` delays its caller; 4 MiB by default. */
  readonly pendingBytes?: number;
  /** How to reconnect; `false` ends the client when the connection breaks. */
  readonly reconnect?: boolean | ReconnectOptions;
  /** Called when the state of the connection changes. */
  readonly onEvent?: (event: ClientEvent) => void;
  /**
   * Called for each error that answers no call: the server rejected a message, or a reply that came too late; or a
   * message arrived with malformed headers (`bad_payload`), which is then skipped. Without it, a rejected message makes
   * the next `publish` on its channel fail, or at the latest `flush` or `close`. A message with malformed headers makes
   * one iteration fail, and the next one goes on behind it. A rejected reply is ignored, because the requester has gone.
   */
  readonly onError?: (error: ParleyError) => void;
  /** Sees every frame in both directions. */
  readonly trace?: Trace;
  /**
   * Makes the WebSocket for a `ws://` or `wss://` URL; the runtime's own by default. For a runtime without one (Node 20),
   * or one that needs a certificate authority: `(url, subprotocol) => new WebSocket(url, subprotocol, { ca })` with `ws`.
   */
  readonly webSocket?: (url: string, subprotocol: string) => WebSocketLike;
}
