/**
 * What is done with a store while it is in use: it is verified, and copied. Each in a thread of its own, so that neither
 * commits nor replay wait.
 *
 * @module
 */

import { dirname } from "node:path";
import { ParleyError } from "../errors.ts";
import { BACKUP_PROGRESS_MS, VERIFY_STEP_BYTES } from "../limits.ts";
import { DATABASE } from "./database.ts";
import type { DamagedRun, Place, Verified } from "./shapes.ts";
import { exists, makePrivate, syncFolder } from "./store_folder.ts";
import { StoreThread } from "./store_thread.ts";

/** Is told how much has been done, of how much, in bytes. */
export type Progress = (done: number, total: number) => void;

/** What verifying a store has found. */
export interface Findings {
  /** What SQLite says is wrong with the file. */
  readonly problems: readonly string[];
  /** Runs that cannot be read, or whose checksum is wrong: they are left out when the channel is read. */
  readonly damaged: readonly DamagedRun[];
  /** Ranges of which nothing is stored, between others of which something is. */
  readonly missing: readonly DamagedRun[];
}

/** Reads all of the store in `folder`, and checks it. */
export async function verify(folder: string, progress: Progress = () => {}): Promise<Findings> {
  const reader = new StoreThread("read", `${folder}/${DATABASE}`);
  try {
    await reader.opened;
    const total = await reader.call<number>("size");
    const damaged: DamagedRun[] = [];
    const missing: DamagedRun[] = [];
    let done = 0;
    for (let after: Place = { series: 0, first: 0 };;) {
      const step = await reader.call<Verified>("verify", after, VERIFY_STEP_BYTES);
      damaged.push(...step.damaged);
      missing.push(...step.missing);
      done += step.size;
      progress(done, Math.max(total, done));
      if (step.isDone) break;
      after = step.after;
    }
    return { problems: await reader.call<string[]>("problems"), damaged, missing };
  } finally {
    reader.terminate();
  }
}

/**
 * Copies the store in `folder` as it is now to `file`, which is complete once it has that name.
 *
 * @throws {ParleyError} `bad_argument` if there is such a file already
 */
export async function backUp(folder: string, file: string, progress: Progress = () => {}): Promise<void> {
  if (await exists(file)) throw new ParleyError("bad_argument", `${file} is there already; name a new file`);
  const partial = `${file}.partial`;
  const reader = new StoreThread("read", `${folder}/${DATABASE}`);
  let timer: ReturnType<typeof setInterval> | undefined;
  try {
    await reader.opened;
    const total = await reader.call<number>("size");
    if (await exists(partial)) await Deno.remove(partial);
    await makePrivate(partial);
    timer = setInterval(() => {
      Deno.stat(partial).then(({ size }) => progress(Math.min(size, total), total), () => {});
    }, BACKUP_PROGRESS_MS);
    await reader.call("copy", partial);
    await Deno.rename(partial, file);
    await syncFolder(dirname(file));
    progress(total, total);
  } catch (error) {
    await Deno.remove(partial).catch(() => {});
    throw error;
  } finally {
    clearInterval(timer);
    reader.terminate();
  }
}
