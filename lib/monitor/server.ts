/**
 * What monitoring needs of the server, and the sums over all of its sessions.
 *
 * @module
 */

import type { Counters, Traffic } from "../broker/counters.ts";
import type { Router } from "../broker/router.ts";
import type { Session } from "../broker/session.ts";
import type { StoreOperator } from "../broker/stored/operator.ts";
import type { StoredChannels } from "../broker/stored/stored_channels.ts";
import type { Limits } from "../limits.ts";
import type { ConfigEntry, ServerStats, StatsHistory } from "../wire/stats.ts";
import type { LoopDelays } from "./loop_delay.ts";

/** See the module's comment. */
export interface MonitoredServer {
  readonly version: string;
  readonly limits: Readonly<Limits>;
  readonly router: Router;
  /** The channels that are stored, if any are. */
  readonly stored: StoredChannels | undefined;
  /** Clients that are connected, greeted or not. They may change meanwhile. */
  readonly sessions: Iterable<Session>;
  /** How many connections there are. */
  readonly connections: number;
  /** Bytes that wait for all sessions together. */
  readonly pendingBytes: number;
  readonly isDraining: boolean;
  readonly uptimeSeconds: number;
  readonly failedTlsHandshakes: number;
  /** How late the event loop was in the last second. */
  readonly loopDelay: LoopDelays;
  readonly history: StatsHistory;
  /** The options in effect, without secrets. */
  readonly config: readonly ConfigEntry[];
  /** The time of day. */
  time(): Date;
  /** What operators do to stored channels, if the server has any. */
  operator(): Promise<StoreOperator | undefined>;
}

/** A session, as far as it is counted. */
type Counted = Pick<Session, "bytesIn" | "bytesOut"> & {
  readonly active: Pick<Traffic, "messagesIn" | "messagesOut"> | undefined;
};

/** What went through all sessions since the server started. Costs a look at each of them, some 20 ns. */
export function totalTraffic({ ended }: Pick<Counters, "ended">, sessions: Iterable<Counted>): Traffic {
  const total = { ...ended };
  for (const { active, bytesIn, bytesOut } of sessions) {
    if (active !== undefined) {
      total.messagesIn += active.messagesIn;
      total.messagesOut += active.messagesOut;
    }
    total.bytesIn += bytesIn;
    total.bytesOut += bytesOut;
  }
  return total;
}

/** What the server is at the moment. */
export function stateOf({ isDraining, stored }: MonitoredServer): ServerStats["state"] {
  if (isDraining) return "draining";
  return stored?.durable?.commits.stats.isFailing ? "failing" : "ready";
}
