/**
 * One life of a server: the real broker with its sessions and stored channels, over logs that fail and without a network.
 *
 * @module
 */

import type { SessionContext } from "../../../../lib/broker/context.ts";
import { Echo } from "../../../../lib/broker/echo.ts";
import { Router } from "../../../../lib/broker/router.ts";
import type { Session } from "../../../../lib/broker/session.ts";
import { policyOf, type StoragePolicy } from "../../../../lib/broker/stored/policy.ts";
import { StoredChannels } from "../../../../lib/broker/stored/stored_channels.ts";
import { StoredSession } from "../../../../lib/broker/stored/stored_session.ts";
import { WorkBudget } from "../../../../lib/broker/work_budget.ts";
import { DEFAULT_LIMITS, type Limits } from "../../../../lib/limits.ts";
import type { Log } from "../../../../lib/logging/log.ts";
import type { Random } from "../../../harness/seeded.ts";
import { NOTHING } from "../../../store/commits.ts";
import { Disk, FaultyLog } from "./faulty_log.ts";
import type { Records } from "./records.ts";
import { newServerChannels } from "../../test_broker.ts";

/** Small, so that a short schedule reaches it. */
const WORK_PER_TURN = 3_000;
/** What history may take in memory; more than any channel of a schedule, less than all. */
const HISTORY_BYTES = 20_000;

const LIMITS: Limits = { ...DEFAULT_LIMITS, payloadBytes: 4096, handshakeMs: 1_000_000 };

/** What a server has of its schedule. */
export interface ServerOptions {
  readonly random: Random;
  readonly records: Records;
  readonly disk: Disk;
  readonly policies: readonly StoragePolicy[];
  readonly maxMessagesOf: (channel: string) => number;
  readonly storeBytes: number;
  /** Which life of the server it is. */
  readonly life: number;
  readonly now: () => number;
}

/** See the module's comment. */
export class SimulatedServer {
  readonly life: number;
  readonly context: SessionContext;
  readonly sessions = new Set<Session>();
  readonly durable: FaultyLog;
  readonly history: FaultyLog;
  readonly stored: StoredChannels;
  readonly #policies: readonly StoragePolicy[];
  readonly #disk: Disk;
  readonly #memory: Disk;
  #isAlive = true;

  constructor({ random, records, disk, policies, maxMessagesOf, storeBytes, life, now }: ServerOptions) {
    this.life = life;
    this.#policies = policies;
    this.#disk = disk;
    this.#memory = new Disk(random, `memory-${life}`, records, maxMessagesOf);
    // History carries session numbers of this life only, which begin anywhere.
    this.#memory.apply({ ...NOTHING, firstSession: Infinity });
    this.durable = new FaultyLog(disk, random, records);
    this.history = new FaultyLog(this.#memory, random, records);
    const failed = (error: unknown) => {
      if (this.#isAlive) {
        records.violated(error instanceof Error ? error.stack ?? error.message : String(error));
      }
    };
    const budget = new WorkBudget(failed, WORK_PER_TURN);
    const log = logWith((message, properties) => {
      // What a log that fails on purpose is bound to cause.
      if (!/^(nothing was stored|cannot read a stored channel)/.test(message)) {
        failed(new Error(`${message}: ${JSON.stringify(properties)}`));
      }
    });
    this.stored = new StoredChannels({
      policies,
      durable: { log: this.durable, maxBytes: storeBytes },
      history: { log: this.history, maxBytes: HISTORY_BYTES },
      budget,
      now,
      time: () => TIME_OF_DAY + now(),
      log,
    });
    const first = this.durable.state.firstSession;
    const router = new Router(LIMITS, now, budget, first, this.stored);
    this.context = {
      router,
      serverChannels: newServerChannels(router, budget, LIMITS),
      newStoredSession: (peer, subject, resume) => new StoredSession(peer, this.stored, subject, resume),
      echo: new Echo(),
      budget,
      limits: LIMITS,
      authenticator: undefined,
      now,
      time: () => new Date(TIME_OF_DAY + now()).toISOString(),
      server: { name: "parley", version: "simulation" },
      uuid: () => "00000000-0000-4000-8000-000000000000",
      log,
    };
  }

  get logs(): readonly FaultyLog[] {
    return [this.durable, this.history];
  }

  /** The sequence after the last one that is stored, of each channel. */
  nexts(): Map<string, number> {
    return new Map(
      [this.#disk, this.#memory].flatMap(({ channels }) =>
        [...channels.values()].map(({ state, last }) => [state.name, last + 1] as const)
      ),
    );
  }

  /** The epoch of a channel. */
  epochOf(channel: string): string {
    return this.#diskOf(channel).epoch;
  }

  /** The sequence of the first message that was stored at `time` or later. */
  placeOfTime(channel: string, time: number): number {
    const disk = this.#diskOf(channel);
    for (const [number, { state }] of disk.channels) {
      if (state.name === channel) return disk.find(number, time);
    }
    return 1;
  }

  /** A second is over. */
  tick(): void {
    for (const session of this.sessions) session.tick();
    this.context.router.sweep();
  }

  #diskOf(channel: string): Disk {
    return policyOf(this.#policies, channel)?.storage === "durable" ? this.#disk : this.#memory;
  }

  /** SIGTERM: what was taken is stored, and answered. `turn` lets the logs do what they have begun, and says whether to go on. */
  async stop(turn: () => Promise<boolean>): Promise<void> {
    for (const session of this.sessions) session.stopReceiving();
    let isClosed = false;
    this.stored.settled().then(() => {
      for (const session of this.sessions) session.shutDown();
      return this.stored.close();
    }).then(() => isClosed = true);
    while (!isClosed && await turn());
    this.#isAlive = false;
  }

  /** SIGKILL. A commit under way is stored or not. */
  crash(isStored: boolean): void {
    this.#isAlive = false;
    this.durable.crash(isStored);
    this.history.crash(false);
  }
}

/** The time of day when a schedule begins. */
export const TIME_OF_DAY = Date.UTC(2026, 10, 25, 12);

/** A log that reports errors and drops the rest. */
function logWith(error: Log["error"]): Log {
  const ignore = () => {};
  const log: Log = { with: () => log, debug: ignore, info: ignore, warn: ignore, error };
  return log;
}
