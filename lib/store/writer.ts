/**
 * Writes durable channels: the only connection that ever writes or checkpoints.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { MAX_STORE_RETRY_MS, STORE_PAGE_BYTES, STORE_RETRY_MS, STORE_WAL_PAGES } from "../limits.ts";
import { checkpoint, Checksum, isFull, openToWrite, prepared } from "./database.ts";
import { Retention } from "./retention.ts";
import type { ChannelState, Committed, LogState, ProducerState, SentCommit } from "./shapes.ts";

/** How much longer the write-ahead log becomes in one step. */
const LENGTHEN_BYTES = 1024 * 1024;

/** Writes commits into one database. */
export class Writer {
  readonly #database: DatabaseSync;
  readonly #sql: Readonly<Record<keyof typeof STATEMENTS, StatementSync>>;
  readonly #retention: Retention;
  readonly #checksum = new Checksum();
  readonly #path: string;
  readonly #logBytes: number;
  readonly #stop: Int32Array<SharedArrayBuffer>;
  readonly #failed: (problem: string) => void;
  /** The series of channels, by their numbers. */
  #known = new Map<number, number>();
  /** Bytes written since the last checkpoint. */
  #written = 0;

  /**
   * Opens the database at `path`, and makes it with `epoch` if it is not there.
   *
   * @param failed is told of an error of the disk, each time
   * @param stop becomes 1 when a disk that fails is to be given up, with the commit undecided
   * @param logBytes how long the write-ahead log becomes before it is emptied
   */
  constructor(
    path: string,
    epoch: string,
    failed: (problem: string) => void,
    stop: Int32Array<SharedArrayBuffer> = new Int32Array(new SharedArrayBuffer(4)),
    logBytes: number = STORE_WAL_PAGES * STORE_PAGE_BYTES,
  ) {
    this.#stop = stop;
    this.#logBytes = logBytes;
    this.#path = path;
    this.#failed = failed;
    this.#database = openToWrite(path);
    this.#database.prepare("INSERT OR IGNORE INTO meta VALUES ('epoch', ?), ('firstSession', 1)").run(epoch);
    this.#sql = prepared(this.#database, STATEMENTS);
    this.#retention = new Retention(this.#database);
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
      channels: all<ChannelState>("SELECT number, name, epoch, first, last, bytes FROM channels").map((
        row,
      ) => ({ ...row })),
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
   * of the commit is there, and that no later one stands behind pages that never reached the disk. If the disk is full,
   * that is certain at once: the page that ends a commit was not written.
   */
  commit(commit: SentCommit): Committed {
    return this.#transaction(() => this.#write(commit));
  }

  /**
   * Makes the write-ahead log a step longer, until it is as long as it becomes before it is checkpointed. The sync of a
   * commit that makes the file longer also waits for the file system's journal: it takes twice as long, and some ten
   * times as long now and then.
   *
   * SQLite overwrites the zeros as it does frames of before a checkpoint: nothing in them is a valid frame. It is called
   * in the thread of the only connection that writes, between two commits. If the disk is full, the log grows as it goes.
   *
   * @returns whether there is more to do
   */
  lengthenLog(): boolean {
    const bytes = STORE_WAL_PAGES * STORE_PAGE_BYTES;
    try {
      using file = Deno.openSync(`${this.#path}-wal`, { write: true });
      const before = file.seekSync(0, Deno.SeekMode.End);
      const zeros = new Uint8Array(Math.max(0, Math.min(LENGTHEN_BYTES, bytes - before)));
      try {
        for (let at = 0; at < zeros.length;) at += file.writeSync(zeros.subarray(at));
        file.syncSync();
        return before + zeros.length < bytes;
      } catch {
        file.truncateSync(before);
      }
    } catch {
      // There is no log yet, or it cannot be cut again: both are for SQLite to deal with.
    }
    return false;
  }

  /** Empties the log once it has become long. To be called when no commit waits for it. */
  checkpoint(): void {
    if (this.#written < this.#logBytes) return;
    this.#written = 0;
    try {
      checkpoint(this.#database, "PASSIVE");
    } catch (error) {
      if (isFull(error)) this.#failed(messageOf(error)); // everything is in the log, which may grow
      else this.#recover(error);
    }
  }

  /** Removes something of what deleted channels have left. Returns whether there is more. */
  tidy(): boolean {
    try {
      return this.#transaction(() => this.#retention.removeDeleted());
    } catch {
      return false; // the next commit tells of it
    }
  }

  #transaction<T>(write: () => T): T {
    if (Atomics.load(this.#stop, 0) === 1) throw new Error("the store is closed");
    try {
      this.#sql.begin.run();
      const result = write();
      this.#sql.commit.run();
      this.#written += 4 * STORE_PAGE_BYTES; // about what a commit writes besides runs
      return result;
    } catch (error) {
      this.#known.clear();
      if (this.#retention.hasFoundStuck() && this.#isRolledBack()) return this.#transaction(write);
      if (!isFull(error) || !this.#isRolledBack()) this.#recover(error);
      throw error;
    }
  }

  #isRolledBack(): boolean {
    try {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      return true;
    } catch {
      return false;
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
        if (Atomics.wait(this.#stop, 0, 0, waitMs) !== "timed-out") throw again;
      }
    }
  }

  #write(commit: SentCommit): Committed {
    const sql = this.#sql;
    for (const channel of commit.deletedChannels) this.#deleteChannel(channel);
    if (commit.epoch !== undefined) sql.setMeta.run("epoch", commit.epoch);
    if (commit.firstSession !== undefined) sql.setMeta.run("firstSession", commit.firstSession);
    for (const { number, name, epoch } of commit.channels) sql.addChannel.run(number, name, epoch);
    let stored = 0;
    for (const { channel, first, count, bytes } of commit.runs) {
      const series = this.#series(channel);
      const crc = this.#checksum.of(series, first, count, commit.time, bytes);
      sql.addRun.run(series, first, count, commit.time, bytes.length, crc, bytes);
      sql.grow.run(first + count - 1, bytes.length, series);
      stored += bytes.length;
    }
    this.#written += stored;
    for (const { channel, producer, stored } of commit.producers) {
      sql.setProducer.run(channel, producer, stored);
    }
    for (const { channel, consumer } of commit.deletedConsumers) this.#deleteConsumer(channel, consumer);
    for (const consumer of commit.consumers) this.#setConsumer(consumer);
    for (const { channel, key, sequence } of commit.keys) {
      sql.setKey.run(this.#series(channel), key, sequence, commit.time);
    }
    return this.#retention.trim(commit, stored);
  }

  #series(channel: number): number {
    const known = this.#known.get(channel);
    if (known !== undefined) return known;
    const row = this.#sql.channel.get(channel);
    if (row === undefined) throw new Error(`channel ${channel} is not stored`);
    this.#known.set(channel, row.series as number);
    return row.series as number;
  }

  /** Closes the database, which is then a single file. */
  close(): void {
    this.#database.close();
  }

  #setConsumer({ channel, consumer, position, isPaused, setAside }: SentCommit["consumers"][number]): void {
    const sql = this.#sql;
    sql.setConsumer.run(channel, consumer, position, isPaused ? 1 : 0);
    if (setAside === undefined) return; // as it is stored
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
    const sql = this.#sql;
    this.#known.delete(channel);
    sql.markDeleted.run(channel);
    sql.deleteChannel.run(channel);
    sql.deleteProducers.run(channel);
    sql.deleteConsumers.run(channel);
    sql.deleteSetAside.run(channel);
  }
}

const STATEMENTS = {
  begin: "BEGIN IMMEDIATE",
  commit: "COMMIT", // prepared also because only the errors of prepared statements have a code
  setMeta: "INSERT OR REPLACE INTO meta VALUES (?, ?)",
  channel: "SELECT * FROM channels WHERE number = ?",
  addChannel: "INSERT INTO channels (number, name, epoch, first, last, bytes) VALUES (?, ?, ?, 1, 0, 0)",
  addRun: "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?)",
  grow: "UPDATE channels SET last = ?, bytes = bytes + ? WHERE series = ?",
  setProducer: "INSERT OR REPLACE INTO producers VALUES (?, ?, ?)",
  setConsumer: "INSERT OR REPLACE INTO consumers VALUES (?, ?, ?, ?)",
  deleteConsumer: "DELETE FROM consumers WHERE channel = ? AND consumer = ?",
  clearSetAside: "DELETE FROM set_aside WHERE channel = ? AND consumer = ?",
  addSetAside: "INSERT INTO set_aside VALUES (?, ?, ?, ?, ?)",
  setKey: "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?)",
  markDeleted: "INSERT INTO deleted SELECT series FROM channels WHERE number = ?",
  deleteChannel: "DELETE FROM channels WHERE number = ?",
  deleteProducers: "DELETE FROM producers WHERE channel = ?",
  deleteConsumers: "DELETE FROM consumers WHERE channel = ?",
  deleteSetAside: "DELETE FROM set_aside WHERE channel = ?",
} as const;

function sync(path: string): void {
  using file = Deno.openSync(path);
  file.syncSync();
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
