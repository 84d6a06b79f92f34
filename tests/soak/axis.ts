/**
 * Axes with round steps and suitable units.
 *
 * @module
 */

/** Round marks from 0 to at least `max`, in about `count` steps of 1, 2 or 5 times a power of ten. */
export function marks(max: number, count: number, steps: readonly number[] = [1, 2, 2.5, 5, 10]): number[] {
  if (!(max > 0)) return [0, 1];
  const rough = max / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = (steps.find((factor) => factor * power >= rough * 0.999) ?? 10) * power;
  const last = Math.ceil(max / step - 1e-9);
  return Array.from({ length: last + 1 }, (_, index) => Number((index * step).toPrecision(12)));
}

/** Marks for a time from 0 to at most `seconds`, with their labels: 30 s, 2 min, 1 h. */
export function timeMarks(seconds: number, count: number): { seconds: number; text: string }[] {
  const [unit, name] = seconds >= 3 * 3600 ? [3600, "h"] : seconds >= 180 ? [60, "min"] : [1, "s"];
  const steps = unit === 1 || unit === 60 ? [1, 2, 5, 10, 15, 20, 30, 60] : [1, 2, 3, 6, 12, 24, 48, 168];
  const rough = seconds / unit / count;
  const step = unit === 1 && rough <= 0.5 ? 0.5 : steps.find((step) => step >= rough) ?? Math.ceil(rough);
  const found: { seconds: number; text: string }[] = [];
  for (let at = 0; at <= seconds / unit + 1e-9; at += step) {
    found.push({ seconds: at * unit, text: `${at} ${name}` });
  }
  return found;
}

/** A short form of a count: 950, 12.5 k, 3 M. */
export function countText(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`;
  if (value >= 1e3) return `${Number((value / 1e3).toPrecision(3))} k`;
  return String(Number(value.toPrecision(3)));
}
