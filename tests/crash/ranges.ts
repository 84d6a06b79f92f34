/**
 * A set of whole numbers, kept as ranges: millions of sequences take no more than their gaps do.
 *
 * @module
 */

/** The numbers from `from` up to, but not including, `to`. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** See the module's comment. Adding at the end is cheap, and so is a set with few gaps. */
export class Ranges {
  /** In order, apart from each other. */
  readonly #ranges: { from: number; to: number }[] = [];

  /** How many numbers it has. */
  get size(): number {
    return this.#ranges.reduce((sum, { from, to }) => sum + to - from, 0);
  }

  get all(): readonly Range[] {
    return this.#ranges;
  }

  /** The highest number, or `undefined` if there is none. */
  get highest(): number | undefined {
    const last = this.#ranges.at(-1);
    return last && last.to - 1;
  }

  has(number: number): boolean {
    const range = this.#ranges[this.#firstEndingAfter(number)];
    return range !== undefined && range.from <= number;
  }

  /** Adds the numbers of `[from, to)`. */
  add(from: number, to: number): void {
    if (from >= to) return;
    const ranges = this.#ranges;
    const start = this.#firstEndingAfter(from - 1); // a neighbour is joined
    let end = start;
    while (end < ranges.length && ranges[end].from <= to) {
      from = Math.min(from, ranges[end].from);
      to = Math.max(to, ranges[end].to);
      end++;
    }
    ranges.splice(start, end - start, { from, to });
  }

  /** What it has of `[from, to)`. */
  common(from: number, to: number): Range[] {
    const common: Range[] = [];
    for (let i = this.#firstEndingAfter(from); i < this.#ranges.length; i++) {
      const range = this.#ranges[i];
      if (range.from >= to) break;
      common.push({ from: Math.max(from, range.from), to: Math.min(to, range.to) });
    }
    return common;
  }

  /** What it lacks of `[from, to)`. */
  missing(from: number, to: number): Range[] {
    const missing: Range[] = [];
    for (const range of this.common(from, to)) {
      if (range.from > from) missing.push({ from, to: range.from });
      from = range.to;
    }
    if (from < to) missing.push({ from, to });
    return missing;
  }

  /** The index of the first range that ends after `number`. */
  #firstEndingAfter(number: number): number {
    const ranges = this.#ranges;
    let high = ranges.length;
    if (high === 0 || ranges[high - 1].to <= number) return high; // most are added at the end
    let low = 0;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ranges[middle].to > number) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
