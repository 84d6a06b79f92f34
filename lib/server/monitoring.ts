/**
 * What the server tells of itself on `$stats`, and does by `$admin`.
 *
 * Samples are always taken. Everything else is loaded when it is first asked for, and measured while a session asks.
 *
 * @module
 */

import type { Router } from "../broker/router.ts";
import type { Ask, ServerAnswers, ServerRequest } from "../broker/server_channels.ts";
import type { Session } from "../broker/session.ts";
import type { StoredChannels } from "../broker/stored/stored_channels.ts";
import type { Peer } from "../broker/peer.ts";
import { type Limits, MONITOR_IDLE_MS, SWEEP_MS } from "../limits.ts";
import { type Log, loggable } from "../logging/log.ts";
import { LoopDelay, type LoopDelays } from "../monitor/loop_delay.ts";
import type { Monitor } from "../monitor/monitor.ts";
import type { ChannelRates } from "../monitor/rates.ts";
import { Sampler } from "../monitor/sampler.ts";
import { type MonitoredServer, totalTraffic } from "../monitor/server.ts";
import { VERSION } from "../version.ts";
import type { ConfigEntry, StatsHistory } from "../wire/stats.ts";

/** What monitoring needs of the parts of a server. */
export interface MonitoringParts {
  readonly log: Log;
  /** Makes references to errors in the log. */
  readonly uuid: () => string;
  /** A clock in milliseconds that never goes back. */
  readonly now: () => number;
  readonly limits: Readonly<Limits>;
  readonly router: Router;
  readonly stored: StoredChannels | undefined;
  /** The options in effect, without secrets. */
  readonly config: () => readonly ConfigEntry[];
  /** What changes while the server runs. */
  readonly state: () => ServerState;
}

/** See {@linkcode MonitoringParts.state}. */
export interface ServerState {
  readonly sessions: Iterable<Session>;
  readonly connections: number;
  readonly pendingBytes: number;
  readonly isDraining: boolean;
  readonly failedTlsHandshakes: number;
}

/** What is loaded when it is first asked for. */
interface Loaded {
  readonly monitor: Monitor;
  readonly rates: ChannelRates;
}

/** The answers of one server. */
export class Monitoring implements ServerAnswers, MonitoredServer {
  readonly version: string = VERSION;
  readonly #parts: MonitoringParts;
  readonly #sampler: Sampler;
  readonly #probe: LoopDelay;
  readonly #startedAt: number;
  #tickedAt: number;
  /** How late the loop was in the last whole second. */
  loopDelay: LoopDelays = { mean: 0, max: 0 };
  #loading: Promise<Loaded> | undefined;
  #loaded: Loaded | undefined;
  #askedAt = -Infinity;

  constructor(parts: MonitoringParts) {
    this.#parts = parts;
    this.#sampler = new Sampler(parts.now);
    this.#probe = new LoopDelay(parts.now);
    this.#startedAt = this.#tickedAt = parts.now();
  }

  async answer(channel: ServerRequest, ask: Ask, from: Peer): Promise<string> {
    this.#askedAt = this.#parts.now();
    if (!this.#parts.state().isDraining) this.#probe.start();
    const { monitor } = await (this.#loading ??= this.#load());
    const { json, done } = await monitor.answer(channel, ask);
    if (done !== undefined) {
      const { log } = this.#parts;
      log.info("administered", { request: channel, by: from.number, byName: from.name, ...done });
    }
    return json;
  }

  failed(error: unknown): string {
    const reference = this.#parts.uuid();
    this.#parts.log.error("internal error", { reference, error: loggable(error) });
    return reference;
  }

  /** To be called once a second. */
  tick(): void {
    const { now, router } = this.#parts;
    const { sessions, pendingBytes } = this.#parts.state();
    // The timer of this call is late, too; between two calls a timer of its own tells more, while a session asks.
    this.#probe.add(Math.max(0, now() - this.#tickedAt - SWEEP_MS));
    this.#tickedAt = now();
    this.loopDelay = this.#probe.take();
    this.#sampler.sample({
      traffic: totalTraffic(router.counters, sessions),
      memoryBytes: Deno.memoryUsage().rss,
      loopDelayMs: this.loopDelay.max,
      pendingBytes,
      sessions: router.sessionCount,
    });
    if (this.#loaded === undefined) return;
    if (now() - this.#askedAt < MONITOR_IDLE_MS) void this.#loaded.rates.measure();
    else {
      this.#loaded.rates.forget();
      this.#probe.stop();
    }
  }

  /** The server stops: nothing is measured any more. */
  close(): void {
    this.#probe.stop();
  }

  /** Why durable channels cannot be written, if they cannot. */
  get storeProblem(): string | undefined {
    return this.stored?.durable?.commits.stats.isFailing
      ? "nothing of the last commit could be stored; the log has the reason"
      : undefined;
  }

  get limits(): Readonly<Limits> {
    return this.#parts.limits;
  }

  get router(): Router {
    return this.#parts.router;
  }

  get stored(): StoredChannels | undefined {
    return this.#parts.stored;
  }

  get sessions(): Iterable<Session> {
    return this.#parts.state().sessions;
  }

  get connections(): number {
    return this.#parts.state().connections;
  }

  get pendingBytes(): number {
    return this.#parts.state().pendingBytes;
  }

  get isDraining(): boolean {
    return this.#parts.state().isDraining;
  }

  get failedTlsHandshakes(): number {
    return this.#parts.state().failedTlsHandshakes;
  }

  get uptimeSeconds(): number {
    return (this.#parts.now() - this.#startedAt) / 1000;
  }

  get history(): StatsHistory {
    return this.#sampler.history(this.time());
  }

  get config(): readonly ConfigEntry[] {
    return this.#parts.config();
  }

  time(): Date {
    return new Date();
  }

  async operator() {
    const { stored } = this.#parts;
    if (stored === undefined) return undefined;
    const { StoreOperator } = await import("../broker/stored/operator.ts");
    return new StoreOperator(stored);
  }

  async #load(): Promise<Loaded> {
    const [{ Monitor }, { ChannelRates }] = await Promise.all([
      import("../monitor/monitor.ts"),
      import("../monitor/rates.ts"),
    ]);
    const { now } = this.#parts;
    return this.#loaded = { monitor: new Monitor(this), rates: new ChannelRates(this, now) };
  }
}
