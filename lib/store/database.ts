/**
 * The file of durable channels: an SQLite database, how it is opened, and what is refused.
 *
 * @module
 */

import { DatabaseSync, type StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { ParleyError } from "../errors.ts";
import { STORE_BUSY_MS, STORE_CACHE_KIB, STORE_PAGE_BYTES, STORE_WAL_PAGES } from "../limits.ts";

/** The name of the file in the store's folder. */
export const DATABASE = "channels.db";

/** Marks a database as Parley's: "Prly". */
const APPLICATION_ID = 0x50726c79;
/** The version of {@linkcode SCHEMA}. */
const SCHEMA_VERSION = 1;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;

/**
 * A run is a row. It is found by channel and sequence, but kept in a table of its own order: as the key of the table
 * itself the two would halve the speed at which large runs are written.
 *
 * What belongs to a channel in large numbers refers to its series, which is never used again. So a channel is deleted at
 * once, its runs are removed in steps, and a channel that takes its number meanwhile has nothing to do with them.
 */
const SCHEMA = `
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE channels (
  series INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE,
  epoch TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, bytes INTEGER NOT NULL
);
CREATE TABLE deleted (series INTEGER PRIMARY KEY);
CREATE TABLE runs (
  series INTEGER NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL,
  time INTEGER NOT NULL, size INTEGER NOT NULL, crc INTEGER NOT NULL, bytes BLOB NOT NULL
);
CREATE UNIQUE INDEX runs_by_sequence ON runs (series, first, count, time, size);
CREATE TABLE producers (
  channel INTEGER NOT NULL, producer TEXT NOT NULL, stored INTEGER NOT NULL,
  PRIMARY KEY (channel, producer)
) WITHOUT ROWID;
CREATE TABLE consumers (
  channel INTEGER NOT NULL, consumer TEXT NOT NULL, position INTEGER NOT NULL, paused INTEGER NOT NULL,
  PRIMARY KEY (channel, consumer)
) WITHOUT ROWID;
CREATE TABLE set_aside (
  channel INTEGER NOT NULL, consumer TEXT NOT NULL, sequence INTEGER NOT NULL,
  deliveries INTEGER NOT NULL, since INTEGER NOT NULL,
  PRIMARY KEY (channel, consumer, sequence)
) WITHOUT ROWID;
CREATE TABLE keys (
  series INTEGER NOT NULL, key TEXT NOT NULL, sequence INTEGER NOT NULL, time INTEGER NOT NULL,
  PRIMARY KEY (series, key)
) WITHOUT ROWID;
CREATE INDEX keys_by_time ON keys (time);
PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** A run as the index `runs_by_sequence` has it. */
export interface RunEntry {
  readonly id: number;
  readonly series: number;
  readonly first: number;
  readonly count: number;
  readonly time: number;
  readonly size: number;
}

/**
 * Opens the database for the one connection that writes, and makes it if it is not there. What was committed before is
 * checkpointed and synced: nothing is served that a loss of power could still take back.
 *
 * @throws {ParleyError} `bad_argument` if the file is not one of Parley's, is damaged, or is of a newer version
 */
export function openToWrite(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    database.exec(`PRAGMA page_size = ${STORE_PAGE_BYTES}`);
    const isNew = number(database, "PRAGMA schema_version") === 0;
    if (!isNew) checkIdentity(database, path);
    database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA fullfsync = ON;
      PRAGMA checkpoint_fullfsync = ON;
      PRAGMA wal_autocheckpoint = 0;
      PRAGMA journal_size_limit = ${4 * STORE_WAL_PAGES * STORE_PAGE_BYTES};
      PRAGMA busy_timeout = ${STORE_BUSY_MS};
      PRAGMA cache_size = -${STORE_CACHE_KIB};
      PRAGMA locking_mode = NORMAL;
    `);
    if (isNew) database.exec(`BEGIN; ${SCHEMA} COMMIT;`);
    checkpoint(database, "TRUNCATE");
    return database;
  } catch (error) {
    database.close();
    throw error instanceof ParleyError ? error : notOurs(path, error);
  }
}

/**
 * Copies what the write-ahead log has into the database, and syncs both. `TRUNCATE` also empties the log, and with it
 * removes whatever a commit that failed has left there.
 *
 * @returns how many pages the log still has
 */
export function checkpoint(database: DatabaseSync, mode: "PASSIVE" | "TRUNCATE"): number {
  const result = database.prepare(`PRAGMA wal_checkpoint(${mode})`).get() as { busy: number; log: number };
  if (mode === "TRUNCATE" && result.busy !== 0) throw new Error("a reader holds the write-ahead log");
  return result.log;
}

/** Opens the database to read, beside the connection that writes: it changes nothing, not even the log's index. */
export function openToRead(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { readOnly: true });
  database.exec(`PRAGMA cache_size = -${STORE_CACHE_KIB}`);
  return database;
}

/**
 * Checks that the database is a store of this version.
 *
 * @throws {ParleyError} `bad_argument` otherwise
 */
export function checkIdentity(database: DatabaseSync, path: string): void {
  if (number(database, "PRAGMA application_id") !== APPLICATION_ID) {
    throw new ParleyError(
      "bad_argument",
      `${path} is a database, but not one of Parley's; it is left as it is`,
    );
  }
  const version = number(database, "PRAGMA user_version");
  if (version === SCHEMA_VERSION) return;
  throw new ParleyError(
    "bad_argument",
    `${path} was made by another Parley: it is version ${version} of the store, and this one knows ${SCHEMA_VERSION}; ` +
      `it is left as it is`,
  );
}

function notOurs(path: string, error: unknown): ParleyError {
  const reason = error instanceof Error ? error.message : String(error);
  return new ParleyError("bad_argument", `cannot open the store ${path}: ${reason}; it is left as it is`, {
    cause: error,
  });
}

/** The checksums of runs: of their bytes, and of what says which messages they are. */
export class Checksum {
  readonly #fields = new Float64Array(4);
  readonly #header = new Uint8Array(this.#fields.buffer);

  /** @param series that of the run's channel */
  of(series: number, first: number, count: number, time: number, bytes: Uint8Array): number {
    const fields = this.#fields;
    fields[0] = series;
    fields[1] = first;
    fields[2] = count;
    fields[3] = time;
    return crc32(bytes, crc32(this.#header));
  }
}

/** Whether `error` says that the disk, or what a process may write, is full. Then nothing of the commit was written. */
export function isFull(error: unknown): boolean {
  return codeOf(error) === SQLITE_FULL;
}

/** Whether `error` says that a page of the database is damaged. */
export function isCorrupt(error: unknown): boolean {
  return codeOf(error) === SQLITE_CORRUPT;
}

function codeOf(error: unknown): number {
  return ((error as { errcode?: number }).errcode ?? 0) % 256;
}

/** Prepares each of `statements`. */
export function prepared<K extends string>(
  database: DatabaseSync,
  statements: Readonly<Record<K, string>>,
): Readonly<Record<K, StatementSync>> {
  const entries = Object.entries<string>(statements).map(([name, sql]) => [name, database.prepare(sql)]);
  return Object.fromEntries(entries);
}

/** The number that `sql` gives. */
export function number(database: DatabaseSync, sql: string, ...values: (number | string)[]): number {
  const row = database.prepare(sql).get(...values);
  return Number(row === undefined ? undefined : Object.values(row)[0]);
}
