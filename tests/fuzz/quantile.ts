/**
 * Quantiles.
 *
 * @module
 */

/** The value below which a share `q` (0 to 1) of `values` lies; 0 if `values` is empty. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
}
