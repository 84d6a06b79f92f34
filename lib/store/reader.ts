/**
 * Reads durable channels, beside the connection that writes: replay never delays a commit.
 *
 * @module
 */

import { backup, type DatabaseSync, type StatementSync } from "node:sqlite";
import { KEY_MS } from "../limits.ts";
import { Checksum, number, openToRead, prepared, type RunEntry } from "./database.ts";
import type { DamagedRun, Place, ReadRuns, StoredRun, Verified } from "./shapes.ts";

/** A run with its bytes. */
type Run = Required<StoredRun>;

/** How many entries of the index are looked at together, at first and at most: runs are long or many. */
const ENTRIES = 8;
const MAX_ENTRIES = 512;

/** More pages than a database has. */
const MAX_PAGES = 0x7fff_ffff;

/** Reads one database. */
export class Reader {
  readonly #database: DatabaseSync;
  readonly #sql: Readonly<Record<keyof typeof STATEMENTS, StatementSync>>;
  readonly #checksum = new Checksum();

  /** Opens the database at `path`, which must be open for writing already. */
  constructor(path: string) {
    this.#database = openToRead(path);
    this.#sql = prepared(this.#database, STATEMENTS);
  }

  /** See `ChannelLog.read`. Damaged runs are named, and do not count: it goes on to one that is sound. */
  read(channel: number, from: number, maxBytes: number): ReadRuns {
    return this.#consistent(() => {
      const state = this.#sql.channel.get(channel);
      if (state === undefined) return pack([], []);
      const { series, name } = state as { series: number; name: string };
      return this.#readSound(series, from, maxBytes) ??
        this.#readDamaged(series, channel, name, from, maxBytes);
    });
  }

  /**
   * Reads all runs with one query, which is the fastest way. Returns nothing if one is damaged.
   *
   * Statements are never iterated: the runtime takes an error for the end, and runs behind it would seem not to be there.
   */
  #readSound(series: number, from: number, maxBytes: number): ReadRuns | undefined {
    try {
      const before = this.#sql.before.get(series, from) as unknown as RunEntry | undefined;
      const at = before !== undefined && before.first + before.count > from ? before.first : from;
      const runs = this.#sql.runs.all(
        series,
        at,
        this.#countWithin(series, at, maxBytes),
      ) as unknown as (Run & { readonly crc: number })[];
      for (const { first, count, time, bytes, crc } of runs) {
        if (this.#checksum.of(series, first, count, time, bytes) !== crc) return undefined;
      }
      return pack(runs, []);
    } catch {
      return undefined;
    }
  }

  /** How many runs from the one at `at` on are of at most `maxBytes`, but at least one. */
  #countWithin(series: number, at: number, maxBytes: number): number {
    for (let limit = ENTRIES;; limit *= 8) {
      const sizes = this.#sql.sizes.all(series, at, limit) as unknown as { size: number }[];
      let total = sizes[0]?.size ?? 0;
      let count = 1;
      while (count < sizes.length && (total += sizes[count].size) <= maxBytes) count++;
      if (count < sizes.length || sizes.length < limit) return count;
    }
  }

  /** Reads run by run, by what the index has of them. */
  #readDamaged(series: number, channel: number, name: string, from: number, maxBytes: number): ReadRuns {
    const runs: Run[] = [];
    const damaged: DamagedRun[] = [];
    let size = 0;
    for (const [entry, end] of this.#entries(series, from)) {
      if (end <= from) continue;
      if (runs.length > 0 && size + entry.size > maxBytes) break;
      const bytes = this.#bytes(entry);
      if (bytes === undefined) {
        damaged.push({ channel, name, first: entry.first, last: end - 1 });
        continue;
      }
      runs.push({ ...entry, bytes });
      size += bytes.length;
      if (size >= maxBytes) break;
    }
    return pack(runs, damaged);
  }

  /** The sequence of the first run that was stored at `time` or later; that after the last if there is none. */
  find(channel: number, time: number): number {
    return this.#consistent(() => {
      const state = this.#sql.channel.get(channel);
      if (state === undefined) return 1;
      const { series, last } = state as { series: number; last: number };
      let low = state.first as number;
      let high = last + 1;
      // Runs are in the order of their times, unless the clock was set back.
      while (low < high) {
        const middle = Math.floor((low + high) / 2);
        const entry = this.#sql.before.get(series, middle) as unknown as RunEntry | undefined;
        if (entry === undefined || entry.time < time) {
          low = Math.max(middle + 1, entry === undefined ? 0 : entry.first + entry.count);
        } else high = entry.first;
      }
      return Math.max(low, state.first as number);
    });
  }

  /** See `ChannelLog.findKey`. */
  findKey(channel: number, key: string, now: number): number | undefined {
    return this.#sql.key.get(channel, key, now - KEY_MS)?.sequence as number | undefined;
  }

  /** The size of all runs, in bytes. */
  size(): number {
    return number(this.#database, "SELECT total(bytes) FROM channels");
  }

  /** What SQLite finds wrong with the file; nothing if it is sound. Reads all of it. */
  problems(): string[] {
    try {
      const rows = this.#database.prepare("PRAGMA integrity_check").all() as { integrity_check: string }[];
      return rows.map(({ integrity_check }) => integrity_check).filter((text) => text !== "ok");
    } catch (error) {
      return [error instanceof Error ? error.message : String(error)];
    }
  }

  /** Checks some `maxBytes` of runs, of those that come after `after`. */
  verify({ series, first }: Place, maxBytes: number): Verified {
    return this.#consistent(() => {
      const damaged: DamagedRun[] = [];
      const missing: DamagedRun[] = [];
      let size = 0;
      let after: Place = { series, first };
      const channels = this.#sql.channels.all(series) as unknown as {
        series: number;
        number: number;
        name: string;
      }[];
      for (const { series, number: channel, name } of channels) {
        let expected = 0;
        for (const [entry, end] of this.#entries(series, series === after.series ? after.first + 1 : 0)) {
          if (series === after.series && entry.first <= after.first) continue;
          if (expected !== 0 && entry.first > expected) {
            missing.push({ channel, name, first: expected, last: entry.first - 1 });
          }
          expected = end;
          if (this.#bytes(entry) === undefined) {
            damaged.push({ channel, name, first: entry.first, last: end - 1 });
          }
          size += entry.size;
          after = { series, first: entry.first };
          if (size >= maxBytes) return { after, size, damaged, missing, isDone: false };
        }
      }
      return { after, size, damaged, missing, isDone: true };
    });
  }

  /** Copies the database as it is now into the file `path`, which must be empty. */
  async copy(path: string): Promise<void> {
    // In one step, because another connection writes: in several it would begin anew with each commit. `VACUUM INTO`
    // needs every permission.
    await backup(this.#database, path, { rate: MAX_PAGES });
    using file = Deno.openSync(path);
    file.syncSync();
  }

  /** Closes the connection. */
  close(): void {
    this.#database.close();
  }

  /** Has everything that `action` reads be of one moment. */
  #consistent<T>(action: () => T): T {
    this.#database.exec("BEGIN");
    try {
      return action();
    } finally {
      try {
        this.#database.exec("COMMIT");
      } catch {
        // It says once more that a page is damaged, and ends the transaction all the same.
      }
    }
  }

  /**
   * What the index has of a series, from the run with `from` or the one before it on, and where each run ends at the
   * latest: a damaged count must not hide the runs after it.
   */
  *#entries(series: number, from: number): Generator<[RunEntry, number]> {
    let entry = this.#sql.before.get(series, from) as unknown as RunEntry | undefined;
    let at = from;
    for (let limit = ENTRIES;; limit = Math.min(4 * limit, MAX_ENTRIES)) {
      const next = this.#sql.after.all(series, at, limit) as unknown as RunEntry[];
      for (const following of next) {
        if (entry !== undefined) yield [entry, Math.min(entry.first + entry.count, following.first)];
        entry = following;
      }
      if (next.length < limit) break;
      at = entry!.first;
    }
    if (entry !== undefined) yield [entry, entry.first + entry.count];
  }

  /** The bytes of a run; `undefined` if they are damaged. */
  #bytes({ id, series, first, count, time }: RunEntry): Uint8Array<ArrayBuffer> | undefined {
    try {
      const row = this.#sql.run.get(id) as { crc: number; bytes: Uint8Array<ArrayBuffer> } | undefined;
      if (row === undefined) return undefined;
      return this.#checksum.of(series, first, count, time, row.bytes) === row.crc ? row.bytes : undefined;
    } catch {
      return undefined; // SQLite finds the page damaged
    }
  }
}

