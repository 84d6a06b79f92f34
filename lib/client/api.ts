/**
 * What a program can do with a client, a subscription and a responder.
 *
 * @module
 */

import type { ParleyError } from "../errors.ts";
import type { Message, Payload, Request } from "./message_types.ts";
import type {
  PublishOptions,
  RequestOptions,
  RespondOptions,
  SendOptions,
  SubscribeOptions,
  WaitOptions,
} from "./options.ts";

/**
 * A subscription to a channel, or to a pattern that stands for many. It is independent of all others.
 *
 * While the loop is busy, messages wait, first here (1 MiB), then at the server, and so do those of the client's other
 * subscriptions. A program that does not read for longer than the server's slow-consumer timeout (5 s by default) is
 * disconnected as `slow_consumer`.
 *
 * Leaving the loop ends the subscription. The loop ends if the client is closed, and throws if the connection is over
 * for good.
 *
 * @example
 * ```ts
 * import { connect, serve } from "@parley/parley";
 *
 * await using server = await serve({ port: 0 });
 * await using client = await connect({ url: server.url });
 * await using lobby = await client.subscribe("chat.lobby");
 * await client.publish("chat.lobby", "hello");
 * const { value } = await lobby.next(); // one message; the subscription goes on
 * console.log(value?.text()); // hello
 * ```
 */
export interface Subscription extends AsyncIterableIterator<Message, undefined>, AsyncDisposable {
  /** The channel or pattern. */
  readonly channel: string;
  /**
   * The subscribed sessions, id to name, kept up to date; empty unless subscribed with `presence`. If there were more
   * than 1,000 at first, only 1,000 of those are in it.
   */
  readonly members: ReadonlyMap<number, string>;
  /** The stored channel as it was when it was opened last; undefined for a pattern, and if the channel is not stored. */
  readonly stored: StoredChannel | undefined;
  /** How many channels send their last message to a pattern that begins `from: "last"`; otherwise undefined. */
  readonly lastCount: number | undefined;
  /** How many sessions are subscribed, also if `members` does not list them all. */
  readonly memberCount: number;
  /** The next message; waits for one. */
  next(): Promise<IteratorResult<Message, undefined>>;
  /** Ends the subscription, as `end`, without waiting for the server. A loop that is left calls it. */
  return(): Promise<IteratorReturnResult<undefined>>;
  /** Ends the subscription, drops the messages that were not iterated, and waits until the server has confirmed. */
  end(): Promise<void>;
}

/** What the server has of a stored channel. */
export interface StoredChannel {
  /** On disk, or in the server's memory. */
  readonly storage: "durable" | "history";
  /** Names this series of sequences; it changes only if they begin anew. */
  readonly epoch: string;
  /** The lowest sequence that is stored; `last + 1` if there is none. */
  readonly first: number;
  /** The highest sequence ever stored. */
  readonly last: number;
}

/** Publishes on one durable channel, each message stored once. It lives as long as its client. */
export interface Producer {
  /** The channel. */
  readonly channel: string;
  /** The producer's name. */
  readonly name: string;
  /** How many of its messages are stored, ever, as far as the client knows: where a program goes on. */
  readonly stored: number;
  /**
   * Publishes one message; see {@linkcode Client.publish}. If the connection breaks before it is stored, it is sent again
   * when there is another, unless it is stored already.
   *
   * @throws {ParleyError} `fenced` once another session has become this producer; `not_stored` if the message could not
   * be stored; `epoch_changed` if the channel began anew; otherwise as `Client.publish`
   */
  publish(payload: Payload, options?: SendOptions): Promise<void>;
}

/**
 * Answers one request: its result is sent as the reply, and no result as an empty reply. For a reply with options, such
 * as headers, call `request.reply` instead; the result is then ignored.
 */
export type Handler = (request: Request) => Payload | void | Promise<Payload | void>;

