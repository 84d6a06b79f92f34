/**
 * From which value on a check warns, and from which on it is critical.
 *
 * @module
 */

import { describeAllowed, type Option, parseValue } from "../../../config/option.ts";
import { ParleyError } from "../../../errors.ts";

/** The highest values that are no reason to warn, and not critical. */
export interface Levels {
  /** Undefined if the check never warns. */
  readonly warning: number | undefined;
  readonly critical: number;
}

const KINDS = {
  ms: { kind: "ms", range: [0, 86_400_000], help: "" },
  count: { kind: "integer", range: [0, Number.MAX_SAFE_INTEGER], help: "" },
} as const satisfies Record<string, Option>;

/**
 * Parses `CRITICAL` or `WARNING,CRITICAL`; undefined if the option is not given.
 *
 * @throws {ParleyError} `bad_argument` if it is neither
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { parseLevels } from "./levels.ts";
 *
 * assertEquals(parseLevels("max-lag", "count", "100,1000"), { warning: 100, critical: 1000 });
 * assertEquals(parseLevels("max-latency", "ms", "50ms"), { warning: undefined, critical: 50 });
 * assertThrows(() => parseLevels("max-lag", "count", "9,1"), Error, "must not be larger");
 * ```
 */
export function parseLevels(
  name: string,
  kind: keyof typeof KINDS,
  text: string | undefined,
): Levels | undefined {
  if (text === undefined) return undefined;
  const parts = text.split(",");
  const values = parts.map((part) => parseValue(KINDS[kind], part));
  if (parts.length > 2 || values.some((value) => typeof value !== "number")) {
    const each = describeAllowed(KINDS[kind]);
    throw new ParleyError(
      "bad_argument",
      `--${name} must be ${each}, or two of them as WARNING,CRITICAL, not ${JSON.stringify(text)}`,
    );
  }
  const [first, second] = values as number[];
  if (second === undefined) return { warning: undefined, critical: first };
  if (first > second) {
    throw new ParleyError(
      "bad_argument",
      `--${name} is WARNING,CRITICAL: the first must not be larger than the second, as in ${text}`,
    );
  }
  return { warning: first, critical: second };
}
