/**
 * The folder of a store: its lock, and the modes of its files.
 *
 * @module
 */

import { dirname } from "node:path";
import { ParleyError } from "../errors.ts";
import { STORE_LOCK_WAIT_MS } from "../limits.ts";
import { FolderStorage } from "../state/folder.ts";
import { lock } from "../state/lock.ts";

/** The file that the process with the store locks. It is never written and never removed. */
const LOCK = "lock";

/**
 * Takes the lock of a store, whose folder is made if it is not there. Only one process has a store open: the lock ends
 * with the process, however it ends.
 */
export async function lockFolder(folder: string): Promise<Deno.FsFile> {
  await new FolderStorage(folder).checkWritable();
  const file = await Deno.open(`${folder}/${LOCK}`, { write: true, create: true, mode: 0o600 });
  if (await lock(file, STORE_LOCK_WAIT_MS)) return file;
  file.close();
  throw new ParleyError("bad_argument", `another process has the store ${folder} open; stop it first`);
}

/**
 * Makes the file `path` if it is not there: SQLite would make it readable for others. Its name is on disk to stay when
 * this resolves, and so is that of its folder.
 */
export async function makePrivate(path: string): Promise<void> {
  try {
    using _file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return;
    throw error;
  }
  const folder = dirname(path);
  await syncFolder(folder);
  await syncFolder(dirname(folder));
}

/** Makes what was done to the names in `folder` durable. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    using file = await Deno.open(folder);
    await file.sync();
  } catch {
    // Windows cannot open folders, and needs no such call.
  }
}

/** Whether there is a file. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
