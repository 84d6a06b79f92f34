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

/** The longest that the server may work while a PING of another session waits. */
export const MAX_STALL_MS = 250;

/**
 * The longest that such a PING may take in all, without what other programs took of the processor. A busy machine delays
 * it in other ways, too: helper threads of the runtime wait, and memory is slow to come.
 */
const MAX_PING_MS = 1000;

/** A stall comes every time, and so does memory that is not given back. */
const TRIES = 3;

/**
 * How much of an attack stands when SIGTERM comes. That shows whether the server ends. What depends on the amount shows
 * when the clients of the whole attack leave.
 */
const STANDING = 1 / 8;

/** A number of an attack: all of it, or less for an attack that is part of the whole. At least 1. */
export type Scaled = (count: number) => number;

function scaledBy(share: number): Scaled {
  return (count) => Math.max(1, Math.ceil(count * share));
}

/** What the longest PING has cost: the server's work meanwhile, and all in all, in milliseconds. */
interface Stall {
  readonly workedMs: number;
  readonly tookMs: number;
}

function isShort({ workedMs, tookMs }: Stall): boolean {
  return workedMs < MAX_STALL_MS && tookMs < MAX_PING_MS;
}

function longer(a: Stall, b: Stall): Stall {
  return { workedMs: Math.max(a.workedMs, b.workedMs), tookMs: Math.max(a.tookMs, b.tookMs) };
}

function said({ workedMs, tookMs }: Stall): string {
  return `${tookMs.toFixed(0)} ms (${workedMs.toFixed(0)} ms of work)`;
}

/** What an attack may cost. */
export interface Bounds {
  /** How much the memory of the server may grow while it lasts, in MiB. */
  readonly growthMiB: number;
  /** How much may be left of that once its clients are gone, in MiB; garbage that is not collected yet included. */
  readonly leftMiB: number;
  /**
   * How much the server may hold of that once its clients are gone and garbage is collected, in MiB. Not measured if left
   * out: one attack shows it for all that hold memory in the same way.
   */
  readonly heldMiB?: number;
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

  /** The longest that a PING has taken since this was last called. */
  async longest(): Promise<Stall> {
    const answer = await this.#ask("report") as Partial<Stall>;
    assert(answer.tookMs !== undefined && answer.workedMs !== undefined, JSON.stringify(answer));
    return { tookMs: answer.tookMs, workedMs: answer.workedMs };
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

/**
 * Registers an attack that must not make another session's PING wait; see the module's comment. The attack scales its
 * numbers by what it is given.
 */
export function stallAttack(
  name: string,
  options: HostOptions,
  bounds: Bounds,
  attack: (harness: Harness<ProcessHost>, scaled: Scaled) => Promise<void>,
): void {
  const { heldMiB } = bounds;
  processAttack(name, { ...options, isMeasured: heldMiB !== undefined }, async (harness) => {
    using ping = new PingClient();
    await ping.connect(harness.host);
    const { server } = harness.host;
    const heldBefore = heldMiB === undefined ? 0 : await harness.host.heldBytes();
    const descriptors = server.descriptors();
    const measured: string[] = [];
    const grownMiB = () => (server.residentBytes() - before) / MiB;
    let stall: Stall | undefined;
    let growth = Infinity;
    let left = Infinity;
    const before = server.residentBytes();
    const isWithin = () =>
      stall !== undefined && isShort(stall) && growth <= bounds.growthMiB && left <= bounds.leftMiB;
    for (let i = 0; i < TRIES && !isWithin(); i++) {
      let most = 0;
      const watching = setInterval(() => most = Math.max(most, grownMiB()), 20);
      await ping.longest();
      const start = performance.now();
      await attack(harness, scaledBy(1)).finally(() => clearInterval(watching));
      const tookMs = performance.now() - start;
      const attackStall = await ping.longest();
      harness.closeClients();
      await freed(harness, descriptors);
      const closeStall = await ping.longest();
      const both = longer(attackStall, closeStall);
      stall = stall === undefined || isShort(both) ? both : stall;
      growth = Math.min(growth, most);
      left = Math.min(left, grownMiB());
      measured.push(
        `a PING took ${said(attackStall)} in ${tookMs.toFixed(0)} ms of attack, ${
          said(closeStall)
        } while its clients leave; memory +${most.toFixed(0)} MiB, then +${grownMiB().toFixed(0)}`,
      );
    }
    const all = measured.join("\n");
    assert(isShort(stall!), `a PING of another session took ${said(stall!)}:\n${all}`);
    assert(growth <= bounds.growthMiB, `more than ${bounds.growthMiB} MiB:\n${all}`);
    assert(left <= bounds.leftMiB, `more than ${bounds.leftMiB} MiB stay:\n${all}`);
    if (heldMiB !== undefined) {
      // Sessions that had much open leave it bit by bit, also after their descriptors are free.
      let held = Infinity;
      for (let before = Infinity; held > heldMiB; before = held) {
        held = (await harness.host.heldBytes() - heldBefore) / MiB;
        if (held > before - 1) break; // it shrinks no more
      }
      assert(
        held <= heldMiB,
        `it holds ${held.toFixed(1)} MiB more than before, not at most ${heldMiB}:\n${all}`,
      );
    }
    await attack(harness, scaledBy(STANDING));
    await harness.ends(async () => {
      const { code, ms } = await server.terminate();
      assertEquals(code, 0);
      assert(ms < DRAIN_MS + 1000, `SIGTERM took ${Math.round(ms)} ms`);
    });
  });
}
