/**
 * Where keys, tokens and certificates are kept: a handful of small text files, shared by a server and the commands
 * that are run beside it.
 *
 * @module
 */

import * as v from "valibot";
import { ParleyError } from "../errors.ts";

/** Whether other users of the machine may read a file. Nobody but its owner may ever write it. */
export type Access = "secret" | "public";

/** Files by name. `FolderStorage` in `folder.ts` keeps them on disk, {@linkcode MemoryStorage} for this process. */
export interface Storage {
  /** Where `name` is kept, for messages to people. */
  locate(name: string): string;
  /** The text of `name`, or nothing where there is no such file. Rejects where it is not kept as `access` asks. */
  read(name: string, access?: Access): Promise<string | undefined>;
  /**
   * Replaces `name` as a whole: a reader sees all of the old text or all of the new, also after a crash. For use within
   * {@linkcode Storage.exclusive}, where others may write too.
   */
  write(name: string, text: string, access?: Access): Promise<void>;
  /** A value that differs whenever `name` has been written since; costs no more than asking for the time of change. */
  stamp(name: string): Promise<string>;
  /**
   * Does `action` while nobody else, in this process or another, does theirs: for whatever writes. Short, and never one
   * within another.
   */
  exclusive<T>(action: () => Promise<T>): Promise<T>;
}

/** A storage that ends with the process: for tests, and servers that need not outlive it. */
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
}

/**
 * Makes of `text`, read from `name`, what `schema` says, or the empty value where there is no such file.
 *
 * @throws {ParleyError} `bad_argument` where it is something else; the message quotes nothing of it
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
  const where = v.getDotPath(result.issues[0]) ?? "the whole of it";
  throw new ParleyError(
    "bad_argument",
    `${
      storage.locate(name)
    } is not as this version of Parley wrote it (${where}); restore it from a backup, or remove it to begin anew`,
  );
}
