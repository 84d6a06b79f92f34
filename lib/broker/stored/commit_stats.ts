/**
 * What the commits of one log have done.
 *
 * @module
 */

/** Times are in milliseconds. */
export class CommitStats {
  /** Commits that are on disk. */
  commits = 0;
  /** How long they took together, and the slowest of them. */
  ms = 0;
  slowestMs = 0;
  /** Commits of which nothing was stored. */
  refused = 0;
  /** Whether the last one was refused. */
  isFailing = false;

  /** A commit is on disk, after `ms`. */
  committed(ms: number): void {
    this.commits++;
    this.ms += ms;
    if (ms > this.slowestMs) this.slowestMs = ms;
    this.isFailing = false;
  }

  /** Nothing of a commit was stored. */
  failed(): void {
    this.refused++;
    this.isFailing = true;
  }
}
