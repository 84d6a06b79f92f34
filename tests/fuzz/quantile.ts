/**
 * Quantiles.
 *
 * @module
 */

/** The value below which a share `q` of `values` lies; 0 where there are none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
}
