/**
 * Names that differ so little that one may have been meant for the other.
 *
 * @module
 */

/**
 * Whether two names are the same but for upper and lower case, or but for one character.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { isSimilar } from "./similar.ts";
 *
 * assert(isSimilar("orders.new", "Orders.new"));
 * assert(isSimilar("orders.new", "order.new"));
 * assert(!isSimilar("orders.new", "orders.old"));
 * ```
 */
export function isSimilar(one: string, other: string): boolean {
  if (one === other || Math.abs(one.length - other.length) > 1) return false;
  const [a, b] = [one.toLowerCase(), other.toLowerCase()];
  if (a === b) return true;
  let same = 0;
  while (same < a.length && a[same] === b[same]) same++;
  const [restA, restB] = [a.slice(same), b.slice(same)];
  return restA.slice(1) === restB.slice(1) || restA === restB.slice(1) || restA.slice(1) === restB;
}
