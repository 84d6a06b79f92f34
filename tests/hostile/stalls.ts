/**
 * Attacks on the server's time: whatever one session makes it do, another session's PING is answered soon, memory is
 * bounded and given back, and SIGTERM ends the server in time.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { DRAIN_MS } from "../../lib/limits.ts";
import { within } from "../harness/deadline.ts";
import type { HostOptions, ProcessHost } from "./host.ts";
import { freed, type Harness, processAttack } from "./harness.ts";

const MiB = 1024 * 1024;

/** The longest that a PING of another session may take. */
export const MAX_STALL_MS = 250;

/** What other programs take of the processor is not counted, but there is more than that; a stall comes every time. */
const TRIES = 2;

/** What an attack may cost. */
export interface Bounds {
  /** How much the memory of the server may grow while it lasts, in MiB. */
  readonly growthMiB: number;
  /** How much may be left of that once its clients are gone, in MiB; garbage that is not collected yet included. */
  readonly leftMiB: number;
}

/** Sends PINGs all the while, from a thread of its own. */
class PingClient implements Disposable {
  readonly #worker = new Worker(new URL("./ping_worker.ts", import.meta.url), { type: "module" });
  #answered = Promise.withResolvers<unknown>();

  constructor() {
    this.#worker.onmessage = ({ data }) => this.#answered.resolve(data);
    this.#worker.onerror = (event) => this.#answered.reject(new Error(event.message));
  }

  async connect(host: ProcessHost): Promise<void> {
    const { hostname, port, authority, server: { pid } } = host;
    assertEquals(await this.#ask({ hostname, port, authority, pid }), "ready");
  }

  /** The longest time that a PING has taken since this was last called, in milliseconds. */
  async longestMs(): Promise<number> {
    const answer = await this.#ask("report") as { longestMs?: number };
    assert(answer.longestMs !== undefined, JSON.stringify(answer));
    return answer.longestMs;
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }

  #ask(message: unknown): Promise<unknown> {
    this.#answered = Promise.withResolvers();
    this.#worker.postMessage(message);
    return within(this.#answered.promise, "answer of the session that sends PINGs");
  }
}

/** Registers an attack that must not make another session's PING wait; see the module's comment. */
export function stallAttack(
  name: string,
  options: HostOptions,
  bounds: Bounds,
  attack: (harness: Harness<ProcessHost>) => Promise<void>,
): void {
  processAttack(name, options, async (harness) => {
    using ping = new PingClient();
    await ping.connect(harness.host);
    const { server } = harness.host;
    const descriptors = server.descriptors();
    const measured: string[] = [];
    let stallMs = Infinity;
    let [growth, left] = [Infinity, Infinity];
    const before = server.residentBytes();
    for (let i = 0; i < TRIES && (stallMs >= MAX_STALL_MS || growth > bounds.growthMiB * MiB); i++) {
      let most = 0;
      const watching = setInterval(() => most = Math.max(most, server.residentBytes()), 20);
      await ping.longestMs();
      const start = performance.now();
      await attack(harness).finally(() => clearInterval(watching));
      const tookMs = performance.now() - start;
      const attackMs = await ping.longestMs();
      harness.closeClients();
      await freed(harness, descriptors);
      const closeMs = await ping.longestMs();
      stallMs = Math.min(stallMs, Math.max(attackMs, closeMs));
      growth = Math.min(growth, most - before);
      left = Math.min(left, server.residentBytes() - before);
      measured.push(
        `stall ${attackMs.toFixed(0)} ms in ${tookMs.toFixed(0)} ms, ${
          closeMs.toFixed(0)
        } ms while its clients leave; ` +
          `memory +${((most - before) / MiB).toFixed(0)} MiB, then +${
            ((server.residentBytes() - before) / MiB).toFixed(0)
          }`,
      );
    }
    const said = measured.join("\n");
    assert(stallMs < MAX_STALL_MS, `a PING of another session took ${Math.round(stallMs)} ms:\n${said}`);
    assert(growth <= bounds.growthMiB * MiB, `more than ${bounds.growthMiB} MiB:\n${said}`);
    assert(left <= bounds.leftMiB * MiB, `more than ${bounds.leftMiB} MiB stay:\n${said}`);
    await attack(harness);
    await harness.ends(async () => {
      const { code, ms } = await server.terminate();
      assertEquals(code, 0);
      assert(ms < DRAIN_MS + 1000, `SIGTERM took ${Math.round(ms)} ms`);
    });
  });
}
