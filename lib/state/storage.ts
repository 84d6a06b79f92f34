/**
 * Storage for keys, tokens and certificates: a few small text files that a running server shares with the commands of
 * its operator.
 *
 * @module
 */

import * as v from "valibot";
import { ParleyError } from "../errors.ts";

/** Whether other users of the machine may read a file. Only its owner may write it in either case. */
export type Access = "secret" | "public";

/** Files by name. `FolderStorage` in `folder.ts` keeps them on disk, {@linkcode MemoryStorage} in memory. */
export interface Storage {
  /** Says where `name` is, for messages to people. */
  locate(name: string): string;
  /** Reads `name`; undefined if there is no such file. Rejects if other users have more access than `access` allows. */
  read(name: string, access?: Access): Promise<string | undefined>;
  /**
   * Replaces `name` atomically: a reader sees the whole old text or the whole new one, also after a crash. Call it
   * within {@linkcode Storage.exclusive} if another process may write the same file.
   */
  write(name: string, text: string, access?: Access): Promise<void>;
  /** Returns a value that changes whenever `name` is written. Costs no more than a file stat. */
  stamp(name: string): Promise<string>;
  /**
   * Runs `action` while no other exclusive action runs, in this process or another. Keep it short, and never nest one
   * within another: that is a deadlock. Rejects, without running `action`, if another process keeps its turn for long,
   * or, once `signal` is aborted, if it has the turn now.
   */
  exclusive<T>(action: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Rejects, with the reason, if files cannot be written or the turn of {@linkcode Storage.exclusive} does not come. */
  checkWritable(): Promise<void>;
}

/** Storage that ends with the process: for tests, and for servers that need no state from an earlier run. */
export class MemoryStorage implements Storage {
  readonly #files = new Map<string, { text: string; version: number }>();
  #writes = 0;
  #last: Promise<unknown> = Promise.resolve();

  locate(name: string): string {
    return `${name} (in memory)`;
  }

  read(name: string): Promise<string | undefined> {
    return Promise.resolve(this.#files.get(name)?.text);
  }

  write(name: string, text: string): Promise<void> {
    this.#files.set(name, { text, version: ++this.#writes });
    return Promise.resolve();
  }

  stamp(name: string): Promise<string> {
    return Promise.resolve(String(this.#files.get(name)?.version ?? ""));
  }

  exclusive<T>(action: () => Promise<T>): Promise<T> {
    const done = this.#last.then(action);
    this.#last = done.catch(() => {});
    return done;
  }

  checkWritable(): Promise<void> {
    return Promise.resolve();
  }
}

/** A time in milliseconds since 1970, as the state files hold it. */
export const epochMs = v.pipe(v.number(), v.minValue(0), v.maxValue(8.64e15));

/**
 * Parses the JSON `text` of the file `name` by `schema`; returns `empty` if `text` is undefined.
 *
 * @throws {ParleyError} `bad_argument` if the text does not match; the message quotes no part of it, as it may be secret
 */
export function parseFile<S extends v.GenericSchema>(
  storage: Storage,
  name: string,
  text: string | undefined,
  schema: S,
  empty: v.InferOutput<S>,
): v.InferOutput<S> {
  if (text === undefined) return empty;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  const result = v.safeParse(schema, json, { abortEarly: true });
  if (result.success) return result.output;
  const where = v.getDotPath(result.issues[0]) ?? "the whole file";
  throw new ParleyError(
    "bad_argument",
    `${
      storage.locate(name)
    } is not in the format of this version of Parley (${where}); restore it from a backup, or remove it to start over`,
  );
}
