/**
 * What the workloads of a soak share: the server, the end of the run, and the counters.
 *
 * @module
 */

import { type Client, connect, type Message, type Subscription } from "../../lib/mod.ts";
import { within } from "../harness/deadline.ts";
import { type Random, seeded } from "../harness/seeded.ts";
import { filler } from "../fuzz/payloads.ts";
import type { Counters } from "./counters.ts";

/** How long messages in flight may take to arrive after the load has ended. */
export const SETTLE_MS = 15_000;

/** One workload: runs until the harness is over, settles, checks its result, and closes its sessions. */
export type Workload = (harness: Harness) => Promise<void>;

/** The shared state of one soak. */
export class Harness {
  readonly counters: Counters;
  readonly hostname: string;
  readonly port: number;
  readonly random: Random;
  readonly #over: Promise<void>;
  isOver = false;

  /** @param over resolves when the load must end */
  constructor(
    counters: Counters,
    address: { hostname: string; port: number },
    over: Promise<void>,
    seed: number,
  ) {
    this.counters = counters;
    this.hostname = address.hostname;
    this.port = address.port;
    this.random = seeded(seed);
    this.#over = over.then(() => {
      this.isOver = true;
    });
  }

  /** Connects a session whose errors count as problems. */
  connect(name: string): Promise<Client> {
    const { hostname, port } = this;
    return connect({
      hostname,
      port,
      name,
      reconnect: false,
      onError: (error) => this.counters.addProblem(`${name}: ${error.message}`),
    });
  }

  /** Waits for `ms` milliseconds, or until the run is over. */
  async pause(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const time = new Promise<void>((resolve) => timer = setTimeout(resolve, ms));
    await Promise.race([time, this.#over]);
    clearTimeout(timer);
  }

  /** Waits for messages in flight. Records a problem if `arrived` rejects or takes too long. */
  async settle(arrived: Promise<unknown>, what: () => string): Promise<void> {
    await within(arrived, "arrival", SETTLE_MS).catch((error) =>
      this.counters.addProblem(`${what()}: ${error.message}`)
    );
  }

  /** Reads `input` up to an empty message. Never rejects: an earlier end is recorded as a problem. */
  async readToEnd(input: Subscription, take: (message: Message) => void | Promise<void>): Promise<void> {
    try {
      for await (const message of input) {
        if (message.payload.length === 0) return;
        this.counters.delivered++;
        await take(message);
      }
      this.counters.addProblem(`${input.channel}: closed before the last message`);
    } catch (error) {
      this.counters.addProblem(`${input.channel}: ${error instanceof Error ? error.message : error}`);
    }
  }
}

/** Size of the number at the beginning of a payload; the rest is filler. */
const NUMBER_BYTES = 4;

/** Makes numbered payloads of `size` bytes, at least 4. Every call returns the same array with another number. */
export function numbered(random: Random, size: number): (number: number) => Uint8Array {
  const payload = filler(random, Math.max(size, NUMBER_BYTES));
  const view = new DataView(payload.buffer, payload.byteOffset);
  return (number) => {
    view.setUint32(0, number);
    return payload;
  };
}

/** The number of a payload. */
export function numberOf(payload: Uint8Array): number {
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0);
}
