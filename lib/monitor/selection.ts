/**
 * Walks over many things without holding up the event loop, and choosing the largest of them without sorting all.
 *
 * @module
 */

import { MONITOR_SLICE_MS } from "../limits.ts";

/** How many things are looked at between two looks at the clock. */
const PER_LOOK = 32;

/**
 * Calls `visit` for each of `items`, and gives the event loop a turn whenever `MONITOR_SLICE_MS` are over. They may change
 * meanwhile, if they are a map or a set.
 */
export async function walk<T>(items: Iterable<T>, visit: (item: T) => void): Promise<void> {
  let until = performance.now() + MONITOR_SLICE_MS;
  let count = 0;
  for (const item of items) {
    visit(item);
    if (++count % PER_LOOK !== 0 || performance.now() < until) continue;
    await turn();
    until = performance.now() + MONITOR_SLICE_MS;
  }
}

/** As {@linkcode walk}, of things each of which takes long: ends early if `visit` returns false. */
export async function walkSlowly<T>(items: Iterable<T>, visit: (item: T) => boolean): Promise<void> {
  let until = performance.now() + MONITOR_SLICE_MS;
  for (const item of items) {
    if (!visit(item)) return;
    if (performance.now() < until) continue;
    await turn();
    until = performance.now() + MONITOR_SLICE_MS;
  }
}

/** Resolves after the event loop has polled the sockets, which it does not do between turns of `setImmediate`. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

/**
 * The items with the largest values.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Largest } from "./selection.ts";
 *
 * const largest = new Largest<string>(2, (text) => text.length);
 * for (const text of ["one", "three", "five", "seven"]) largest.add(text);
 * assertEquals(largest.items, ["three", "seven"]);
 * ```
 */
export class Largest<T> {
  readonly #most: number;
  readonly #valueOf: (item: T) => number;
  #kept: { readonly item: T; readonly value: number }[] = [];
  /** What is not larger is not among them; some are known to be as large. */
  #threshold = -Infinity;

  /** @param most how many are kept */
  constructor(most: number, valueOf: (item: T) => number) {
    this.#most = most;
    this.#valueOf = valueOf;
  }

  /** Keeps `item` if it is one of the largest so far. Of equal ones the first is kept. */
  add(item: T): void {
    const value = this.#valueOf(item);
    if (value <= this.#threshold) return;
    this.#kept.push({ item, value });
    if (this.#kept.length >= 2 * this.#most) this.#select();
  }

  /** The largest first. */
  get items(): T[] {
    this.#select();
    return this.#kept.map(({ item }) => item);
  }

  #select(): void {
    this.#kept.sort((one, other) => other.value - one.value);
    if (this.#kept.length < this.#most) return;
    this.#kept.length = this.#most;
    this.#threshold = this.#kept[this.#most - 1].value;
  }
}
