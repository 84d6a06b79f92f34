/**
 * A server without connections, as `lib/monitor/` sees it.
 *
 * @module
 */

import type { SessionContext } from "../../lib/broker/context.ts";
import type { Session } from "../../lib/broker/session.ts";
import type { MonitoredServer } from "../../lib/monitor/server.ts";

/** The server of these sessions. */
export function monitored({ router, limits }: SessionContext, sessions: readonly Session[]): MonitoredServer {
  return {
    version: "0",
    limits,
    router,
    stored: router.channels.stored,
    sessions,
    connections: sessions.length,
    pendingBytes: 0,
    isDraining: false,
    uptimeSeconds: 1,
    failedTlsHandshakes: 0,
    loopDelay: { mean: 0, max: 0 },
    history: { stepSeconds: 1, until: "", columns: [], samples: [] },
    config: [],
    time: () => new Date(),
    operator: () => Promise.resolve(undefined),
  };
}
