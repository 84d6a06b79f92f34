/**
 * Where the parts of a soak's load meet: the server, the clock that ends it, and the tally.
 *
 * @module
 */

import { type Channel, type Client, connect, type Message } from "../../lib/mod.ts";
import { within } from "../raw_client.ts";
import { type Random, seeded } from "../seeded.ts";
import { filler } from "../fuzz/payloads.ts";
import type { Tally } from "./tally.ts";

/** How long, after the load has ended, what is under way may take to arrive. */
export const SETTLE_MS = 15_000;

/** Each part of the load runs until the scene is over, settles, checks itself, and closes its sessions. */
export type Part = (harness: Harness) => Promise<void>;

/** See the module's comment. */
export class Harness {
  readonly tally: Tally;
  readonly hostname: string;
  readonly port: number;
  readonly random: Random;
  readonly #over: Promise<void>;
  isOver = false;

  /** `over` resolves when no more load is wanted. */
  constructor(tally: Tally, address: { hostname: string; port: number }, over: Promise<void>, seed: number) {
    this.tally = tally;
    this.hostname = address.hostname;
    this.port = address.port;
    this.random = seeded(seed);
    this.#over = over.then(() => {
      this.isOver = true;
    });
  }

  /** A new session. */
  connect(name: string): Promise<Client> {
    const { hostname, port } = this;
    return connect({
      hostname,
      port,
      name,
      onError: (error) => this.tally.found(`${name}: ${error.message}`),
    });
  }

  /** Waits for `ms` milliseconds, or until the scene is over. */
  async pause(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const time = new Promise<void>((resolve) => timer = setTimeout(resolve, ms));
    await Promise.race([time, this.#over]);
    clearTimeout(timer);
  }

  /** Waits for what is under way to arrive. Notes a fault where it does not, and where `arrived` rejects. */
  async settle(arrived: Promise<unknown>, what: () => string): Promise<void> {
    await within(arrived, "arrival", SETTLE_MS).catch((error) =>
      this.tally.found(`${what()}: ${error.message}`)
    );
  }

  /** Reads `input` up to an empty message. Never rejects: what ends the reading before is a fault. */
  async readToEnd(input: Channel, take: (message: Message) => void | Promise<void>): Promise<void> {
    try {
      for await (const message of input) {
        if (message.payload.length === 0) return;
        this.tally.delivered++;
        await take(message);
      }
      this.tally.found(`${input.name}: closed before its end`);
    } catch (error) {
      this.tally.found(`${input.name}: ${error instanceof Error ? error.message : error}`);
    }
  }
}

/** Where in a payload its number is; the rest is filler. */
const NUMBER_BYTES = 4;

/** Makes numbered payloads of `size` bytes, at least 4. The same bytes are given each time, with another number. */
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
