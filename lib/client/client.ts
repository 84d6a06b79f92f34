/**
 * A client: its calls, on top of sessions that are renewed.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import type { Client, Handler, Producer, Responder, Subscription } from "./api.ts";
import { callSafely } from "./callback.ts";
import { badArgument, checkNameOrPattern, checkOptions, checkProducer, checkSubscribe } from "./checks.ts";
import type { Connector } from "./connector.ts";
import type { SharedDelivery } from "./delivery.ts";
import type { ClientEvent, Missing } from "./events.ts";
import { KEPT_BYTES, PENDING_BYTES, PING_MS, REQUEST_MS } from "./limits.ts";
import { Inbox } from "./inbox.ts";
import { loaded } from "./loading.ts";
import type { Message, Payload } from "./message_types.ts";
import type {
  ConnectOptions,
  PublishOptions,
  ReconnectOptions,
  RequestOptions,
  RespondOptions,
  SendOptions,
  SubscribeOptions,
  WaitOptions,
} from "./options.ts";
import { Publisher } from "./publisher.ts";
import { type ReconnectingEvents, ReconnectingSession } from "./reconnecting.ts";
import type { Requester } from "./requester.ts";
import type { ClientResponder } from "./responder.ts";
import type { Session } from "./session.ts";
import { SessionDescription } from "./session_description.ts";
import { ClientSubscription } from "./subscription.ts";
import { Wait } from "./waiting.ts";

/** The client behind `connect`. */
export class ReconnectingClient extends SessionDescription implements Client, SharedDelivery {
  readonly closed: Promise<ParleyError | undefined>;
  readonly backlog: SharedDelivery["backlog"];
  readonly inbox: Inbox;
  isInboxUsed = false;

  readonly #connector: Connector;
  readonly #reconnect: ReconnectOptions | undefined;
  readonly #onEvent: ConnectOptions["onEvent"];
  readonly #main: ReconnectingSession;
  /** Connections of their own, of subscriptions that do not fit the others. */
  readonly #further = new Set<ReconnectingSession>();
  readonly #publisher: Publisher;
  /** Set once it is loaded, and has sent the requests that waited for that. */
  #requester: Requester | undefined;
  #loadingRequester: Promise<Requester> | undefined;
  /** How many calls wait until it is loaded. */
  #waitingForRequester = 0;
  #ended!: (error: ParleyError | undefined) => void;
  #closing: Promise<void> | undefined;

