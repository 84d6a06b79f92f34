/**
 * Durable channels in a folder: one thread writes them, another reads, and this one waits for neither.
 *
 * @module
 */

import { STORE_CLOSE_MS } from "../limits.ts";
import type { Log } from "../logging/log.ts";
import { DATABASE } from "./database.ts";
import { newEpoch } from "./epoch.ts";
import { backUp, type Findings, type Progress, verify } from "./maintenance.ts";
import type {
  Commit,
  Committed,
  ConsumerState,
  LogState,
  ReadRuns,
  SentCommit,
  StoredRun,
} from "./shapes.ts";
import { lockFolder, makePrivate } from "./store_folder.ts";
import { StoreThread, ThreadEnded } from "./store_thread.ts";

/** What a store has done since it was opened. */
export interface StoreStats {
  commits: number;
  /** Commits of which nothing was stored. */
  refused: number;
  /** How often the disk failed. */
  failures: number;
  runs: number;
  /** Bytes of runs. */
  bytes: number;
  /** How long all commits took, and the slowest, in milliseconds. */
  totalMs: number;
  slowestMs: number;
}

/**
 * Opens the durable channels in `folder`, and makes them if they are not there.
 *
 * @throws {ParleyError} `bad_argument` if another process has them open, if the folder cannot be written or others can
 *   change it, or if the file there is not a store, is damaged, or is of another version; it is never replaced
 */
export async function openSqliteLog(folder: string, { log }: { readonly log: Log }): Promise<SqliteLog> {
  const held = await lockFolder(folder);
  try {
    return await open(folder, held, log);
  } catch (error) {
    held.close();
    throw error;
  }
}

async function open(folder: string, held: Deno.FsFile, log: Log): Promise<SqliteLog> {
  const path = `${folder}/${DATABASE}`;
  await makePrivate(path);
  const stats: StoreStats = {
    commits: 0,
    refused: 0,
    failures: 0,
    runs: 0,
    bytes: 0,
    totalMs: 0,
    slowestMs: 0,
  };
  const failed = (reason: string) => {
    stats.failures++;
    log.error("the disk of the store failed; trying again", { folder, reason });
  };
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
    return new SqliteLog(folder, state, stats, held, writer, reader, log);
  } catch (error) {
    writer.terminate();
    throw error;
  }
}

/** A log on disk; see `ChannelLog` in `lib/broker/stored/log.ts`. */
export class SqliteLog {
  readonly state: LogState;
  /** What it has done so far. */
  readonly stats: Readonly<StoreStats>;
  readonly #folder: string;
  readonly #stats: StoreStats;
  readonly #lock: Deno.FsFile;
  readonly #writer: StoreThread;
  readonly #reader: StoreThread;
  readonly #log: Log;
  /** Lists that are stored. A position changes much more often than what is set aside, and that may be long. */
  readonly #stored = new WeakSet<ConsumerState["setAside"]>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    folder: string,
    state: LogState,
    stats: StoreStats,
    lock: Deno.FsFile,
    writer: StoreThread,
    reader: StoreThread,
    log: Log,
  ) {
    this.state = state;
    this.stats = this.#stats = stats;
    this.#folder = folder;
    this.#lock = lock;
    this.#writer = writer;
    this.#reader = reader;
    this.#log = log;
  }

  /** The runs' bytes are not copied if they are in shared memory. */
  commit(commit: Commit): Promise<Committed> {
    const committed = this.#commit(commit);
    this.#last = committed.catch(() => {});
    return committed;
  }

  async read(channel: number, from: number, maxBytes: number): Promise<readonly StoredRun[]> {
    const { runs, bytes, damaged } = await this.#reader.call<ReadRuns>("read", channel, from, maxBytes);
    for (const { name, first, last } of damaged) {
      this.#log.error("a stored run is damaged; it is left out", { channel: name, first, last });
    }
    const read: StoredRun[] = [];
    let at = 0;
    for (let i = 0; i < runs.length; i += 4) {
      const run = bytes.subarray(at, at += runs[i + 3]);
      read.push({ first: runs[i], count: runs[i + 1], time: runs[i + 2], bytes: run });
    }
    return read;
  }

  find(channel: number, time: number): Promise<number> {
    return this.#reader.call("find", channel, time);
  }

  findKey(channel: number, key: string): Promise<number | undefined> {
    return this.#reader.call("findKey", channel, key, Date.now());
  }

  /** Reads all of the store, and checks it. Commits and reads go on meanwhile. */
  verify(progress?: Progress): Promise<Findings> {
    return verify(this.#folder, progress);
  }

  /**
   * Copies the store as it is now to `file`. Commits and reads go on meanwhile; the write-ahead log grows until it is done.
   *
   * @throws {ParleyError} `bad_argument` if there is such a file already
   */
  backUp(file: string, progress?: Progress): Promise<void> {
    return backUp(this.#folder, file, progress);
  }

  /** Waits for the commit under way, but not for long if the disk fails: then the commit is left undecided. */
  async close(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise((resolve) => timer = setTimeout(resolve, STORE_CLOSE_MS));
    const closed = this.#last
      .then(() => this.#reader.call("close"))
      .then(() => this.#writer.call("close"))
      .catch((error) => this.#log.error("the store did not close well", { reason: error.message }));
    await Promise.race([closed, late]);
    clearTimeout(timer);
    this.#reader.terminate();
    this.#writer.terminate();
    this.#lock.close();
    this.#log.debug("store closed", { folder: this.#folder, ...this.#stats });
  }

  async #commit(commit: Commit): Promise<Committed> {
    const stats = this.#stats;
    const startMs = performance.now();
    try {
      const sent: SentCommit = { ...commit, consumers: commit.consumers.map(this.#changesOf) };
      const committed = await this.#writer.call<Committed>("commit", sent);
      for (const { setAside } of commit.consumers) this.#stored.add(setAside);
      const tookMs = performance.now() - startMs;
      stats.commits++;
      stats.totalMs += tookMs;
      stats.slowestMs = Math.max(stats.slowestMs, tookMs);
      stats.runs += commit.runs.length;
      for (const { bytes } of commit.runs) stats.bytes += bytes.length;
      return committed;
    } catch (error) {
      if (error instanceof ThreadEnded) {
        // It may have been stored or not, and must not be answered until the next start decides.
        this.#log.error("a commit is left undecided; restart the server", { reason: error.message });
        return await new Promise<never>(() => {});
      }
      stats.refused++;
      throw error;
    }
  }

  readonly #changesOf = (state: ConsumerState): SentCommit["consumers"][number] => {
    return this.#stored.has(state.setAside) ? { ...state, setAside: undefined } : state;
  };
}
