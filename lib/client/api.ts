/**
 * The client's public interfaces: its options, and what a program can do with a client, a channel and a message.
 *
 * @module
 */

import type { ParleyError } from "../errors.ts";
import type { Header } from "../wire/header.ts";
import type { MessageHeaders } from "../wire/message_headers.ts";

/**
 * What a payload is: any bytes, UTF-8 text, or JSON. The sender declares it, and the server does not check it.
 */
export type ContentKind = "bytes" | "text" | "json";

/** What can be sent: text, bytes, or any value that JSON can hold. */
export type Payload = string | Uint8Array | { readonly json: unknown };

/** How one message is sent. */
export interface PublishOptions {
  /** The content kind, if it is not the one that the payload's type suggests, such as text that is in a `Uint8Array`. */
  readonly kind?: ContentKind;
  /**
   * Message headers, such as `{ traceparent: "00-..." }`: names in lower case, at most 65,535 bytes of JSON together.
   * They count towards the server's limit on the payload.
   */
  readonly headers?: MessageHeaders;
}

/**
 * Sees every frame: `in` from the server, `out` to it. The payload is valid only during the call. The function must
 * not throw.
 */
export type Trace = (way: "in" | "out", header: Header, payload: Uint8Array) => void;

/** Where to connect to, and as which session. */
export interface ConnectOptions {
  /** `parley://host:port`, `parleys://host:port` for TLS, or a server's join link; instead of `hostname` and `port`. */
  readonly url?: string;
  /** Name or address of the server; 127.0.0.1 by default. */
  readonly hostname?: string;
  /** Port of the server, 1 to 65,535; 7253 by default. */
  readonly port?: number;
  /** The session's name for others, 1 to 64 characters; made up by the server by default. */
  readonly name?: string;
  /** The token, for a server that requires one. */
  readonly token?: string;
  /** Whether to use TLS; true by default with `parleys://` or `ca`, otherwise false. */
  readonly tls?: boolean;
  /** The certificate authority to trust in addition to the system's, PEM: the content of the server's `ca.pem`. */
  readonly ca?: string;
  /** Whether to send the token to another machine without TLS, where others on the network can read it. */
  readonly insecure?: boolean;
  /** How long connecting and the server's welcome may take together, in milliseconds; 5,000 by default. */
  readonly timeoutMs?: number;
  /** How many bytes may wait to be written before `publish` delays its caller; 4 MiB by default. */
  readonly pendingBytes?: number;
  /**
   * Called for each error that answers no call: the server rejected a message, or a reply that came too late; or a
   * message arrived with malformed headers (`bad_payload`), which is then skipped. Without it, a rejected message makes
   * the next call on its channel fail, or at the latest `close`. A message with malformed headers makes one iteration
   * fail, and the next one goes on behind it. A rejected reply is ignored, because the requester has gone.
   */
  readonly onError?: (error: ParleyError) => void;
  /** Sees every frame in both directions. */
  readonly trace?: Trace;
}

/** How a channel is opened. */
export interface OpenOptions {
  /** Whether to receive the channel's messages; true by default. A subscribed channel must be iterated. */
  readonly subscribe?: boolean;
  /** Shares the work: each message goes to one member of the group, in turn. */
  readonly group?: string;
  /** Whether to receive this session's own messages; true by default. */
  readonly echo?: boolean;
  /** Whether to know the other subscribers; a function is also called when one joins or parts. */
  readonly presence?: boolean | ((change: PresenceChange) => void);
}

/** A session joined a channel, or parted from it. */
export interface PresenceChange {
  /** Which of the two. */
  readonly type: "joined" | "parted";
  /** The session's number, as in `sender` of its messages. */
  readonly number: number;
  /** The session's name. */
  readonly name: string;
}

/** A received message. The program may keep it and its payload. */
export interface Message {
  /** The name of its channel; for a reply, the channel of the request; `$inbox` for a direct message. */
  readonly channel: string;
  /** The number of that channel; 0 for a direct message. */
  readonly number: number;
  /** The number of the session that sent it, checked by the server; 0 is the server itself. */
  readonly sender: number;
  /** What the sender declares the payload to be. */
  readonly kind: ContentKind;
  /** The message headers; empty if it was sent without. */
  readonly headers: MessageHeaders;
  /** The payload, without the message headers. */
  readonly payload: Uint8Array;
  /** Whether the sender waits for a reply: true in a handler, see `Client.respond`. */
  readonly isRequest: boolean;
  /** The payload as text; bytes that are not UTF-8 become U+FFFD. */
  text(): string;
  /**
   * The payload, parsed as JSON.
   *
   * @throws {ParleyError} `bad_payload` if it is not JSON
   */
  json(): unknown;
  /**
   * Answers a request, once. If the requester has stopped waiting, the reply is dropped.
   *
   * @throws {ParleyError} `bad_argument` if this is not a request or has been answered; otherwise as `Channel.publish`
   */
  reply(payload: Payload, options?: PublishOptions): Promise<void>;
}

/**
 * A channel, or a pattern that stands for many. Iterate over it to receive its messages, and leave it when done.
 *
 * There is one queue: two loops over one channel share its messages. While the loop is busy, messages wait, first
 * here (1 MiB), then at the server. A program that does not read for longer than the server's slow-consumer timeout
 * (5 s by default) is disconnected as `slow_consumer`. So open a channel that you only publish on with
 * `subscribe: false`.
 *
 * The loop ends when the channel is left or the client is closed, and throws if the connection is lost.
 */
