/**
 * Writes durable channels: the only connection that ever writes or checkpoints.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import {
  KEY_MS,
  MAX_STORE_RETRY_MS,
  STORE_PAGE_BYTES,
  STORE_RETRY_MS,
  STORE_WAL_PAGES,
  TRIMMED_RUNS_PER_COMMIT,
} from "../limits.ts";
import { checkpoint, openToWrite } from "./database.ts";
import type {
  ChannelState,
  Commit,
  Committed,
  ConsumerState,
  LogState,
  ProducerState,
  Trim,
} from "./shapes.ts";

/** Writes commits into one database. */
export class Writer {
  readonly #database: DatabaseSync;
  readonly #sql: Readonly<Record<keyof typeof STATEMENTS, StatementSync>>;

  readonly #path: string;
  readonly #failed: (problem: string) => void;
  /** Bytes written since the last checkpoint. */
  #written = 0;

  /**
   * Opens the database at `path`, and makes it with `epoch` if it is not there.
   *
   * @param failed is told of an error of the disk, each time
   */
  constructor(path: string, epoch: string, failed: (problem: string) => void) {
    this.#path = path;
    this.#failed = failed;
    this.#database = openToWrite(path);
    this.#database.prepare("INSERT OR IGNORE INTO meta VALUES ('epoch', ?), ('firstSession', 1)").run(epoch);
    this.#sql = Object.fromEntries(
      Object.entries(STATEMENTS).map(([name, sql]) => [name, this.#database.prepare(sql)]),
    ) as Record<keyof typeof STATEMENTS, StatementSync>;
  }

  /** The version of SQLite. */
  version(): string {
    return String(this.#database.prepare("SELECT sqlite_version() AS version").get()?.version);
  }

  /** What the database has. */
  state(): LogState {
    const all = <T>(sql: string) => this.#database.prepare(sql).all() as T[];
    const setAside = Map.groupBy(
      all<{ channel: number; consumer: string; sequence: number; deliveries: number; since: number }>(
        "SELECT * FROM set_aside ORDER BY sequence",
      ),
      ({ channel, consumer }) => `${channel} ${consumer}`,
    );
    const consumers = all<{ channel: number; consumer: string; position: number; paused: number }>(
      "SELECT * FROM consumers",
    );
    const meta = Object.fromEntries(
      all<{ name: string; value: unknown }>("SELECT * FROM meta").map(({ name, value }) => [name, value]),
    );
    return {
      epoch: String(meta.epoch),
      firstSession: Number(meta.firstSession),
      channels: all<ChannelState>("SELECT * FROM channels").map((row) => ({ ...row })),
      producers: all<ProducerState>("SELECT * FROM producers").map((row) => ({ ...row })),
      consumers: consumers.map(({ channel, consumer, position, paused }) => ({
        channel,
        consumer,
        position,
        isPaused: paused === 1,
        setAside: (setAside.get(`${channel} ${consumer}`) ?? [])
          .map(({ sequence, deliveries, since }) => ({ sequence, deliveries, since })),
      })),
    };
  }

  /**
   * Writes all of `commit` or nothing. When it returns, it is on disk to stay.
   *
   * If the disk fails, SQLite reports an error, but what it wrote may be found after a crash all the same. So an error is
   * thrown only once the log has been emptied, which this waits for as long as it takes: then it is certain that nothing
   * of the commit is there, and that no later one stands behind pages that never reached the disk.
   */
  commit(commit: Commit): Committed {
    try {
      return this.#write(commit);
    } catch (error) {
      this.#recover(error);
      throw error;
    }
  }

  /** Empties the log once it has become long. To be called when no commit waits for it. */
  checkpoint(): void {
    if (this.#written < STORE_WAL_PAGES * STORE_PAGE_BYTES) return;
    try {
      if (checkpoint(this.#database, "PASSIVE") >= 0) this.#written = 0;
    } catch (error) {
      this.#recover(error);
    }
  }

  /** Tries to empty the log until it succeeds, with longer and longer pauses. */
  #recover(error: unknown): void {
    this.#failed(messageOf(error));
    for (let waitMs = STORE_RETRY_MS;; waitMs = Math.min(2 * waitMs, MAX_STORE_RETRY_MS)) {
      try {
        if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
        checkpoint(this.#database, "TRUNCATE");
        sync(`${this.#path}-wal`); // SQLite does not: a loss of power could bring back what was cut off
        this.#written = 0;
        return;
      } catch (again) {
        this.#failed(messageOf(again));
        // The thread has nothing else to do.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, waitMs);
      }
    }
  }

  #write(commit: Commit): Committed {
    const sql = this.#sql;
    this.#database.exec("BEGIN IMMEDIATE");
    for (const channel of commit.deletedChannels) this.#deleteChannel(channel);
    if (commit.epoch !== undefined) sql.setMeta.run("epoch", commit.epoch);
    if (commit.firstSession !== undefined) sql.setMeta.run("firstSession", commit.firstSession);
    for (const { number, name, epoch } of commit.channels) sql.addChannel.run(number, name, epoch);
    for (const { channel, first, count, bytes } of commit.runs) {
      sql.addRun.run(channel, first, count, commit.time, bytes.length, crc32(bytes), bytes);
      sql.grow.run(first + count - 1, bytes.length, channel);
      this.#written += bytes.length;
    }
    for (const { channel, producer, stored } of commit.producers) {
      sql.setProducer.run(channel, producer, stored);
    }
    for (const { channel, consumer } of commit.deletedConsumers) this.#deleteConsumer(channel, consumer);
    for (const consumer of commit.consumers) this.#setConsumer(consumer);
    for (const { channel, key, sequence } of commit.keys) {
      sql.setKey.run(channel, key, sequence, commit.time);
    }
    if (commit.keys.length > 0) sql.forgetKeys.run(commit.time - KEY_MS);
    const committed = this.#trim(commit.trims);
    this.#database.exec("COMMIT");
    this.#written += 4 * STORE_PAGE_BYTES; // about what a commit writes besides
    return committed;
  }

  /** Closes the database, which is then a single file. */
  close(): void {
    this.#database.close();
  }

  #setConsumer({ channel, consumer, position, isPaused, setAside }: ConsumerState): void {
    const sql = this.#sql;
    sql.setConsumer.run(channel, consumer, position, isPaused ? 1 : 0);
    sql.clearSetAside.run(channel, consumer);
    for (const { sequence, deliveries, since } of setAside) {
      sql.addSetAside.run(channel, consumer, sequence, deliveries, since);
    }
  }

  #deleteConsumer(channel: number, consumer: string): void {
    this.#sql.deleteConsumer.run(channel, consumer);
    this.#sql.clearSetAside.run(channel, consumer);
  }

  #deleteChannel(channel: number): void {
    for (const table of ["runs", "producers", "consumers", "set_aside", "keys"]) {
      this.#database.prepare(`DELETE FROM ${table} WHERE channel = ?`).run(channel);
    }
    this.#database.prepare("DELETE FROM channels WHERE number = ?").run(channel);
  }

  /** Drops what `trims` say, but no more runs than a commit should take time for. */
  #trim(trims: readonly Trim[]): Committed {
    const trimmed: { number: number; first: number; bytes: number }[] = [];
    let left = TRIMMED_RUNS_PER_COMMIT;
    for (const trim of trims) {
      if (left === 0) break;
      const state = this.#sql.channel.get(trim.channel) as unknown as ChannelState | undefined;
      if (state === undefined) continue;
      let first = Math.max(state.first, Math.min(trim.first, state.last + 1));
      let { bytes } = state;
      for (; left > 0; left--) {
        const oldest = this.#sql.oldest.get(trim.channel) as
          | { id: number; first: number; count: number; time: number; size: number }
          | undefined;
        if (oldest === undefined) break;
        const end = oldest.first + oldest.count;
        const isKept = oldest.time >= trim.before && (bytes <= trim.bytes || end > state.last);
        if (end > first && isKept) break;
        this.#sql.deleteRun.run(oldest.id);
        first = Math.max(first, end);
        bytes -= oldest.size;
      }
      if (first === state.first) continue;
      this.#sql.shrink.run(first, bytes, trim.channel);
      trimmed.push({ number: trim.channel, first, bytes });
    }
    return { trimmed, hasMoreToTrim: left === 0 };
  }
}

