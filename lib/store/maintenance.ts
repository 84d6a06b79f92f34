/**
 * What an operator does with a store: verify it, copy it, put a copy in its place.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { ParleyError } from "../errors.ts";
import { VERIFY_STEP_BYTES } from "../limits.ts";
import { checkIdentity, DATABASE, newEpoch } from "./database.ts";
import type { DamagedRun, Verified } from "./reader.ts";
import { lockFolder } from "./sqlite_log.ts";
import { StoreThread } from "./store_thread.ts";

/** Is told how much has been done, of how much, in bytes. */
export type Progress = (done: number, total: number) => void;

/** What verifying a store has found. */
export interface Findings {
  /** What SQLite says is wrong with the file. */
  readonly problems: readonly string[];
  /** Runs whose checksum is wrong. */
  readonly damaged: readonly DamagedRun[];
}

/** Reads all of the store in `folder`, which may be in use, and checks it. */
export async function verifyStore(folder: string, progress: Progress = () => {}): Promise<Findings> {
  const reader = await openReader(folder);
  try {
    const total = await reader.call<number>("size");
    const damaged: DamagedRun[] = [];
    let done = 0;
    for (let row = 0;;) {
      const step = await reader.call<Verified>("verify", row, VERIFY_STEP_BYTES);
      damaged.push(...step.damaged);
      done += step.size;
      progress(done, Math.max(total, done));
      if (step.isDone) break;
      row = step.row;
    }
    return { problems: await reader.call<string[]>("problems"), damaged };
  } finally {
    reader.terminate();
  }
}

/**
 * Copies the store in `folder`, which may be in use, as it is now, to `file`.
 *
 * @throws {ParleyError} `bad_argument` if there is such a file already
 */
export async function backUpStore(folder: string, file: string): Promise<void> {
  if (await exists(file)) throw new ParleyError("bad_argument", `${file} is there already; name a new file`);
  const reader = await openReader(folder);
  const partial = `${file}.partial`;
  try {
    await Deno.remove(partial).catch(() => {});
    await reader.call("copy", partial);
    await Deno.chmod(partial, 0o600).catch(() => {}); // there are no modes on Windows
    await Deno.rename(partial, file);
  } finally {
    reader.terminate();
  }
}

/**
 * Puts the copy `file` in the place of the store in `folder`, which no server may have open. All channels get a new epoch,
 * so that clients notice. What was there before is kept as `channels.db.before-restore`.
 *
 * @throws {ParleyError} `bad_argument` if `file` is not a sound copy of a store, or the store is in use
 */
export async function restoreStore(file: string, folder: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  using _lock = await lockFolder(folder);
  if (!await exists(file)) throw new ParleyError("bad_argument", `there is no file ${file}`);
  const path = `${folder}/${DATABASE}`;
  const restored = `${path}.restored`;
  await Deno.copyFile(file, restored);
  await Deno.chmod(restored, 0o600).catch(() => {});
  try {
    renew(restored, file);
    if (await exists(path)) {
      mergeLog(path);
      await Deno.rename(path, `${path}.before-restore`);
    }
    await Deno.rename(restored, path);
  } catch (error) {
    await Deno.remove(restored);
    throw error;
  }
}

/** Checks the copy, and gives its channels a new epoch. */
function renew(path: string, file: string): void {
  const database = new DatabaseSync(path);
  try {
    checkIdentity(database, file);
    const problem = database.prepare("PRAGMA quick_check").get()?.quick_check;
    if (problem !== "ok") throw new ParleyError("bad_argument", `${file} is damaged: ${problem}`);
    const epoch = newEpoch();
    database.prepare("UPDATE channels SET epoch = ?").run(epoch);
    database.prepare("UPDATE meta SET value = ? WHERE name = 'epoch'").run(epoch);
  } catch (error) {
    if (error instanceof ParleyError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new ParleyError("bad_argument", `${file} is no copy of a store: ${reason}`, { cause: error });
  } finally {
    database.close();
  }
}

/** Writes what the write-ahead log of a store has into its database, so that it is a single file. */
function mergeLog(path: string): void {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = DELETE");
  database.close();
}

async function openReader(folder: string): Promise<StoreThread> {
  const path = `${folder}/${DATABASE}`;
  if (!await exists(path)) throw new ParleyError("bad_argument", `there is no store in ${folder}`);
  const reader = new StoreThread("read", path);
  await reader.opened;
  return reader;
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