export interface Channel extends AsyncIterable<Message>, AsyncDisposable {
  /** The name or pattern it was opened by. */
  readonly name: string;
  /** Its number on the wire; 0 for a pattern. */
  readonly number: number;
  /** Whether the server lets this session publish on it; always false for a pattern. */
  readonly mayPublish: boolean;
  /** Whether messages are received. */
  readonly subscribed: boolean;
  /**
   * The subscribed sessions, number to name, kept up to date; empty unless opened with `presence`. If there were more
   * than 1,000 when it was opened, only 1,000 of those are in it.
   */
  readonly members: ReadonlyMap<number, string>;
  /** How many sessions are subscribed, also if `members` does not list them all. */
  readonly memberCount: number;
  /**
   * Publishes one message, in order with all others of this client.
   *
   * The message is copied and queued at once. Await the promise: it resolves immediately while there is room for more,
   * and otherwise as soon as there is. It does not say that the message was received.
   *
   * @throws {ParleyError} `forbidden` if the session may not publish here; `too_large` above the server's limit;
   * `limit` if much was published without awaiting; `closed`, or the error that ended the connection; or the server's
   * error for an earlier message on this channel
   */
  publish(payload: Payload, options?: PublishOptions): Promise<void>;
  /** Ends the subscription and drops the messages that were not iterated; loops over the channel end. */
  leave(): Promise<void>;
}

/** How a request is sent. */
export interface RequestOptions extends PublishOptions {
  /** How long to wait for the reply, in milliseconds; 30,000 by default. */
  readonly timeoutMs?: number;
}

/**
 * Answers one request: its result is sent as the reply, and no result as an empty reply. For a reply with options, such
 * as headers, call `request.reply` instead; the result is then ignored.
 */
export type Handler = (request: Message) => Payload | void | Promise<Payload | void>;

/** How requests are answered. */
export interface RespondOptions {
  /** How many requests are handled at once; 64 by default. */
  readonly concurrency?: number;
  /** Called with each error that the handler throws; `console.error` by default, as in `Deno.serve`. */
  readonly onError?: (error: unknown, request: Message) => void;
}

/** Answers the requests of a channel until stopped. */
export interface Responder extends AsyncDisposable {
  /** The channel or pattern whose requests are answered. */
  readonly channel: string;
  /** Takes no more requests, answers those it has, then resolves. */
  stop(): Promise<void>;
}

/** The server's limits for this session. */
export interface ServerLimits {
  /** Largest payload of a message, in bytes. */
  readonly payload: number;
  /** Channels and patterns that this session may have open. */
  readonly channels: number;
  /** How many bytes may wait at the server for this session. */
  readonly pending: number;
}

/** A session with a server. Every call that fails throws a `ParleyError`. */
export interface Client extends AsyncDisposable {
  /** Identifies the session on the wire: the `sender` of its messages. */
  readonly number: number;
  /** Identifies the session in logs and tools; a UUID. */
  readonly session: string;
  /** The session's name for others. */
  readonly name: string;
  /** The server's welcome, for people. */
  readonly message: string;
  /** The name and version of the server's program. */
  readonly server: { readonly name: string; readonly version: string };
  /** The server's limits. */
  readonly limits: ServerLimits;
  /** The server's clock when it welcomed this session; undefined if the server did not tell. */
  readonly serverTime: Date | undefined;
  /** Resolves when the connection has ended: to nothing after `close`, otherwise to the error that ended it. */
  readonly closed: Promise<ParleyError | undefined>;
  /** The messages sent directly to this session. Until it is first used, at most 1 MiB is kept and the rest dropped. */
  readonly inbox: AsyncIterable<Message>;
  /**
   * Opens a channel, or a pattern. Opening one again changes its options and returns the same channel.
   *
   * @throws {ParleyError} `bad_channel` for a name against the grammar; `forbidden`; `limit`; `bad_argument` for
   * options that contradict each other; `closed`, or the error that ended the connection
   */
  open(channel: string, options?: OpenOptions): Promise<Channel>;
  /**
   * Sends a request to one of the sessions that respond on `channel`, and waits for its reply.
   *
   * A reply with the header `error` makes it fail: with the code in that header if it is one of the protocol's that
   * ends no connection, otherwise with `no_reply`. The message of the error is the content of the reply.
   *
   * @throws {ParleyError} `no_responders`; `responder_gone`; `no_reply` if no reply came in time or the responder
   * failed; `bad_payload` for a reply with malformed headers; otherwise as `open` and `Channel.publish`
   */
  request(channel: string, payload: Payload, options?: RequestOptions): Promise<Message>;
  /**
   * Answers the requests of `channel`, or of the channels that a pattern covers; `open` receives messages only. Each
   * request goes to one of the sessions that respond on its channel, in turn, which may be the one that sent it. This
   * client must not have `channel` open otherwise.
   *
   * If the handler throws, the requester's `request` fails with `no_reply`, without the details, which may be private.
   * If it throws a `ParleyError`, `request` fails with the code and message of that error.
   *
   * @throws {ParleyError} as `open`
   */
  respond(channel: string, handler: Handler, options?: RespondOptions): Promise<Responder>;
  /**
   * Sends a message to the session with this number.
   *
   * @throws {ParleyError} as `Channel.publish`; `no_such_session` for an earlier message to the same number
   */
  direct(number: number, payload: Payload, options?: PublishOptions): Promise<void>;
  /**
   * Measures the time to the server and back, in milliseconds. When it resolves, the server has taken everything that
   * was sent before.
   *
   * @throws {ParleyError} `timeout` if no answer came within `timeoutMs` (5,000 by default)
   */
  ping(timeoutMs?: number): Promise<number>;
  /**
   * Says goodbye once the server has taken everything published, and closes. Calls under way fail with `closed`.
   *
   * @throws {ParleyError} if the server did not confirm, or had rejected a message that no call has reported yet; the
   * client is closed all the same
   */
  close(reason?: string): Promise<void>;
}
