/**
 * Times as the protocol writes them: RFC 3339.
 *
 * @module
 */

const RFC_3339 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt]([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(?:\.(\d+))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))$/;

/**
 * Reads a time. A part of a millisecond counts as a whole one, so nothing before the time is at it or later.
 *
 * @returns milliseconds since 1970, or `undefined` if `text` is not as RFC 3339 says, such as without an offset from UTC
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseTime } from "./time.ts";
 *
 * assertEquals(parseTime("1970-01-01T01:00:00.5+01:00"), 500);
 * assertEquals(parseTime("1970-01-01"), undefined);
 * ```
 */
export function parseTime(text: string): number | undefined {
  const parts = RFC_3339.exec(text);
  if (parts === null) return undefined;
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day); // Date.UTC takes the years 0 to 99 for those from 1900 on
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  date.setUTCHours(hour, minute, second);
  const fraction = parts[7] ?? "";
  const milliseconds = Number(fraction.slice(0, 3).padEnd(3, "0")) +
    (/[1-9]/.test(fraction.slice(3)) ? 1 : 0);
  const offset = (Number(parts[9] ?? 0) * 60 + Number(parts[10] ?? 0)) *
    (parts[8] === "-" ? -60_000 : 60_000);
  return date.getTime() + milliseconds - offset;
}
