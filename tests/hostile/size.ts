/**
 * The size of attacks that take long: `deno task soak:attacks` runs them as large as they were when an earlier version did
 * not hold, the tests a smaller one of the same kind.
 *
 * @module
 */

import { isGranted } from "../harness/permissions.ts";

/** Whether attacks have their full size. */
export const IS_FULL_SIZE: boolean = isGranted("env") && Deno.env.get("PARLEY_ATTACKS") === "full";

/** `full` with `deno task soak:attacks`, `small` otherwise. */
export function sized(small: number, full: number): number {
  return IS_FULL_SIZE ? full : small;
}
