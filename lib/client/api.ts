/**
 * What a program sees of the client: its options, and what it may do with a client, a channel and a message.
 *
 * @module
 */

import type { ParleyError } from "../errors.ts";
import type { Header } from "../wire/header.ts";

/** What a payload is: any bytes, UTF-8 text, or JSON. It travels with the message, and nobody checks it on the way. */
export type ContentKind = "bytes" | "text" | "json";

/** What can be sent: text, bytes, or any value that JSON can hold. */
export type Payload = string | Uint8Array | { readonly json: unknown };

/** How one message is sent. */
export interface PublishOptions {
  /** What the payload is said to be, where it is not what its type suggests: bytes that are known to be text, say. */
  readonly kind?: ContentKind;
}

/** Sees every frame: `in` from the server, `out` to it. The payload is only lent for the call; do not throw. */
export type Trace = (way: "in" | "out", header: Header, payload: Uint8Array) => void;

/** Where to connect to, and as whom. */
export interface ConnectOptions {
  /** `parley://host:port`, `parleys://host:port` for TLS, or a server's join link; instead of `hostname` and `port`. */
  readonly url?: string;
  /** Name or address of the server; 127.0.0.1 if left out. */
  readonly hostname?: string;
  /** Port of the server; 7253 if left out. */
  readonly port?: number;
  /** What others are to call this session, 1 to 64 characters; the server makes one up where it is left out. */
  readonly name?: string;
  /** The token, for a server that asks for one. */
  readonly token?: string;
  /** Whether to encrypt; so it is with `parleys://` and with `ca`. */
  readonly tls?: boolean;
  /** The certificate authority to trust beside the system's, PEM: what is in the server's `ca.pem`. */
  readonly ca?: string;
  /** Send the token even where others can read it on the way: to another machine, without TLS. */
  readonly insecure?: boolean;
  /** How long connecting and the greeting may take together, in milliseconds; 5,000 if left out. */
  readonly timeoutMs?: number;
  /** What may wait to be written before `publish` makes its caller wait, in bytes; 4 MiB if left out. */
  readonly pendingBytes?: number;
  /**
   * Is told each refusal that answers no call: of a message, which nobody waits for, or of a reply that came too
   * late. Without it, a refused message makes the next call on its channel fail, and at the latest `close`; a refused
   * reply is dropped, because whoever asked has gone.
   */
  readonly onError?: (error: ParleyError) => void;
  /** Sees every frame that comes and goes. */
  readonly trace?: Trace;
}

/** How a channel is opened. */
export interface OpenOptions {
  /** Whether to receive what is published on it; true if left out. What is subscribed must be iterated. */
  readonly subscribe?: boolean;
  /** Shares the work: each message goes to one member of the group, in turn. */
  readonly group?: string;
  /** Whether to receive one's own messages; true if left out. */
  readonly echo?: boolean;
  /** Whether to know who else is subscribed, and, as a function, to be told who comes and goes. */
  readonly presence?: boolean | ((change: PresenceChange) => void);
}

/** Somebody came to a channel, or left it. */
export interface PresenceChange {
  /** Which of the two. */
  readonly type: "joined" | "parted";
  /** The session's number, as in `sender` of its messages. */
  readonly number: number;
  /** The session's name. */
  readonly name: string;
}

/** A message as it was received. It and its payload belong to the receiver, for as long as it likes. */
export interface Message {
  /** The name of the channel it came on; of a reply, the channel asked; `$inbox` for a direct message. */
  readonly channel: string;
  /** The number of that channel; 0 for a direct message. */
  readonly number: number;
  /** The number of the session that sent it, checked by the server; 0 is the server itself. */
  readonly sender: number;
  /** What the sender says the payload is. */
  readonly kind: ContentKind;
  /** The payload. */
  readonly payload: Uint8Array;
  /** Whether somebody waits for an answer; see `reply`. */
  readonly isRequest: boolean;
  /** The payload as text; what is not UTF-8 becomes U+FFFD. */
  text(): string;
  /**
   * The payload as the JSON value it is.
   *
   * @throws {ParleyError} `bad_payload` where it is not JSON
   */
  json(): unknown;
  /**
   * Answers a request, once. Whoever asked may have given up by then; the reply is dropped in that case.
   *
   * @throws {ParleyError} `bad_argument` where this is not a request; otherwise as `Channel.publish`
   */
  reply(payload: Payload, options?: PublishOptions): Promise<void>;
}

/**
 * A channel, or a pattern that stands for many. Iterate over it to receive; leave it when done.
 *
 * There is one queue: two loops over one channel share its messages. While the loop is busy, messages wait, first
 * here (1 MiB), then at the server; a program that stays away for longer than the server's patience (5 s by default)
 * is disconnected as `slow_consumer`. So open what you only publish on with `subscribe: false`.
 *
 * The loop ends when the channel is left or the client closed, and throws when the connection is lost.
 */
