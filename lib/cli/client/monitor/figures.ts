/**
 * Figures as people read them: counts, rates, sizes and times in a few characters.
 *
 * @module
 */

/**
 * Formats a count: `1,234,567`, in millions from ten million on: `12.3M`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { formatBytes, formatCount, formatRate, formatUptime } from "./figures.ts";
 *
 * assertEquals([formatCount(9_999_999), formatCount(1.23456e10)], ["9,999,999", "12.3G"]);
 * assertEquals([formatRate(0), formatRate(0.25), formatRate(12_345.6)], ["0/s", "0.25/s", "12,346/s"]);
 * assertEquals([formatBytes(512), formatBytes(1_600_000)], ["512 B", "1.53 MiB"]);
 * assertEquals([formatUptime(59), formatUptime(11_520), formatUptime(200_000)], ["59s", "3h 12m", "2d 7h"]);
 * ```
 */
export function formatCount(count: number): string {
  if (count < 1e7) return Math.round(count).toLocaleString("en");
  const [unit, size] = count < 1e9 ? ["M", 1e6] as const : ["G", 1e9] as const;
  return threeDigits(count / size) + unit;
}

/** Formats how often something happens in a second; what is rare has digits behind the point. */
export function formatRate(perSecond: number): string {
  if (perSecond > 0 && perSecond < 10) return `${Number(perSecond.toFixed(2))}/s`;
  return `${formatCount(perSecond)}/s`;
}

const SIZES = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Formats a size in the largest unit of which it has at least one. */
export function formatBytes(bytes: number): string {
  let [size, unit] = [bytes, 0];
  while (size >= 1024 && unit < SIZES.length - 1) [size, unit] = [size / 1024, unit + 1];
  return `${unit === 0 ? Math.round(size) : threeDigits(size)} ${SIZES[unit]}`;
}

/** Formats a time in milliseconds. */
export function formatMs(ms: number): string {
  return ms < 1000 ? `${threeDigits(ms)} ms` : `${threeDigits(ms / 1000)} s`;
}

const TIMES: readonly [unit: string, seconds: number][] = [["d", 86_400], ["h", 3_600], ["m", 60], ["s", 1]];

/** Formats how long something has been running, in two units. */
export function formatUptime(seconds: number): string {
  let left = Math.floor(seconds);
  const parts: string[] = [];
  for (const [unit, size] of TIMES) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0 || parts.length > 0 || unit === "s") parts.push(`${count}${unit}`);
  }
  return parts.slice(0, 2).join(" ");
}

/** `count` with its noun: `1 session`, `2 sessions`. */
export function countOf(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

function threeDigits(value: number): string {
  const digits = value >= 100 || value === 0 ? 0 : value >= 10 ? 1 : 2;
  return value.toFixed(digits);
}
