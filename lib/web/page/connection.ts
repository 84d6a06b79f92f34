/**
 * The page's connection to its server: opens it, asks for a token if the server does, watches `$stats`, and begins anew
 * when it is over.
 *
 * @module
 */

import type { Client } from "../../client/api.ts";
import type { ClientEvent } from "../../client/events.ts";
import type { ConnectOptions } from "../../client/options.ts";
import { ApplicationError, ParleyError } from "../../errors.ts";
import { type AdminRequests, type ServerStats, STATS, type StatsRequests } from "../../wire/stats.ts";
import { NO_SAMPLES, withHistory, withStats } from "./samples.ts";
import type { Store } from "./store.ts";

/** `connect` of the client library, or what stands in for it. */
export type Connect = (options: ConnectOptions) => Promise<Client>;

/** The channels that the server answers, with what is asked and replied. */
type ServerRequests = StatsRequests & AdminRequests;

/** Where a token is kept if the user asks for it: until the tab is closed. */
const TOKEN_KEY = "parley.token";

/** Waits between attempts to connect, in milliseconds: the first, and the longest. */
const RETRY_MS = 500;
const MAX_RETRY_MS = 5_000;

/** Codes that say nothing about what was asked. */
const UNKNOWN: readonly string[] = ["interrupted", "disconnected", "closed", "timed_out"];

/** How long an answer of the server may take, in milliseconds. */
const ANSWER_MS = 15_000;

/** The token that this tab keeps. A browser that is told to keep nothing refuses, and then nothing is kept. */
const kept = {
  get(): string | null {
    try {
      return sessionStorage.getItem(TOKEN_KEY);
    } catch {
      return null;
    }
  },
  set(token: string | undefined): void {
    try {
      if (token === undefined) sessionStorage.removeItem(TOKEN_KEY);
      else sessionStorage.setItem(TOKEN_KEY, token);
    } catch {
      // It has to be given again in the next tab.
    }
  },
};

/** Connects the page, and keeps it connected. */
export class Connection {
  readonly #connect: Connect;
  readonly #url: string;
  readonly #store: Store;
  readonly #refused: (error: ParleyError) => void;
  #client: Client | undefined;
  #token: string | undefined;

  /**
   * @param url where the server takes WebSockets
   * @param refused called when the server refuses what no call waits for
   */
  constructor(connect: Connect, url: string, store: Store, refused: (error: ParleyError) => void) {
    this.#connect = connect;
    this.#url = url;
    this.#store = store;
    this.#refused = refused;
  }

