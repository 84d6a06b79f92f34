/**
 * Whether something grows: how memory and descriptors of a server under an even load are judged.
 *
 * Both go up and down all the time, because garbage is collected and clients come and go. What leaks shows at the
 * bottom: what is left when there is least. So, after a warm-up, time is cut into 20 equal windows, the lowest value in
 * each is taken, and through those the median of the slopes between any two is drawn (Theil and Sen's line), which some
 * odd windows do not move. The growth is what that line rises by from the first window to the last.
 *
 * @module
 */

/** A value at a time. */
export interface Point {
  readonly seconds: number;
  readonly value: number;
}

/** A line through values over time. */
export interface Trend {
  /** Where the line begins and ends. */
  readonly from: Point;
  readonly to: Point;
  /** What it rises by in between; negative where it falls. */
  readonly growth: number;
}

/** What growth is still taken for noise: so much, and this share of where the line begins, whichever is more. */
export interface Tolerance {
  readonly absolute: number;
  readonly share: number;
}

/** Enough for a median, and each long enough to have a bottom. */
const WINDOWS = 20;

/** A shorter time says nothing about growth. */
export const LEAST_SECONDS = 30;

/** How long a run of `seconds` warms up: a third of it, at most 2 minutes. */
export function warmUpSeconds(seconds: number): number {
  return Math.min(seconds / 3, 120);
}

/** The trend of the points after `fromSeconds`; nothing where they span less than 30 s or are fewer than 40. */
export function trendOf(points: readonly Point[], fromSeconds: number): Trend | undefined {
  const judged = points.filter(({ seconds }) => seconds >= fromSeconds);
  if (judged.length < 2 * WINDOWS) return undefined;
  const span = judged[judged.length - 1].seconds - judged[0].seconds;
  if (span < LEAST_SECONDS) return undefined;
  const bottoms = lowest(judged, span / WINDOWS);
  const slope = median(
    bottoms.flatMap((one, index) =>
      bottoms.slice(index + 1).map((other) => (other.value - one.value) / (other.seconds - one.seconds))
    ),
  );
  const offset = median(bottoms.map(({ seconds, value }) => value - slope * seconds));
  const at = ({ seconds }: Point): Point => ({ seconds, value: offset + slope * seconds });
  const [from, to] = [at(bottoms[0]), at(bottoms[bottoms.length - 1])];
  return { from, to, growth: to.value - from.value };
}

/** Whether a trend rises by more than the tolerance. */
export function isGrowing({ from, growth }: Trend, { absolute, share }: Tolerance): boolean {
  return growth > Math.max(absolute, share * from.value);
}

/** The lowest point of each window of `width` seconds. Windows without points are left out. */
function lowest(points: readonly Point[], width: number): Point[] {
  const bottoms = new Map<number, Point>();
  for (const point of points) {
    const window = Math.min(WINDOWS - 1, Math.floor((point.seconds - points[0].seconds) / width));
    const before = bottoms.get(window);
    if (before === undefined || point.value < before.value) bottoms.set(window, point);
  }
  return [...bottoms.values()];
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
