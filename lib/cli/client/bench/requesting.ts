/**
 * The workload `request`: connections send requests, each of them several at once, and others answer.
 *
 * @module
 */

import type { Client } from "../../../client/api.ts";
import type { Order, Plan } from "./plan.ts";
import { Counter, openConnections, type RunningSide } from "./side.ts";

type Opening = Order & { readonly type: "open" };

/** Opens one side. Its failures are passed to `fail`. */
export function requestingSide(order: Opening, fail: (error: unknown) => void): Promise<RunningSide> {
  return order.side === "send" ? requesters(order, fail) : responders(order, fail);
}

async function requesters(
  { plan, channel, connect }: Opening,
  fail: (error: unknown) => void,
): Promise<RunningSide> {
  const counter = new Counter();
  const clients = await openConnections(plan.connections, connect, fail);
  return {
    get messages() {
      return counter.messages;
    },
    start: () => {
      for (const client of clients) {
        for (let i = 0; i < plan.underWay; i++) {
          request(client, channel, plan, counter).catch((error) => counter.isStopped || fail(error));
        }
      }
    },
    count: () => counter.restart(),
    stop: () => counter.stop(),
  };
}

async function request(client: Client, channel: string, { size }: Plan, counter: Counter): Promise<void> {
  const payload = new Uint8Array(size);
  while (!counter.isStopped) {
    const fromMs = performance.now();
    await client.request(channel, payload);
    counter.latencies.record(performance.now() - fromMs);
    counter.messages++;
  }
}

async function responders(
  { plan, channel, connect }: Opening,
  fail: (error: unknown) => void,
): Promise<RunningSide> {
  const counter = new Counter();
  await openConnections(plan.subscribers, connect, fail, async (client) => {
    const concurrency = Infinity;
    const responder = await client.respond(channel, (request) => request.payload, { concurrency });
    responder.finished.catch(() => {}); // `closed` tells
  });
  return {
    messages: 0, // the other side counts
    start: () => {},
    count: () => counter.restart(),
    stop: () => counter.stop(),
  };
}