export interface Channel extends AsyncIterable<Message>, AsyncDisposable {
  /** The name or pattern it was opened by. */
  readonly name: string;
  /** Its number on the wire; 0 for a pattern. */
  readonly number: number;
  /** Whether the server lets this session publish on it; never on a pattern. */
  readonly mayPublish: boolean;
  /** Whether messages are received. */
  readonly subscribed: boolean;
  /** Who is subscribed, number to name, kept up to date; empty unless opened with `presence`. At first at most 1,000. */
  readonly members: ReadonlyMap<number, string>;
  /** How many are subscribed, even where `members` does not list them all. */
  readonly memberCount: number;
  /**
   * Publishes one message, in order with all others of this client.
   *
   * It is queued at once, and copied. Await the promise: it resolves immediately while there is room, and otherwise
   * when there is room again. That it resolved does not say that anybody received it.
   *
   * @throws {ParleyError} `forbidden` where the session may not; `too_large` above the server's limit; `limit` where
   * much was published without awaiting; `closed` or what ended the connection; or what the server answered to an
   * earlier message on this channel
   */
  publish(payload: Payload, options?: PublishOptions): Promise<void>;
  /** Ends the subscription and forgets what was not yet iterated; loops over the channel end. */
  leave(): Promise<void>;
}

/** How a request is made. */
export interface RequestOptions {
  /** How long to wait for the reply, in milliseconds; 30,000 if left out. */
  readonly timeoutMs?: number;
  /** What the payload is said to be; see {@linkcode PublishOptions}. */
  readonly kind?: ContentKind;
}

/** Answers one request: what it returns is sent as the reply, nothing as a reply without payload. */
export type Handler = (request: Message) => Payload | void | Promise<Payload | void>;

/** How requests are answered. */
export interface RespondOptions {
  /** Shares the messages of the channel with other members of the group; requests are shared in any case. */
  readonly group?: string;
  /** How many requests are worked on at once; 64 if left out. */
  readonly concurrency?: number;
  /** Is told what the handler threw; `console.error` if left out, as in `Deno.serve`. */
  readonly onError?: (error: unknown, request: Message) => void;
}

/** Answers the requests of a channel until stopped. */
export interface Responder extends AsyncDisposable {
  /** The channel or pattern whose requests are answered. */
  readonly channel: string;
  /** Takes no more requests, answers those it has, then resolves. */
  stop(): Promise<void>;
}

/** The server's limits, as its greeting names them. */
export interface ServerLimits {
  /** Largest payload of a message, in bytes. */
  readonly payload: number;
  /** Channels and patterns this session may have open. */
  readonly channels: number;
  /** What may wait for this session at the server, in bytes. */
  readonly pending: number;
}

/** A session with a server. Every failure is a `ParleyError`. */
export interface Client extends AsyncDisposable {
  /** What identifies the session on the wire: the `sender` of its messages. */
  readonly number: number;
  /** What identifies the session in logs and tools; a UUID. */
  readonly session: string;
  /** The name the server knows it by. */
  readonly name: string;
  /** The server's greeting, for people. */
  readonly message: string;
  /** What the server says it is. */
  readonly server: { readonly name: string; readonly version: string };
  /** What the server allows. */
  readonly limits: ServerLimits;
  /** Resolves when the connection is over: to nothing after `close`, otherwise to the error that ended it. */
  readonly closed: Promise<ParleyError | undefined>;
  /** The messages sent directly to this session. Until it is first used, at most 1 MiB is kept and the rest dropped. */
  readonly inbox: AsyncIterable<Message>;
  /**
   * Opens a channel, or a pattern. Opening one again changes its options and gives the same channel.
   *
   * @throws {ParleyError} `bad_channel` against the grammar of names; `forbidden`; `limit`; `bad_argument` for options
   * that do not go together; `closed` or what ended the connection
   */
  open(channel: string, options?: OpenOptions): Promise<Channel>;
  /**
   * Asks one of those who respond on `channel`.
   *
   * @throws {ParleyError} `no_responders`; `responder_gone`; `no_reply` where no reply came in time or the responder
   * failed; otherwise as `open` and `Channel.publish`
   */
  request(channel: string, payload: Payload, options?: RequestOptions): Promise<Message>;
  /**
   * Answers the requests of `channel`, which this client must not have open otherwise; messages that ask nothing are
   * passed over.
   *
   * A handler that throws answers too: the asker's `request` fails with `no_reply` (and without the details, which
   * may be private), or, where the handler threw a `ParleyError`, with its code and message.
   *
   * @throws {ParleyError} as `open`
   */
  respond(channel: string, handler: Handler, options?: RespondOptions): Promise<Responder>;
  /**
   * Sends a message to the session of that number.
   *
   * @throws {ParleyError} as `Channel.publish`; `no_such_session` for an earlier message to the same number
   */
  direct(number: number, payload: Payload, options?: PublishOptions): Promise<void>;
  /**
   * Measures the way to the server and back, in milliseconds. Everything published before has been dealt with then.
   *
   * @throws {ParleyError} `timeout` where no answer came within `timeoutMs` (5,000 if left out)
   */
  ping(timeoutMs?: number): Promise<number>;
  /**
   * Says goodbye, once everything published has reached the server, and closes. Calls under way fail with `closed`.
   *
   * @throws {ParleyError} the server's refusal of a message, where nobody was told yet; closed it is all the same
   */
  close(reason?: string): Promise<void>;
}
