/**
 * Removes what is not to be kept, in steps: a commit never waits for more than a few milliseconds.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { KEY_MS, TRIMMED_BYTES_PER_COMMIT, TRIMMED_ROWS_PER_COMMIT } from "../limits.ts";
import { isCorrupt, prepared, type RunEntry } from "./database.ts";
import type { ChannelState, Committed, SentCommit } from "./shapes.ts";

/** How much more may be removed in a step. */
interface Budget {
  rows: number;
  bytes: number;
}

const BUDGET: Budget = { rows: TRIMMED_ROWS_PER_COMMIT, bytes: TRIMMED_BYTES_PER_COMMIT };

/** See the module's comment. Its methods are called in a transaction. */
export class Retention {
  readonly #sql: Readonly<Record<keyof typeof STATEMENTS, StatementSync>>;
  /** By series, the last run that cannot be removed because its pages are damaged. */
  readonly #stuck = new Map<number, number>();
  #hasFoundStuck = false;

  constructor(database: DatabaseSync) {
    this.#sql = prepared(database, STATEMENTS);
  }

  /**
   * Drops what the trims of `commit` say, and keys that are too old.
   *
   * @param stored how many bytes the commit stores
   */
  trim({ time, runs, keys, trims }: SentCommit, stored: number): Committed {
    // A store at its bound must remove as fast as it grows.
    const rows = Math.max(BUDGET.rows, 2 * (runs.length + keys.length));
    const budget = { rows, bytes: Math.max(BUDGET.bytes, 2 * stored) };
    if (keys.length > 0) this.#sql.forgetKeys.run(time - KEY_MS, rows);
    const trimmed: { number: number; first: number; bytes: number }[] = [];
    for (const trim of trims) {
      if (isSpent(budget)) break;
      const state = this.#sql.channel.get(trim.channel) as unknown as
        | ChannelState & { series: number }
        | undefined;
      if (state === undefined) continue;
      let first = Math.max(state.first, Math.min(trim.first, state.last + 1));
      let { bytes } = state;
      while (!isSpent(budget)) {
        const oldest = this.#oldest(state.series);
        if (oldest === undefined) break;
        const end = oldest.first + oldest.count;
        const isKept = oldest.time >= trim.before && (bytes <= trim.bytes || end > state.last);
        if (end > first && isKept) break;
        this.#deleteRun(oldest, budget);
        first = Math.max(first, end);
        bytes -= oldest.size;
      }
      if (first === state.first) continue;
      this.#sql.shrink.run(first, bytes, state.series);
      trimmed.push({ number: trim.channel, first, bytes });
    }
    return { trimmed, hasMoreToTrim: isSpent(budget) };
  }

  /** Removes something of what deleted channels have left. Returns whether there is more. */
  removeDeleted(): boolean {
    const budget = { ...BUDGET };
    while (!isSpent(budget)) {
      const series = this.#sql.deleted.get()?.series as number | undefined;
      if (series === undefined) return false;
      const oldest = this.#oldest(series);
      if (oldest !== undefined) this.#deleteRun(oldest, budget);
      else if (Number(this.#sql.deleteKeys.run(series, budget.rows).changes) === budget.rows) budget.rows = 0;
      else this.#sql.forgetDeleted.run(series);
    }
    return true;
  }

  /** Whether a run was in the way that will be passed over from now on: the transaction is worth another try. */
  hasFoundStuck(): boolean {
    const hasFound = this.#hasFoundStuck;
    this.#hasFoundStuck = false;
    return hasFound;
  }

  #oldest(series: number): RunEntry | undefined {
    return this.#sql.oldest.get(series, this.#stuck.get(series) ?? 0) as unknown as RunEntry | undefined;
  }

  #deleteRun({ id, series, first, size }: RunEntry, budget: Budget): void {
    try {
      this.#sql.deleteRun.run(id);
    } catch (error) {
      if (isCorrupt(error)) {
        this.#stuck.set(series, first);
        this.#hasFoundStuck = true;
      }
      throw error;
    }
    budget.rows--;
    budget.bytes -= size;
  }
}

const STATEMENTS = {
  channel: "SELECT * FROM channels WHERE number = ?",
  shrink: "UPDATE channels SET first = ?, bytes = ? WHERE series = ?",
  oldest:
    "SELECT rowid AS id, series, first, count, time, size FROM runs WHERE series = ? AND first > ? ORDER BY first LIMIT 1",
  deleteRun: "DELETE FROM runs WHERE rowid = ?",
  deleted: "SELECT series FROM deleted LIMIT 1",
  deleteKeys:
    "DELETE FROM keys WHERE (series, key) IN (SELECT series, key FROM keys WHERE series = ? LIMIT ?)",
  forgetDeleted: "DELETE FROM deleted WHERE series = ?",
  forgetKeys:
    "DELETE FROM keys WHERE (series, key) IN (SELECT series, key FROM keys WHERE time <= ? ORDER BY time LIMIT ?)",
} as const;

function isSpent({ rows, bytes }: Budget): boolean {
  return rows <= 0 || bytes <= 0;
}
