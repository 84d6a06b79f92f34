/**
 * Numbers with units, for tables.
 *
 * @module
 */

/** A value with three significant digits and its unit: 30.3 M, 13.1 KiB, 61.0 ms. */
export function formatValue(value: number, unit: string): string {
  if (unit === "bytes") return `${digits(value / 1024)} KiB`;
  if (unit === "ms") return `${digits(value)} ms`;
  if (value >= 1e9) return `${digits(value / 1e9)} G`;
  if (value >= 1e6) return `${digits(value / 1e6)} M`;
  if (value >= 1e4) return `${digits(value / 1e3)} k`;
  return String(Math.round(value));
}

/** At least three significant digits, and all digits before the point. */
export function digits(value: number): string {
  return value >= 99.95 ? String(Math.round(value)) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}
