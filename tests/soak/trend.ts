/**
 * Detects growth of the memory and descriptors of a server under a constant load.
 *
 * Both vary all the time, because garbage is collected and clients connect and close. A leak shows in the lowest values.
 * So the time after a warm-up is divided into 20 equal windows, the lowest value of each is taken, and a line is fitted
 * whose slope is the median of the slopes between any two of them (the Theil-Sen estimator), which ignores outliers. The
 * growth is the rise of that line from the first window to the last.
 *
 * @module
 */

/** A value at one time. */
export interface Point {
  readonly seconds: number;
  readonly value: number;
}

/** A line through values over time. */
export interface Trend {
  /** The ends of the line. */
  readonly from: Point;
  readonly to: Point;
  /** The rise from `from` to `to`; negative if it falls. */
  readonly growth: number;
}

/** Growth that counts as noise: `absolute`, or `share` of the first value, whichever is more. */
export interface Tolerance {
  readonly absolute: number;
  readonly share: number;
}

/** Enough for a median, and each long enough to contain a low value. */
const WINDOWS = 20;

/** A shorter time is too short for a trend. */
export const LEAST_SECONDS = 30;

/** The warm-up of a run of `seconds`: a third of it, at most 2 minutes. */
export function warmUpSeconds(seconds: number): number {
  return Math.min(seconds / 3, 120);
}

/** The trend of the points after `fromSeconds`; `undefined` if they span less than 30 s or are fewer than 40. */
export function trendOf(points: readonly Point[], fromSeconds: number): Trend | undefined {
  const used = points.filter(({ seconds }) => seconds >= fromSeconds);
  if (used.length < 2 * WINDOWS) return undefined;
  const span = used[used.length - 1].seconds - used[0].seconds;
  if (span < LEAST_SECONDS) return undefined;
  const minima = lowest(used, span / WINDOWS);
  const slope = median(
    minima.flatMap((one, index) =>
      minima.slice(index + 1).map((other) => (other.value - one.value) / (other.seconds - one.seconds))
    ),
  );
  const offset = median(minima.map(({ seconds, value }) => value - slope * seconds));
  const at = ({ seconds }: Point): Point => ({ seconds, value: offset + slope * seconds });
  const [from, to] = [at(minima[0]), at(minima[minima.length - 1])];
  return { from, to, growth: to.value - from.value };
}

/** Whether a trend rises by more than the tolerance. */
export function isGrowing({ from, growth }: Trend, { absolute, share }: Tolerance): boolean {
  return growth > Math.max(absolute, share * from.value);
}

/** The lowest point of each window of `width` seconds. Windows without points are left out. */
function lowest(points: readonly Point[], width: number): Point[] {
  const minima = new Map<number, Point>();
  for (const point of points) {
    const window = Math.min(WINDOWS - 1, Math.floor((point.seconds - points[0].seconds) / width));
    const before = minima.get(window);
    if (before === undefined || point.value < before.value) minima.set(window, point);
  }
  return [...minima.values()];
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
