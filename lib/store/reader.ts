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
    const run = "SELECT first, count, crc, bytes FROM runs WHERE channel = ?";
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
    const take = ({ first, count, crc, bytes }: Row) => {
      size += bytes.length;
      if (runs.length > 0 && size > maxBytes) return false;
      if (crc32(bytes) === crc) runs.push({ first, count, bytes });
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

  /** Closes the connection. */
  close(): void {
    this.#database.close();
  }
}
