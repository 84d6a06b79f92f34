/**
 * Reads durable channels, beside the connection that writes: replay never delays a commit.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { KEY_MS } from "../limits.ts";
import { openToRead } from "./database.ts";
import type { StoredRun } from "./shapes.ts";

/** Runs that were read, and the ranges of those whose checksum is wrong. */
export interface ReadRuns {
  readonly runs: readonly StoredRun[];
  readonly damaged: readonly (readonly [first: number, last: number])[];
}

/** A run whose checksum is wrong. */
export interface DamagedRun {
  /** The channel's number. */
  readonly channel: number;
  readonly first: number;
  readonly last: number;
}

/** A step of verifying. */
export interface Verified {
  /** The last row that was looked at. */
  readonly row: number;
  /** Bytes looked at. */
  readonly size: number;
  readonly damaged: readonly DamagedRun[];
  readonly isDone: boolean;
}

/** A run as its row has it. */
interface Row extends StoredRun {
  readonly crc: number;
}

/** Reads one database. */
export class Reader {
  readonly #database: DatabaseSync;
  readonly #before: StatementSync;
  readonly #from: StatementSync;
  readonly #find: StatementSync;
  readonly #key: StatementSync;
  readonly #last: StatementSync;

  /** Opens the database at `path`, which must be open for writing already. */
  constructor(path: string) {
    this.#database = openToRead(path);
    const run = "SELECT first, count, time, crc, bytes FROM runs WHERE channel = ?";
    this.#before = this.#database.prepare(`${run} AND first <= ? ORDER BY first DESC LIMIT 1`);
    this.#from = this.#database.prepare(`${run} AND first > ? ORDER BY first`);
    this.#find = this.#database.prepare(
      "SELECT first FROM runs WHERE channel = ? AND time >= ? ORDER BY first LIMIT 1",
    );
    this.#last = this.#database.prepare("SELECT last FROM channels WHERE number = ?");
    this.#key = this.#database.prepare(
      "SELECT sequence FROM keys WHERE channel = ? AND key = ? AND time >= ?",
    );
  }

  /** See `ChannelLog.read`. */
  read(channel: number, from: number, maxBytes: number): ReadRuns {
    const runs: StoredRun[] = [];
    const damaged: [number, number][] = [];
    let size = 0;
    const take = ({ first, count, time, crc, bytes }: Row) => {
      size += bytes.length;
      if (runs.length > 0 && size > maxBytes) return false;
      if (crc32(bytes) === crc) runs.push({ first, count, time, bytes });
      else damaged.push([first, first + count - 1]);
      return size < maxBytes;
    };
    const before = this.#before.get(channel, from) as unknown as Row | undefined;
    const isWithin = before !== undefined && before.first + before.count > from;
    if (isWithin && !take(before)) return { runs, damaged };
    for (const row of this.#from.iterate(channel, from)) if (!take(row as unknown as Row)) break;
    return { runs, damaged };
  }

  /** The sequence of the first run that was stored at `time` or later, if there is one. */
  find(channel: number, time: number): number | undefined {
    return this.#find.get(channel, time)?.first as number | undefined;
  }

  /** The sequence after the last of a channel. */
  end(channel: number): number {
    return Number(this.#last.get(channel)?.last ?? 0) + 1;
  }

  /** See `ChannelLog.findKey`. */
  findKey(channel: number, key: string, now: number): number | undefined {
    return this.#key.get(channel, key, now - KEY_MS)?.sequence as number | undefined;
  }

  /** The size of all runs, in bytes. */
  size(): number {
    return Number(this.#database.prepare("SELECT sum(bytes) AS bytes FROM channels").get()?.bytes ?? 0);
  }

  /** What SQLite finds wrong with the file; nothing if it is sound. Reads all of it. */
  problems(): string[] {
    const rows = this.#database.prepare("PRAGMA integrity_check").all() as { integrity_check: string }[];
    return rows.map(({ integrity_check }) => integrity_check).filter((text) => text !== "ok");
  }

  /** Checks the checksums of some `maxBytes` of runs, of those that come after the row `after`. */
  verify(after: number, maxBytes: number): Verified {
    const damaged: DamagedRun[] = [];
    let size = 0;
    let row = after;
    const rows = this.#database.prepare(
      "SELECT rowid AS row, channel, first, count, crc, bytes FROM runs WHERE rowid > ? ORDER BY rowid",
    );
    for (const next of rows.iterate(after)) {
      const { row: at, channel, first, count, crc, bytes } = next as unknown as Row & {
        row: number;
        channel: number;
      };
      row = at;
      size += bytes.length;
      if (crc32(bytes) !== crc) damaged.push({ channel, first, last: first + count - 1 });
      if (size >= maxBytes) return { row, size, damaged, isDone: false };
    }
    return { row, size, damaged, isDone: true };
  }

  /** Copies the database as it is now into the file `path`, which must not exist. */
  copy(path: string): void {
    this.#database.prepare("VACUUM INTO ?").run(path);
    using file = Deno.openSync(path);
    file.syncSync();
  }

  /** Closes the connection. */
  close(): void {
    this.#database.close();
  }
}