const STATEMENTS = {
  setMeta: "INSERT OR REPLACE INTO meta VALUES (?, ?)",
  addChannel: "INSERT INTO channels VALUES (?, ?, ?, 1, 0, 0)",
  addRun: "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?)",
  grow: "UPDATE channels SET last = ?, bytes = bytes + ? WHERE number = ?",
  setProducer: "INSERT OR REPLACE INTO producers VALUES (?, ?, ?)",
  setConsumer: "INSERT OR REPLACE INTO consumers VALUES (?, ?, ?, ?)",
  deleteConsumer: "DELETE FROM consumers WHERE channel = ? AND consumer = ?",
  clearSetAside: "DELETE FROM set_aside WHERE channel = ? AND consumer = ?",
  addSetAside: "INSERT INTO set_aside VALUES (?, ?, ?, ?, ?)",
  setKey: "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?)",
  forgetKeys: "DELETE FROM keys WHERE time < ?",
  channel: "SELECT * FROM channels WHERE number = ?",
  oldest: "SELECT rowid AS id, first, count, time, size FROM runs WHERE channel = ? ORDER BY first LIMIT 1",
  deleteRun: "DELETE FROM runs WHERE rowid = ?",
  shrink: "UPDATE channels SET first = ?, bytes = ? WHERE number = ?",
} as const;

function sync(path: string): void {
  using file = Deno.openSync(path);
  file.syncSync();
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
