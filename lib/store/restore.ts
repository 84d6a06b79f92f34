/**
 * Puts a copy of a store in the place of the store.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { ParleyError } from "../errors.ts";
import { checkIdentity, DATABASE } from "./database.ts";
import { newEpoch } from "./epoch.ts";
import { exists, lockFolder, makePrivate, syncFolder } from "./store_folder.ts";

/**
 * Puts the copy `file` in the place of the store in `folder`, which no server may have open. All channels get a new epoch,
 * so that clients notice. What was there before is kept beside it, under the name that is returned.
 *
 * @throws {ParleyError} `bad_argument` if `file` is not a sound copy of a store, or the store is in use
 */
export async function restoreStore(file: string, folder: string): Promise<string | undefined> {
  if (!await exists(file)) throw new ParleyError("bad_argument", `there is no file ${file}`);
  if (await exists(`${file}-wal`)) {
    const message =
      `${file}-wal lies beside ${file}, which is not complete without it; restore a copy made by backup`;
    throw new ParleyError("bad_argument", message);
  }
  using _lock = await lockFolder(folder);
  const path = `${folder}/${DATABASE}`;
  const restored = `${path}.restored`;
  try {
    await remove(restored);
    await makePrivate(restored);
    await copy(file, restored);
    renew(restored, file);
    const before = await exists(path) ? await setAside(path) : undefined;
    await Deno.rename(restored, path);
    await syncFolder(folder);
    return before;
  } catch (error) {
    await remove(restored);
    throw error;
  }
}

/** Copies the bytes alone: the copy keeps its mode. */
async function copy(from: string, to: string): Promise<void> {
  using source = await Deno.open(from);
  using target = await Deno.open(to, { write: true });
  await source.readable.pipeTo(target.writable, { preventClose: true });
  await target.sync();
}

/** Checks the copy, and gives its channels a new epoch. */
function renew(path: string, file: string): void {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path);
    checkIdentity(database, file);
    const problem = database.prepare("PRAGMA quick_check").get()?.quick_check;
    if (problem !== "ok") throw new ParleyError("bad_argument", `${file} is damaged: ${problem}`);
    const epoch = newEpoch();
    database.exec("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; BEGIN");
    database.prepare("UPDATE channels SET epoch = ?").run(epoch);
    database.prepare("UPDATE meta SET value = ? WHERE name = 'epoch'").run(epoch);
    database.exec("COMMIT");
  } catch (error) {
    if (error instanceof ParleyError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new ParleyError("bad_argument", `${file} is no copy of a store: ${reason}`, { cause: error });
  } finally {
    database?.close();
  }
}

/** Renames a store, which may be damaged, with its write-ahead log. Returns its new name. */
async function setAside(path: string): Promise<string> {
  let before = `${path}.before-restore`;
  for (let i = 2; await exists(before); i++) before = `${path}.before-restore-${i}`;
  await Deno.rename(path, before);
  if (await exists(`${path}-wal`)) await Deno.rename(`${path}-wal`, `${before}-wal`);
  await remove(`${path}-shm`); // made anew from the log
  return before;
}

async function remove(path: string): Promise<void> {
  if (await exists(path)) await Deno.remove(path);
}