  /** The client, while there is one. */
  get client(): Client {
    if (this.#client === undefined) throw new ParleyError("interrupted", "not connected; wait a moment");
    return this.#client;
  }

  /** Connects with the token that this tab keeps, if there is one. */
  start(): void {
    this.#token = kept.get() ?? undefined;
    this.#open();
  }

  /** Connects with a token. `isKept` keeps it until the tab is closed, or it turns out to be wrong. */
  useToken(token: string, isKept: boolean): void {
    this.#token = token;
    kept.set(isKept ? token : undefined);
    this.#open();
  }

  /** Forgets the token, and asks for another one. */
  async forgetToken(): Promise<void> {
    this.#token = undefined;
    kept.set(undefined);
    const client = this.#client;
    this.#client = undefined;
    this.#ask(undefined);
    await client?.close().catch(() => {});
  }

  /**
   * Asks the server.
   *
   * @throws {ParleyError | ApplicationError} the server's refusal, or `interrupted` while there is no connection
   */
  async ask<K extends keyof ServerRequests>(
    channel: K,
    ask: ServerRequests[K]["ask"],
  ): Promise<ServerRequests[K]["reply"]> {
    const reply = await this.client.request(channel, { json: ask }, { timeoutMs: ANSWER_MS });
    return reply.json();
  }

  async #open(): Promise<void> {
    const token = this.#token;
    this.#store.set({ connection: { phase: "connecting" }, hasToken: token !== undefined });
    for (let wait = RETRY_MS;; wait = Math.min(MAX_RETRY_MS, 2 * wait)) {
      try {
        await this.#opened(
          await this.#connect({
            url: this.#url,
            token,
            name: token === undefined ? "dashboard" : undefined,
            onEvent: (event) => this.#changed(event),
            onError: this.#refused,
          }),
        );
        return;
      } catch (error) {
        if (this.#token !== token) return; // another attempt is under way
        if (isUnauthorized(error)) return this.#rejected(error);
        this.#interrupted(error);
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
  }

  #opened(client: Client): void {
    this.#client = client;
    const { sessionId, name } = client;
    this.#store.set({ connection: { phase: "connected", sessionId, name } });
    client.closed.then((error) => {
      if (this.#client !== client) return;
      this.#client = undefined;
      if (isUnauthorized(error)) return this.#rejected(error);
      this.#interrupted(error);
      setTimeout(() => this.#open(), RETRY_MS);
    });
    this.#watch(client);
  }

  /** Reads `$stats` for as long as the client lives. */
  async #watch(client: Client): Promise<void> {
    await Promise.all([this.#readHistory(), this.#readRights()]);
    while (this.#client === client) {
      try {
        this.#measured(await this.ask("$stats.now", {})); // the first message comes within a second
        this.#store.set({ lookProblem: undefined });
        for await (const message of await client.subscribe(STATS)) this.#measured(message.json());
        return;
      } catch (error) {
        if (this.#client === client && codeOf(error) === "forbidden") {
          return this.#store.set({ lookProblem: problemOf(error) });
        }
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  #measured(stats: ServerStats): void {
    const { state } = this.#store;
    this.#store.set({ stats, samples: withStats(state.samples, state.stats, stats) });
  }

  async #readHistory(): Promise<void> {
    try {
      const history = await this.ask("$stats.history", {});
      this.#store.set({ samples: withHistory(this.#store.state.samples, history) });
    } catch {
      // Without a history the charts begin now. Whether it may look is found out by what follows.
    }
  }

  /** Finds out whether the session may change things, by what does nothing: no session has the number 0. */
  async #readRights(): Promise<void> {
    try {
      await this.ask("$admin.disconnect", { session: 0 });
      this.#store.set({ mayChange: true });
    } catch (error) {
      const code = codeOf(error);
      if (UNKNOWN.includes(code)) return; // it is asked again once there is a connection
      this.#store.set({ mayChange: code !== "forbidden" });
    }
  }

  #changed(event: ClientEvent): void {
    const client = this.#client;
    if (event.type === "interrupted" && !client?.isConnected) {
      this.#interrupted(event.error);
    } else if (event.type === "resumed" && client?.isConnected) {
      const { sessionId, name } = client;
      this.#store.set({ connection: { phase: "connected", sessionId, name } });
      this.#readHistory();
      this.#readRights();
    }
  }

  #interrupted(error: unknown): void {
    const { connection } = this.#store.state;
    const since = connection.phase === "interrupted" ? connection.since : new Date();
    this.#store.set({ connection: { phase: "interrupted", reason: problemOf(error), since } });
  }

  #rejected(error: unknown): void {
    kept.set(undefined);
    this.#ask(this.#token === undefined ? undefined : problemOf(error));
  }

  #ask(problem: string | undefined): void {
    this.#store.set({
      connection: { phase: "token", problem },
      stats: undefined,
      samples: NO_SAMPLES,
      mayChange: undefined,
      lookProblem: undefined,
    });
  }
}

/** What to tell of an error. */
export function problemOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error ?? "the connection is over");
}

function codeOf(error: unknown): string {
  return error instanceof ParleyError || error instanceof ApplicationError ? error.code : "";
}

function isUnauthorized(error: unknown): boolean {
  return codeOf(error) === "unauthorized";
}
