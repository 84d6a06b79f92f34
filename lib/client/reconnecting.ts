/**
 * A session that is renewed after its connection broke, with everything that it receives.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { callSafely } from "./callback.ts";
import type { Connector } from "./connector.ts";
import type { SharedDelivery } from "./delivery.ts";
import type { ClientEvent, Missing } from "./events.ts";
import { RECONNECT_INITIAL_MS, RECONNECT_MAX_MS } from "./limits.ts";
import type { ReconnectOptions } from "./options.ts";
import { Renewal } from "./renewal.ts";
import type { ClientResponder } from "./responder.ts";
import type { Session, SessionEvents } from "./session.ts";
import type { SessionChannel } from "./session_channel.ts";
import type { ClientSubscription } from "./subscription.ts";
import { Timer, Wait } from "./waiting.ts";

/** Uses a session that is renewed. */
export interface ReconnectingEvents {
  /** See `SessionEvents.channelOpened`. */
  channelOpened(session: Session, channel: SessionChannel): void;
  /** See `SessionEvents.rejected`. */
  rejected(error: ParleyError, name: string, id: number): void;
  /** The connection broke. Returns how many messages may be lost. */
  interrupted(session: Session, error: ParleyError): number;
  /** There is a new session, which receives everything again. Returns how many kept messages are sent now. */
  resumed(session: Session): number;
  /** It is over for good; no error if this client closed it. */
  over(session: ReconnectingSession, error: ParleyError | undefined): void;
  /** For the program. */
  event(event: ClientEvent): void;
}

/** A session that is renewed; see the module's comment. */
export class ReconnectingSession implements SessionEvents {
  /** Undefined while there is no connection. */
  current: Session | undefined;
  /** Resolves when all sockets are closed and no attempt goes on. */
  settled: Promise<unknown> = Promise.resolve();
  readonly subscriptions = new Set<ClientSubscription>();
  readonly responders = new Map<string, ClientResponder>();
  /** Subscribes again in each session, and knows where to go on. */
  readonly renewal = new Renewal(this.subscriptions);

  readonly #connector: Connector;
  readonly #shared: SharedDelivery;
  readonly #options: ReconnectOptions | undefined;
  readonly #events: ReconnectingEvents;
  /** Those that wait for a connection. */
  readonly #waiters = new Set<Pick<PromiseWithResolvers<Session>, "resolve" | "reject">>();
  readonly #stop = new AbortController();
  #isOver = false;
  #endError: ParleyError | undefined;
  #attempt = 0;
  #connectedAt = 0;
  /** What is missing of the stored channels, once their subscriptions have been renewed. */
  #missing: Promise<Missing[]> | undefined;

  /** Nothing is connected yet. No `options` means that it is not renewed. */
  constructor(
    connector: Connector,
    shared: SharedDelivery,
    options: ReconnectOptions | undefined,
    events: ReconnectingEvents,
  ) {
    this.#connector = connector;
    this.#shared = shared;
    this.#options = options;
    this.#events = events;
  }

