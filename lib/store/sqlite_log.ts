/**
 * Durable channels in a folder: one thread writes them, another reads, and this one waits for neither.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import type { Log } from "../logging/log.ts";
import { DATABASE, newEpoch } from "./database.ts";
import type { ReadRuns } from "./reader.ts";
import type { Commit, Committed, LogState, StoredRun } from "./shapes.ts";
import { StoreThread } from "./store_thread.ts";

/** The file that the process with the store locks. */
const LOCK = "lock";

/** Opens the durable channels in `folder`, and makes them if they are not there. */
export async function openSqliteLog(folder: string, { log }: { readonly log: Log }): Promise<SqliteLog> {
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  const lock = await lockFolder(folder);
  const path = `${folder}/${DATABASE}`;
  const failed = (reason: string) =>
    log.error("the disk of the store failed; trying again", { folder, reason });
  const writer = new StoreThread("write", path, newEpoch(), failed);
  try {
    await writer.opened;
    const reader = new StoreThread("read", path);
    const [state, version] = await Promise.all([
      writer.call<LogState>("state"),
      writer.call<string>("version"),
      reader.opened,
    ]);
    log.info("store", { folder, sqlite: version, channels: state.channels.length });
    return new SqliteLog(state, lock, writer, reader, log);
  } catch (error) {
    writer.terminate();
    lock.close();
    throw error;
  }
}

/** Takes the lock of a store. Only one process has a store open: the lock ends with it, however it ends. */
export async function lockFolder(folder: string): Promise<Deno.FsFile> {
  const file = await Deno.open(`${folder}/${LOCK}`, { write: true, create: true, mode: 0o600 });
  if (file.tryLock === undefined || await file.tryLock(true)) return file;
  file.close();
  throw new ParleyError("bad_argument", `another process has the store ${folder} open; stop it first`);
}

/** A log on disk; see `ChannelLog` in `lib/broker/stored/log.ts`. */
export class SqliteLog {
  readonly state: LogState;
  readonly #lock: Deno.FsFile;
  readonly #writer: StoreThread;
  readonly #reader: StoreThread;
  readonly #log: Log;
  #last: Promise<unknown> = Promise.resolve();

  constructor(state: LogState, lock: Deno.FsFile, writer: StoreThread, reader: StoreThread, log: Log) {
    this.state = state;
    this.#lock = lock;
    this.#writer = writer;
    this.#reader = reader;
    this.#log = log;
  }

  commit(commit: Commit): Promise<Committed> {
    const committed = this.#writer.call<Committed>("commit", commit);
    this.#last = committed.catch(() => {});
    return committed;
  }

  async read(channel: number, from: number, maxBytes: number): Promise<readonly StoredRun[]> {
    let at = from;
    while (true) {
      const { runs, damaged } = await this.#reader.call<ReadRuns>("read", channel, at, maxBytes);
      for (const [first, last] of damaged) {
        this.#log.error("a stored run is damaged; it is left out", { channel, first, last });
      }
      if (runs.length > 0 || damaged.length === 0) return runs;
      at = damaged[damaged.length - 1][1] + 1;
    }
  }

  async find(channel: number, time: number): Promise<number> {
    const first = await this.#reader.call<number | undefined>("find", channel, time);
    return first ?? await this.#reader.call<number>("end", channel);
  }

  findKey(channel: number, key: string): Promise<number | undefined> {
    return this.#reader.call("findKey", channel, key, Date.now());
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#reader.call("close");
    await this.#writer.call("close");
    this.#reader.terminate();
    this.#writer.terminate();
    this.#lock.close();
  }
}