  /** A client that is not connected yet. */
  constructor(connector: Connector, options: ConnectOptions) {
    super();
    const { reconnect = true, pendingBytes = PENDING_BYTES, onError, onEvent } = options;
    this.#connector = connector;
    this.#onEvent = onEvent;
    this.#reconnect = reconnect === true ? {} : reconnect === false ? undefined : reconnect;
    this.closed = new Promise((resolve) => this.#ended = resolve);
    this.backlog = {
      bytes: 0,
      drained: () => {
        for (const { current } of [this.#main, ...this.#further]) current?.connection.resume();
      },
      report: (error) => this.#publisher.report(error),
    };
    this.inbox = new Inbox(this.backlog, () => this.isInboxUsed = true);
    this.#main = new ReconnectingSession(connector, this, this.#reconnect, this.#mainEvents());
    this.#publisher = new Publisher(this.#main, {
      keptBytes: this.#reconnect?.keptBytes ?? KEPT_BYTES,
      pendingBytes,
      onError,
    });
  }

  /** Connects for the first time. */
  async start(signal: AbortSignal | undefined): Promise<void> {
    const session = await this.#main.start(signal);
    this.welcome = session.welcome;
    this.#event({ type: "connected", sessionId: session.id, server: this.#connector.server });
  }

  /** See `SharedDelivery`. */
  get publisherId(): number {
    return this.#main.current?.id ?? this.welcome?.number ?? 0;
  }

  get isConnected(): boolean {
    return this.#main.current !== undefined;
  }

  publish(channel: string, payload: Payload, options?: PublishOptions): Promise<void> {
    return this.#publisher.publish(channel, payload, options);
  }

  async producer(channel: string, name: string, options?: WaitOptions): Promise<Producer> {
    checkProducer(name);
    return await this.#publisher.producer(channel, name, options);
  }

  sendTo(sessionId: number, payload: Payload, options?: SendOptions): Promise<void> {
    return this.#publisher.sendTo(sessionId, payload, options);
  }

  flush(options?: WaitOptions): Promise<void> {
    return this.#publisher.flush(options);
  }

  async subscribe(name: string, options: SubscribeOptions = {}): Promise<Subscription> {
    checkSubscribe(name, options);
    const wait = new Wait(`subscribing to ${name}`, options);
    const part = options.consumer === undefined
      ? undefined
      : await wait.for(loaded(import("./consumption.ts")));
    const consumption = part && new part.Consumption(options, this.backlog);
    let line: ReconnectingSession | undefined;
    const subscription = new ClientSubscription(name, options, this.backlog, async (ended) => {
      if (line === undefined) return;
      line.subscriptions.delete(ended);
      line.renewal.ended(name);
      await line.current?.unsubscribe(ended);
      if (this.#further.has(line) && line.subscriptions.size === 0) await line.close("no more subscriptions");
    }, consumption);
    try {
      // No await from here to `add`: another subscription must find this one.
      line = this.#lineFor(subscription);
      line.subscriptions.add(subscription);
      if (line !== this.#main && line.current === undefined && line.subscriptions.size === 1) {
        await wait.for(line.start());
      }
      await line.withSession(wait, (session) => session.subscribe(name, [subscription]));
      return subscription;
    } catch (error) {
      subscription.end().catch(() => {});
      throw error;
    }
  }

  /** The connection of a subscription: the first that it fits. */
  #lineFor(subscription: ClientSubscription): ReconnectingSession {
    for (const line of [this.#main, ...this.#further]) {
      if ([...line.subscriptions].every((other) => other.fits(subscription))) return line;
    }
    if (subscription.group !== undefined && !subscription.echo) {
      const text =
        `the group on ${subscription.channel} overlaps another subscription of this client, so it ` +
        "needs a connection of its own, which cannot leave out this client's messages; set echo or use a second client";
      throw new ParleyError("overlap", text);
    }
    const line: ReconnectingSession = new ReconnectingSession(
      this.#connector,
      this,
      this.#reconnect,
      this.#furtherEvents(),
    );
    this.#further.add(line);
    return line;
  }

  request(channel: string, payload: Payload, options?: RequestOptions): Promise<Message> {
    if (this.#requester !== undefined) return this.#requester.request(channel, payload, options);
    return this.#requestOnceLoaded(channel, payload, options);
  }

  /** Sends a request once what sends requests is loaded, in the order of the calls. */
  async #requestOnceLoaded(channel: string, payload: Payload, options?: RequestOptions): Promise<Message> {
    checkOptions("request", options);
    const wait = new Wait(`the request on ${channel}`, options, REQUEST_MS);
    this.#waitingForRequester++;
    let requester: Requester;
    try {
      this.#loadingRequester ??= loaded(import("./requester.ts")).then((part) =>
        new part.Requester(this.#main)
      );
      requester = await wait.for(this.#loadingRequester);
    } catch (error) {
      this.#loadingRequester = undefined; // the next request tries again
      throw error;
    } finally {
      this.#waitingForRequester--;
    }
    if (this.#waitingForRequester === 0) this.#requester = requester;
    return await requester.request(channel, payload, options);
  }

  async respond(name: string, handler: Handler, options: RespondOptions = {}): Promise<Responder> {
    checkNameOrPattern(name);
    checkOptions("respond", options);
    if (typeof handler !== "function") throw badArgument("the handler must be a function");
    const wait = new Wait(`responding on ${name}`, options);
    const { ClientResponder } = await wait.for(loaded(import("./responder.ts")));
    const { responders } = this.#main;
    if (responders.has(name)) {
      throw badArgument(`this client has a responder for ${name} already; stop it first`);
    }
    const responder: ClientResponder = new ClientResponder(name, handler, options, this.backlog, async () => {
      await this.#main.current?.stopResponding(name);
      if (responders.get(name) === responder) responders.delete(name);
    });
    responders.set(name, responder);
    try {
      await this.#main.withSession(wait, (session) => session.respond(name, responder.queue));
      return responder;
    } catch (error) {
      responders.delete(name);
      responder.finished.catch(() => {}); // the caller learns of it
      responder.over(undefined);
      throw error;
    }
  }

  /** The current session, or the next one. */
  session(wait: Wait): Promise<Session> {
    return this.#main.session(wait);
  }

  async ping(options?: WaitOptions): Promise<number> {
    checkOptions("wait", options);
    const wait = new Wait("ping", options, PING_MS);
    const { connection } = await this.#main.session(wait);
    try {
      return await connection.ping(wait.leftMs, options?.signal);
    } catch (error) {
      throw this.#main.lost(error, "the ping was not repeated");
    }
  }

  close(reason: string = "done"): Promise<void> {
    return this.#closing ??= this.#close(reason);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(reason: string): Promise<void> {
    const wait = new Wait("close", undefined, PING_MS);
    let failure: unknown;
    const lines = [this.#main, ...this.#further];
    for (const { subscriptions } of lines) {
      for (const { queue, consumption } of subscriptions) {
        queue.clear();
        consumption?.flush();
      }
    }
    this.inbox.clear();
    const { current } = this.#main;
    if (this.#publisher.keptCount > 0 && current !== undefined) {
      await wait.for(this.#publisher.flush(undefined)).catch((error) => failure = error);
    }
    const closed = await Promise.allSettled(lines.map((line) => line.close(reason)));
    for (const result of closed) if (result.status === "rejected") failure ??= result.reason;
    this.#publisher.abandon(this.#main.endError);
    await this.closed;
    if (failure !== undefined) throw failure;
    this.#publisher.throwReports();
  }

  /** See `SharedDelivery`. */
  missed(missing: Missing): void {
    this.#event({ type: "missed", ...missing });
  }

  #event(event: ClientEvent): void {
    const onEvent = this.#onEvent;
    if (onEvent !== undefined) callSafely(() => onEvent(event));
  }

  #mainEvents(): ReconnectingEvents {
    return {
      channelOpened: (session, channel) => this.#publisher.channelOpened(session, channel),
      rejected: (error, name, id) => this.#publisher.rejected(error, name, id),
      interrupted: (session, error) => this.#publisher.interrupted(session, error),
      resumed: (session: Session) => {
        this.welcome = session.welcome;
        return this.#publisher.resumed(session);
      },
      over: (line, error) => {
        this.inbox.end(error);
        this.#publisher.abandon(error);
        for (const further of this.#further) further.close("the client is over").catch(() => {});
        line.settled.then(() => this.#ended(error));
        this.#event({ type: "closed", error });
      },
      event: (event) => this.#event(event),
    };
  }

  #furtherEvents(): ReconnectingEvents {
    return {
      channelOpened: () => {},
      rejected: () => {},
      interrupted: () => 0,
      resumed: () => 0,
      over: (line) => this.#further.delete(line),
      event: (event) => this.#event(event),
    };
  }
}
