/**
 * What a soak counts, and what it finds wrong.
 *
 * @module
 */

/** Enough to see what is going on; a fault that comes a thousand times is still one. */
const MAX_PROBLEMS = 20;

/** Counters that all parts of the load share. */
export class Tally {
  published = 0;
  /** Messages that arrived where they should, each counted once per receiver. */
  delivered = 0;
  answers = 0;
  /** Sessions that came, did something and went. */
  visits = 0;
  /** Sessions that did not read, and were closed for it. */
  slowClosed = 0;
  /** What must not have happened; the first twenty. */
  readonly problems: string[] = [];

  /** Notes a fault. */
  found(problem: string): void {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push(problem);
  }
}
