/**
 * Compares two builds by the ratios of their rounds: geometric mean and 95% confidence interval.
 *
 * @module
 */

/** A ratio and how certain it is. */
export interface RatioInterval {
  /** Geometric mean of the ratios of all rounds. */
  readonly ratio: number;
  /** Ends of the 95% confidence interval of `ratio`; missing with fewer than two rounds. */
  readonly low?: number;
  /** See {@linkcode RatioInterval.low}. */
  readonly high?: number;
}

/**
 * Student's t interval of the logarithms of `ratios`; `undefined` without any.
 *
 * Logarithms, because 2x and 0.5x are equally far from 1x. The interval assumes independent rounds, so each round needs
 * a server process of its own: the speed of one process depends on where its code and memory happen to be.
 */
export function ratioInterval(ratios: readonly number[]): RatioInterval | undefined {
  const count = ratios.length;
  if (count === 0) return undefined;
  const logs = ratios.map(Math.log);
  const mean = logs.reduce((sum, log) => sum + log, 0) / count;
  if (count === 1) return { ratio: Math.exp(mean) };
  const variance = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / (count - 1);
  const margin = tQuantile(count - 1) * Math.sqrt(variance / count);
  return { ratio: Math.exp(mean), low: Math.exp(mean - margin), high: Math.exp(mean + margin) };
}

/** The 97.5% quantile of the normal distribution. */
const Z = 1.959964;
/** The 97.5% quantiles of Student's t distribution with 1 to 4 degrees of freedom. */
const FEW_DEGREES = [12.7062, 4.3027, 3.1824, 2.7764];

/** The 97.5% quantile of Student's t distribution; from 5 degrees of freedom on by expansion, 0.2% off at most. */
export function tQuantile(degrees: number): number {
  if (degrees <= FEW_DEGREES.length) return FEW_DEGREES[degrees - 1];
  return Z + (Z ** 3 + Z) / (4 * degrees) + (5 * Z ** 5 + 16 * Z ** 3 + 3 * Z) / (96 * degrees ** 2) +
    (3 * Z ** 7 + 19 * Z ** 5 + 17 * Z ** 3 - 15 * Z) / (384 * degrees ** 3);
}
