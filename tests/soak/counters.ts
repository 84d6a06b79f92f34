/**
 * The counters and problems of a soak.
 *
 * @module
 */

/** Only the first problems are kept: one that repeats a thousand times is still one. */
const MAX_PROBLEMS = 20;

/** Counters that all workloads share. */
export class Counters {
  published = 0;
  /** Messages that arrived, counted once per receiver. */
  delivered = 0;
  replies = 0;
  /** Sessions that connected, did their work and closed. */
  shortSessions = 0;
  /** Sessions that did not read and were closed as `slow_consumer`. */
  slowConsumersClosed = 0;
  /** The first twenty violations. */
  readonly problems: string[] = [];

  /** Records a violation. */
  addProblem(problem: string): void {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push(problem);
  }
}