/** Answers the requests of a channel until stopped. */
export interface Responder extends AsyncDisposable {
  /** The channel or pattern whose requests are answered. */
  readonly channel: string;
  /**
   * Resolves when the responder was stopped or the client closed. Rejects if the connection is over for good. If the
   * program does not handle that, it ends as with any rejection that is not handled.
   */
  readonly finished: Promise<void>;
  /**
   * Takes no more requests, answers those it has, then resolves.
   *
   * @throws {ParleyError} `timed_out` if handlers are still at work after `timeoutMs` (Infinity by default). Their
   * `request.signal` is aborted then.
   */
  stop(options?: WaitOptions): Promise<void>;
}

/** The server's limits for this session. */
export interface ServerLimits {
  /** Largest payload of a message, in bytes. */
  readonly payload: number;
  /** Channels and patterns that a session may have open. */
  readonly channels: number;
  /** How many bytes may wait at the server for a session. */
  readonly pending: number;
}

/**
 * A client of a server. After the connection broke it reconnects; what describes the session is then that of the new
 * one. Every call that fails throws a `ParleyError`, unless it says otherwise.
 */
export interface Client extends AsyncDisposable {
  /** Identifies the session on the wire: the `sender` of its messages. */
  readonly sessionId: number;
  /** Identifies the session in logs and tools. */
  readonly uuid: string;
  /** The session's name for others. */
  readonly name: string;
  /** The server's welcome, for people. */
  readonly greeting: string;
  /** The name and version of the server's program. */
  readonly server: { readonly name: string; readonly version: string };
  /** The server's limits. */
  readonly limits: ServerLimits;
  /** The server's clock when it welcomed the session; undefined if the server did not tell. */
  readonly serverTime: Date | undefined;
  /** Whether there is a connection; the client tries to reconnect while there is none. */
  readonly isConnected: boolean;
  /** Resolves when the client is over: to nothing after `close`, otherwise to the error that ended it. */
  readonly closed: Promise<ParleyError | undefined>;
  /** The messages sent directly to this session. Until it is first used, at most 1 MiB is kept and the rest dropped. */
  readonly inbox: AsyncIterable<Message>;
  /**
   * Publishes one message, in order with all others of this client on the channel. It subscribes to nothing.
   *
   * The message is copied and queued at once. Await the promise: it resolves immediately while there is room for more,
   * and otherwise as soon as there is; the first on a channel waits for the server's permission. It does not say that
   * the message was received; `flush` does.
   *
   * On a durable channel it resolves when the message is stored: a crash of the server or a loss of power after that
   * does not lose it. Calls of one turn of the event loop share a receipt, so do not await each one of many: publish
   * some, and await the last or all. If the connection breaks before the receipt has come, the call rejects with
   * `interrupted`: the message may or may not be stored. As a producer, it is sent again and stored once.
   *
   * While the connection is interrupted, messages are kept (see `ReconnectOptions.keptBytes`). On a channel that the
   * client knows to be durable, the promise still resolves when the message is stored.
   *
   * @throws {ParleyError} `bad_channel`; `forbidden` if the session may not publish there; `too_large` above the
   * server's limit; `backlog_full` if too much waits; `not_stored` if a durable channel could not store it;
   * `interrupted`; `not_durable` for a producer of a channel that is not; `closed`, or the error that ended the client;
   * or the server's error for an earlier message on this channel
   *
   * @example
   * ```ts
   * import { connect, serve } from "@parley/parley";
   *
   * await using server = await serve({ port: 0 });
   * await using client = await connect({ url: server.url });
   * await client.publish("chat.lobby", "hello", { headers: { lang: "en" } });
   * await client.flush();
   * ```
   */
  publish(channel: string, payload: Payload, options?: PublishOptions): Promise<void>;
  /**
   * Becomes a producer of a durable channel: each message is stored once, however often the connection breaks or the
   * program is started again. `stored` says how many messages are, so that a program knows where to go on. Another
   * session that becomes the same producer takes it over, and this one is `fenced`.
   *
   * From then on, all that this client publishes on the channel is the producer's.
   *
   * @param name 1 to 64 of `A-Z a-z 0-9 _ -`; with tokens, each subject has its own
   * @throws {ParleyError} `not_durable`; `forbidden`; `limit`; `bad_argument`; `timed_out`; `closed`, or the error that
   * ended the client; the reason of `signal`
   *
   * @example An import that can be started again
   * ```ts
   * import { connect } from "@parley/parley";
   *
   * async function importLines(url: string, lines: string[]) {
   *   await using client = await connect({ url });
   *   const producer = await client.producer("orders.new", "import-7");
   *   for (const line of lines.slice(producer.stored)) await producer.publish(line);
   * }
   * ```
   */
  producer(channel: string, name: string, options?: WaitOptions): Promise<Producer>;
  /**
   * Subscribes to a channel or pattern. Subscriptions with equal options share one on the wire. One that the protocol
   * does not allow beside the others of a session, such as a group that overlaps one of them, gets a connection of its
   * own; `echo: false` is then not possible for a group.
   *
   * On a stored channel, `from` says where to begin. After a broken connection the subscription goes on behind the last
   * message it got. As a `consumer`, what was not acknowledged comes again.
   *
   * @throws {ParleyError} `bad_channel`; `forbidden`; `limit`; `overlap`; `bad_argument` for options that are not known
   * or contradict each other; `bad_payload` for `from` on a channel that is not stored; `not_durable` for a consumer of
   * one that is not durable; `epoch_changed` for a sequence of another epoch; `timed_out`; `closed`, or the error that
   * ended the client; the reason of `signal`
   */
  subscribe(channelOrPattern: string, options?: SubscribeOptions): Promise<Subscription>;
  /**
   * Sends a request to one of the sessions that respond on `channel`, and waits for its reply. It is never sent twice.
   *
   * @throws {ParleyError} `no_responders`; `responder_gone`; `responder_failed`; `no_reply` if the server gave up;
   * `timed_out`; `interrupted` if the connection broke meanwhile; `bad_payload` for a reply with malformed headers;
   * otherwise as `publish`
   * @throws {ApplicationError} what the handler threw
   */
  request(channel: string, payload: Payload, options?: RequestOptions): Promise<Message>;
  /**
   * Answers the requests of `channel`, or of the channels that a pattern covers. Each request goes to one of the
   * sessions that respond on its channel, in turn, which may be the one that sent it. A client has one responder for a
   * name or pattern.
   *
   * If the handler throws an `ApplicationError`, the requester gets it. Of any other error it gets `responder_failed`
   * and no details, which may be private.
   *
   * @throws {ParleyError} as `subscribe`
   *
   * @example
   * ```ts
   * import { connect, serve } from "@parley/parley";
   *
   * await using server = await serve({ port: 0 });
   * await using client = await connect({ url: server.url });
   * await using _upper = await client.respond("text.upper", (request) => request.text().toUpperCase());
   * console.log((await client.request("text.upper", "quiet")).text()); // QUIET
   * ```
   */
  respond(channelOrPattern: string, handler: Handler, options?: RespondOptions): Promise<Responder>;
  /**
   * Sends a message to one session. It is not kept while the connection is interrupted: the id may be stale then.
   *
   * @throws {ParleyError} as `publish`; `interrupted`; `no_such_session` for an earlier message to the same id, or for
   * an id that this client had before
   */
  sendTo(sessionId: number, payload: Payload, options?: SendOptions): Promise<void>;
  /**
   * Waits until the server has taken everything published before, and stored what was for durable channels. The default of `timeoutMs` is 5,000.
   *
   * @throws {ParleyError} `timed_out`; the error of the connection if it broke before that was known; or the server's
   * rejection of a message that no call has reported yet
   */
  flush(options?: WaitOptions): Promise<void>;
  /**
   * Measures the time to the server and back, in milliseconds. The default of `timeoutMs` is 5,000.
   *
   * @throws {ParleyError} `timed_out`; `interrupted`
   */
  ping(options?: WaitOptions): Promise<number>;
  /**
   * Says goodbye once the server has taken everything published, and closes. Calls under way fail with `closed`.
   *
   * @throws {ParleyError} if not everything published is known to have reached the server, or it had rejected a message
   * that no call has reported yet; the client is closed all the same
   */
  close(reason?: string): Promise<void>;
}
