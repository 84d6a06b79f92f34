/**
 * Numbers, sizes and times for people.
 *
 * @module
 */

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const SMALL = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** A count: `1,204`. */
export function formatCount(count: number): string {
  return WHOLE.format(count);
}

/** A number in few characters: `950`, `1.2K`, `3.4M`. */
export function formatCompact(value: number): string {
  return value < 10 ? SMALL.format(value) : COMPACT.format(value);
}

/** A rate: `0`, `0.4`, `1,204`. */
export function formatRate(rate: number): string {
  return rate > 0 && rate < 10 ? SMALL.format(rate) : WHOLE.format(rate);
}

/**
 * A size in bytes.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { formatBytes } from "./format.ts";
 *
 * assertEquals(formatBytes(900), "900 B");
 * assertEquals(formatBytes(1536), "1.5 KiB");
 * ```
 */
export function formatBytes(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? WHOLE.format(value) : SMALL.format(value)} ${UNITS[unit]}`;
}

/** Milliseconds: `0.4 ms`, `12 ms`, `1.2 s`. */
export function formatMs(ms: number): string {
  if (ms >= 1000) return `${SMALL.format(ms / 1000)} s`;
  return `${ms < 10 ? SMALL.format(ms) : WHOLE.format(ms)} ms`;
}

/**
 * How long something took, or has lasted, in its two largest units.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { formatDuration } from "./format.ts";
 *
 * assertEquals(formatDuration(42), "42 s");
 * assertEquals(formatDuration(3_725), "1 h 2 min");
 * ```
 */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const parts: [number, string][] = [
    [Math.floor(whole / 86_400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first === -1) return "0 s";
  return parts.slice(first, first + 2).filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`).join(" ");
}

/** A time of day, to the second. */
export function formatTime(time: string | Date): string {
  return new Date(time).toLocaleTimeString("en-GB");
}

/** `1 message`, `2 messages`. */
export function countOf(count: number, one: string, several = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : several}`;
}
