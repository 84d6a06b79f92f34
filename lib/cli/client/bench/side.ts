/**
 * What both workloads share: the connections of a side, and what it counts.
 *
 * @module
 */

import type { Client } from "../../../client/api.ts";
import { connect } from "../../../client/connect.ts";
import type { ConnectOptions } from "../../../client/options.ts";
import { Latencies } from "./latencies.ts";
import type { Counts, Storage } from "./plan.ts";
import { ThreadLoad, type ThreadLoadOptions } from "./thread_load.ts";

/** Connections that are opened at the same time: more would be a flood of handshakes. */
const AT_ONCE = 32;

/** A side whose connections are open. */
export interface RunningSide {
  /** Messages since `count`, for the progress. */
  readonly messages: number;
  /** How the server stores the channel, if the side receives from a stored one. */
  readonly storage?: Storage;
  /** Begins to send. A side that receives has begun when it was opened. */
  start(): void;
  /** Forgets what was counted. */
  count(): void;
  /** Ends, and tells what was counted. */
  stop(): Counts;
}

/** What a side counts. */
export class Counter {
  messages = 0;
  isStopped = false;
  readonly latencies = new Latencies();
  readonly load: ThreadLoad;

  /** See {@linkcode ThreadLoad}. */
  constructor(options?: ThreadLoadOptions) {
    this.load = new ThreadLoad(options);
  }

  /** Forgets what was counted. */
  restart(): void {
    this.messages = 0;
    this.latencies.clear();
    this.load.restart();
  }

  /** Ends the side's loops, and tells what was counted. */
  stop(): Counts {
    this.isStopped = true;
    const { messages, latencies, load: { ms, busy } } = this;
    return { messages, ms, latencies: latencies.encode(), busy };
  }
}

/** Opens `count` connections; `use` prepares each of them. A failure of one is passed to `fail`. */
export async function openConnections(
  count: number,
  options: ConnectOptions,
  fail: (error: unknown) => void,
  use: (client: Client) => Promise<void> = () => Promise.resolve(),
): Promise<Client[]> {
  const clients: Client[] = [];
  while (clients.length < count) {
    const length = Math.min(AT_ONCE, count - clients.length);
    const opened = await Promise.all(Array.from({ length }, async () => {
      const client = await connect({ ...options, reconnect: false, onError: fail });
      client.closed.then((error) => error !== undefined && fail(error));
      await use(client);
      return client;
    }));
    clients.push(...opened);
  }
  return clients;
}

/** The time in milliseconds, the same in all threads. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}