const ENTRY = "SELECT rowid AS id, series, first, count, time, size FROM runs INDEXED BY runs_by_sequence";

const STATEMENTS = {
  channel: "SELECT * FROM channels WHERE number = ?",
  channels: "SELECT series, number, name FROM channels WHERE series >= ? ORDER BY series",
  before: `${ENTRY} WHERE series = ? AND first <= ? ORDER BY first DESC LIMIT 1`,
  after: `${ENTRY} WHERE series = ? AND first > ? ORDER BY first LIMIT ?`,
  runs:
    "SELECT first, count, time, crc, bytes FROM runs INDEXED BY runs_by_sequence WHERE series = ? AND first >= ? ORDER BY first LIMIT ?",
  sizes:
    "SELECT size FROM runs INDEXED BY runs_by_sequence WHERE series = ? AND first >= ? ORDER BY first LIMIT ?",
  run: "SELECT crc, bytes FROM runs WHERE rowid = ?",
  key:
    "SELECT sequence FROM keys WHERE series = (SELECT series FROM channels WHERE number = ?) AND key = ? AND time > ?",
} as const;

function pack(runs: readonly Run[], damaged: readonly DamagedRun[]): ReadRuns {
  const bytes = new Uint8Array(runs.reduce((sum, run) => sum + run.bytes.length, 0));
  const fields = new Float64Array(4 * runs.length);
  let at = 0;
  let i = 0;
  for (const run of runs) {
    bytes.set(run.bytes, at);
    at += run.bytes.length;
    fields[i++] = run.first;
    fields[i++] = run.count;
    fields[i++] = run.time;
    fields[i++] = run.bytes.length;
  }
  return { runs: fields, bytes, damaged };
}
