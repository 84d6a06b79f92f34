/**
 * The workloads `publish` and `fan-out`: connections publish as fast as the window allows, others receive.
 *
 * @module
 */

import type { Client, Subscription } from "../../../client/api.ts";
import type { Order, Plan, Storage } from "./plan.ts";
import { Counter, nowMs, openConnections, type RunningSide } from "./side.ts";

type Opening = Order & { readonly type: "open" };

/** Messages published without a pause. They carry the same time, which is that of the first. */
const BURST = 64;

/** Bytes published without a pause, if that is less. */
const BURST_BYTES = 65_536;

/** On a durable channel, a receipt is waited for after so many bursts, while as many are on their way. */
const BURSTS_STORED = 64;

/** Above so many messages under way, the time of every 61st one is recorded; the time of each would slow them down. */
const SAMPLED_FROM = 1_024;
const SAMPLED = 61;

/** How often the receiving side tells what has arrived, in one window. */
const STEPS = 8;

/** Opens one side. Its failures are passed to `fail`. */
export function publishingSide(order: Opening, fail: (error: unknown) => void): Promise<RunningSide> {
  return order.side === "send" ? sendingSide(order, fail) : receivingSide(order, fail);
}

async function sendingSide(
  { plan, channel, connect, storage, port }: Opening,
  fail: (error: unknown) => void,
): Promise<RunningSide> {
  const counter = new Counter({ countsWaits: true });
  const every = storage === "durable" ? BURSTS_STORED : 1;
  const window = new Window(plan, port);
  const clients = await openConnections(plan.connections, connect, fail);
  return {
    messages: 0, // the other side counts
    start: () => clients.forEach((client) => send(client, channel, plan, window, counter, every).catch(fail)),
    count: () => counter.restart(),
    stop: () => counter.stop(),
  };
}

/**
 * @param every after how many bursts it waits until the one before as many is taken. On a durable channel that is its
 * receipt
 */
async function send(
  client: Client,
  channel: string,
  { size, connections, underWay }: Plan,
  window: Window,
  counter: Counter,
  every: number,
): Promise<void> {
  const payload = new Uint8Array(size);
  const view = new DataView(payload.buffer);
  // At most the step in which arrivals are told: a larger burst could wait for room that is never told.
  const burst = Math.max(1, Math.min(BURST, Math.floor(underWay / STEPS), Math.floor(BURST_BYTES / size)));
  let [taken, earlier] = [Promise.resolve(), Promise.resolve()];
  let bursts = 0;
  while (!counter.isStopped) {
    const fromMs = performance.now();
    if (bursts++ % every === 0) {
      await (every === 1 ? taken : earlier);
      earlier = taken;
    }
    while (!window.hasRoom(burst)) await window.room();
    counter.load.waited((performance.now() - fromMs) / connections);
    window.sent += burst;
    view.setFloat64(0, nowMs());
    for (let i = 0; i < burst; i++) taken = client.publish(channel, payload);
  }
}

/** The window: how much may be under way. The receiving side says what has arrived. */
class Window {
  /** Messages published. */
  sent = 0;

  readonly #size: number;
  #received = 0;
  #more = Promise.withResolvers<void>();

  constructor({ underWay }: Plan, port: MessagePort) {
    this.#size = underWay;
    port.onmessage = ({ data }: MessageEvent<number>) => {
      this.#received = data;
      this.#more.resolve();
      this.#more = Promise.withResolvers();
    };
  }

  hasRoom(count: number): boolean {
    return this.sent + count - this.#received <= this.#size;
  }

  /** Resolves when more has arrived. */
  room(): Promise<void> {
    return this.#more.promise;
  }
}

async function receivingSide(
  { plan, channel, connect, port }: Opening,
  fail: (error: unknown) => void,
): Promise<RunningSide> {
  const counter = new Counter();
  const arrivals = new Arrivals(plan, port);
  let storage: Storage | undefined;
  await openConnections(plan.subscribers, connect, fail, async (client) => {
    const subscription = await client.subscribe(channel);
    storage = subscription.stored?.storage;
    receive(subscription, plan, arrivals, counter).catch(fail);
  });
  return {
    storage,
    get messages() {
      return counter.messages;
    },
    start: () => {},
    count: () => counter.restart(),
    stop: () => counter.stop(),
  };
}

async function receive(
  subscription: Subscription,
  { underWay }: Plan,
  arrivals: Arrivals,
  counter: Counter,
): Promise<void> {
  const every = underWay < SAMPLED_FROM ? 1 : SAMPLED;
  while (true) {
    for (let rest = every; rest > 1; rest--) {
      if ((await subscription.next()).done) return;
    }
    const { value } = await subscription.next();
    if (value === undefined) return;
    const { buffer, byteOffset } = value.payload;
    counter.latencies.record(nowMs() - new DataView(buffer, byteOffset).getFloat64(0));
    counter.messages += every;
    arrivals.add(every);
  }
}

/** Tells the sending side how many messages have arrived. */
class Arrivals {
  readonly #subscribers: number;
  readonly #step: number;
  readonly #port: MessagePort;
  #count = 0;
  #next: number;

  constructor({ subscribers, underWay }: Plan, port: MessagePort) {
    this.#subscribers = subscribers;
    this.#step = subscribers * Math.max(1, Math.floor(underWay / STEPS));
    this.#port = port;
    this.#next = this.#step;
  }

  /** More have arrived at one of the subscribers. */
  add(count: number): void {
    this.#count += count;
    if (this.#count < this.#next) return;
    this.#next = this.#count + this.#step;
    this.#port.postMessage(Math.floor(this.#count / this.#subscribers));
  }
}