  /** Connects for the first time. */
  async start(signal?: AbortSignal): Promise<Session> {
    const signals = signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal]);
    try {
      return await this.#connect(signals);
    } catch (error) {
      this.#finish(error instanceof ParleyError ? error : undefined);
      throw error;
    }
  }

  /** Why it can no longer be used; undefined while it can. */
  get endError(): ParleyError | undefined {
    if (!this.#isOver) {
      return this.current?.connection.endError?.code === "closed" ? closedError() : undefined;
    }
    return this.#endError ?? closedError();
  }

  /** The current session, or the next one. */
  async session(wait: Wait): Promise<Session> {
    if (this.endError !== undefined) throw this.endError;
    if (this.current !== undefined) return this.current;
    let waiter!: Pick<PromiseWithResolvers<Session>, "resolve" | "reject">; // not Promise.withResolvers, which Node 20 does not have
    const connected = new Promise<Session>((resolve, reject) => waiter = { resolve, reject });
    this.#waiters.add(waiter);
    return await wait.for(connected, () => this.#waiters.delete(waiter));
  }

  /**
   * Does something with the current session, or with the next one if the connection breaks meanwhile. Only for what may
   * be done twice.
   */
  async withSession(wait: Wait, act: (session: Session) => Promise<unknown>): Promise<void> {
    while (true) {
      const session = await this.session(wait);
      try {
        await wait.for(act(session));
        return;
      } catch (error) {
        if (session.connection.endError === undefined || error !== session.connection.endError) throw error;
        if (this.endError !== undefined) throw this.endError;
      }
    }
  }

  /** The error of a call whose connection broke, if the client goes on; `text` says what has become of the call. */
  lost(error: unknown, text: string): unknown {
    const isLost = error instanceof ParleyError && error.fatal && error.code !== "closed";
    if (!isLost || this.endError !== undefined) return error;
    return new ParleyError("interrupted", `${error.message}; ${text}`, { cause: error });
  }

  /** Says goodbye and closes; see `ClientConnection.close`. */
  async close(reason: string): Promise<void> {
    this.#stop.abort();
    const session = this.current;
    if (session === undefined) return this.#finish(undefined);
    await session.connection.close(reason);
  }

  // From the session.

  channelOpened(channel: SessionChannel): void {
    if (this.current !== undefined) this.#events.channelOpened(this.current, channel);
  }

  rejected(error: ParleyError, name: string, id: number): void {
    this.#events.rejected(error, name, id);
  }

  sessionEnded(session: Session, error: ParleyError | undefined): void {
    if (this.current !== session) return;
    this.current = undefined;
    this.renewal.keep(session);
    for (const subscription of this.subscriptions) subscription.interrupted();
    if (error === undefined || this.#stop.signal.aborted) return this.#finish(error);
    const unconfirmed = this.#events.interrupted(session, error);
    for (const responder of this.responders.values()) responder.interrupted(error);
    if (this.#options === undefined || this.#isFinal(error, true)) return this.#finish(error);
    this.#events.event({ type: "interrupted", error, unconfirmed, ...this.#names() });
    const attempts = this.#reconnect(session, error).catch((failure) => {
      if (this.#stop.signal.aborted) this.#finish(undefined);
      else this.#finish(failure instanceof ParleyError ? failure : error);
    });
    this.#settledAfter(attempts);
  }

  async #reconnect(before: Session, cause: ParleyError): Promise<void> {
    const { giveUpMs = Infinity } = this.#options!;
    const start = performance.now();
    // A connection that breaks again soon counts as a failed attempt.
    if (start - this.#connectedAt > this.#maxMs) this.#attempt = 0;
    for (let last = cause;;) {
      await this.#pause();
      if (performance.now() - start > giveUpMs) throw last;
      try {
        const session = await this.#connect(this.#stop.signal);
        const kept = this.#events.resumed(session);
        const interruptedMs = performance.now() - start;
        const event = { type: "resumed", sessionId: session.id, previousSessionId: before.id } as const;
        const subscriptions = this.#names().subscriptions.filter((name) => !this.renewal.goesOn(name));
        const responders = [...this.responders.keys()];
        const missing = this.#missing === undefined ? [] : await this.#missing;
        if (this.current !== session) return; // it broke again, which has its own event
        const recovered = subscriptions.length === 0 && missing.length === 0;
        this.#events.event({ ...event, interruptedMs, subscriptions, missing, responders, recovered, kept });
        return;
      } catch (error) {
        if (!(error instanceof ParleyError)) this.#tokenFailed(error);
        else if (this.#isFinal(error, false)) throw error;
        else last = error;
      }
    }
  }

  /** The function that fetches a token threw: what it needs may be about to come back, too. */
  #tokenFailed(cause: unknown): void {
    if (this.#stop.signal.aborted) return;
    const reason = cause instanceof Error ? cause.message : String(cause);
    this.#shared.backlog.report(
      new ParleyError("unauthorized", `fetching a token failed: ${reason}`, { cause }),
    );
  }

  get #maxMs(): number {
    return this.#options?.maxMs ?? RECONNECT_MAX_MS;
  }

  /** Waits for a random time, so that the clients of a restarted server do not come all at once. */
  async #pause(): Promise<void> {
    const { initialMs = RECONNECT_INITIAL_MS } = this.#options!;
    const ms = Math.min(this.#maxMs, initialMs * 2 ** this.#attempt++) * Math.random();
    const wait = new Wait("", this.#stop); // throws if the client was closed during an attempt
    let timer!: Timer;
    await wait.for(new Promise<void>((resolve) => timer = new Timer(ms, resolve)), () => timer.stop());
  }

  /** Connects, and receives everything again before the first message can be sent. */
  async #connect(signal: AbortSignal): Promise<Session> {
    const connecting = (server: string) =>
      this.#events.event({ type: "connecting", attempt: this.#attempt + 1, server });
    const session = await this.#connector.connect(signal, this.#shared, this, connecting);
    this.current = session;
    const { endError } = session.connection;
    // It has ended while `greet` returned, so `sessionEnded` could not tell which session it was.
    if (endError !== undefined) queueMicrotask(() => this.sessionEnded(session, endError));
    this.#settledAfter(session.connection.closed);
    this.#connectedAt = performance.now();
    this.#missing = this.renewal.renew(session);
    for (const [name, responder] of this.responders) {
      session.respond(name, responder.queue).catch((error) => {
        if (session.connection.endError === undefined) responder.over(error);
      });
    }
    for (const waiter of this.#waiters) waiter.resolve(session);
    this.#waiters.clear();
    return session;
  }

  /** Sockets of before may still be closing: whatever the program is told, it has waited for all of them. */
  #settledAfter(ended: Promise<unknown>): void {
    const before = this.settled;
    this.settled = ended.then(() => before);
  }

  /** Whether another attempt would end in the same way. A token function may have another token. */
  #isFinal({ code }: ParleyError, wasConnected: boolean): boolean {
    if (code === "unauthorized") return !(wasConnected && this.#connector.hasTokenFunction);
    return code === "unsupported_protocol" || code === "bad_hello" || code === "bad_argument";
  }

  /** What an interruption concerns. */
  #names(): { subscriptions: string[]; responders: string[] } {
    const subscriptions = new Set([...this.subscriptions].map(({ channel }) => channel));
    return { subscriptions: [...subscriptions], responders: [...this.responders.keys()] };
  }

  #finish(error: ParleyError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#endError = error;
    for (const subscription of this.subscriptions) subscription.over(error);
    for (const responder of this.responders.values()) responder.over(error);
    for (const waiter of this.#waiters) waiter.reject(this.endError);
    this.#waiters.clear();
    callSafely(() => this.#events.over(this, error));
  }
}

function closedError(): ParleyError {
  return new ParleyError("closed", "this client is closed; connect again", { fatal: true });
}
