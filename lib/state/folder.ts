/**
 * The state folder: the storage on disk.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import type { Access, Storage } from "./storage.ts";

/** Bits of a mode that let group and others write, and do anything at all. */
const WRITABLE = 0o022;
const OPEN = 0o077;

/** Locked by whoever writes; never written, never removed. */
const LOCK = ".lock";

/**
 * Keeps files in one folder. The folder is made at the first write, for its owner alone (0700); secrets are 0600 and
 * the rest 0644.
 *
 * What others could have changed, or secrets that others could have read, are refused, as ssh does: whoever reads a
 * signing key can make tokens, and a warning in a log does not stop that. A folder that others can only read is taken,
 * because what is in it is closed to them. Windows has no such modes, and is trusted.
 */
export class FolderStorage implements Storage {
  readonly #path: string;
  #last: Promise<unknown> = Promise.resolve();

  /** `path` need not exist. */
  constructor(path: string) {
    this.#path = path.replace(/[/\\]+$/, "") || "/";
  }

  locate(name: string): string {
    return `${this.#path === "/" ? "" : this.#path}/${name}`;
  }

  read(name: string, access: Access = "secret"): Promise<string | undefined> {
    return this.#explained("read", name, async () => {
      try {
        await this.#checkFolder();
        using file = await Deno.open(this.locate(name));
        const { mode, isFile } = await file.stat();
        if (!isFile) throw new ParleyError("bad_argument", `${this.locate(name)} is not a file`);
        this.#checkMode(name, mode, access);
        return await new Response(file.readable).text();
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return undefined;
        throw error;
      }
    });
  }

  write(name: string, text: string, access: Access = "secret"): Promise<void> {
    return this.#explained("write", name, async () => {
      await this.#makeFolder();
      const path = this.locate(name);
      const temporary = `${path}.tmp`;
      try {
        await removeIfThere(temporary); // left by a process that was killed: whoever may write now is alone
        await writeNew(temporary, text, access === "secret" ? 0o600 : 0o644);
        await Deno.rename(temporary, path);
      } catch (error) {
        await removeIfThere(temporary);
        throw error;
      }
      await syncFolder(this.#path);
    });
  }

  async stamp(name: string): Promise<string> {
    try {
      const { ino, size, mtime } = await Deno.stat(this.locate(name));
      return `${ino} ${size} ${mtime?.getTime()}`;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "";
      throw this.#explain("read", name, error);
    }
  }

  /** Waits for its turn within this process first: many waiting for the file's lock would take up all of I/O's threads. */
  exclusive<T>(action: () => Promise<T>): Promise<T> {
    const done = this.#last.then(() => this.#locked(action));
    this.#last = done.catch(() => {});
    return done;
  }

  /** The system lets go of the lock when the process ends, however it ends. */
  async #locked<T>(action: () => Promise<T>): Promise<T> {
    using file = await this.#explained("write", LOCK, async () => {
      await this.#makeFolder();
      const file = await Deno.open(this.locate(LOCK), { write: true, create: true, mode: 0o600 });
      await file.lock(true);
      return file;
    });
    try {
      return await action();
    } finally {
      await file.unlock();
    }
  }

  async #makeFolder(): Promise<void> {
    await Deno.mkdir(this.#path, { recursive: true, mode: 0o700 });
    const { mode } = await Deno.stat(this.#path);
    // Made by somebody whose group may write by default, and nothing in it yet to mistrust: simply close it.
    if (mode !== null && (mode & WRITABLE) !== 0 && await isEmpty(this.#path)) {
      await Deno.chmod(this.#path, mode & 0o777 & ~WRITABLE);
    }
    await this.#checkFolder();
  }

  async #checkFolder(): Promise<void> {
    const { mode, isDirectory } = await Deno.stat(this.#path);
    if (!isDirectory) throw new ParleyError("bad_argument", `${this.#path} is not a folder`);
    if (mode === null || (mode & WRITABLE) === 0) return;
    throw new ParleyError(
      "bad_argument",
      `others can change what is in the folder ${this.#path} (mode ${
        octal(mode)
      }), and so could put their own keys ` +
        `there; make it yours alone (chmod 700 ${this.#path}) or use another`,
    );
  }

  #checkMode(name: string, mode: number | null, access: Access): void {
    if (mode === null) return;
    const path = this.locate(name);
    if ((mode & WRITABLE) !== 0) {
      const fix = `chmod ${access === "secret" ? "600" : "644"} ${path}`;
      const message = `others can change ${path} (mode ${octal(mode)}); if nobody has: ${fix}`;
      throw new ParleyError("bad_argument", message);
    }
    if (access === "secret" && (mode & OPEN) !== 0) {
      throw new ParleyError(
        "bad_argument",
        `others can read ${path} (mode ${octal(mode)}), which is secret; if nobody has: chmod 600 ${path}; ` +
          `else remove it, and what depends on it is made anew`,
      );
    }
  }

  async #explained<T>(what: "read" | "write", name: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw this.#explain(what, name, error);
    }
  }

  #explain(what: "read" | "write", name: string, error: unknown): unknown {
    if (error instanceof ParleyError || !(error instanceof Error)) return error;
    const message = `cannot ${what} ${this.locate(name)}: ${error.message}`;
    return new ParleyError("bad_argument", message, { cause: error });
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function writeNew(path: string, text: string, mode: number): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true, mode });
  const bytes = new TextEncoder().encode(text);
  for (let from = 0; from < bytes.length;) from += await file.write(bytes.subarray(from));
  await file.sync();
}

/** Whether nothing but hidden files (`.gitignore`) is in a folder. */
async function isEmpty(path: string): Promise<boolean> {
  for await (const { name } of Deno.readDir(path)) if (!name.startsWith(".")) return false;
  return true;
}

/** Makes the new name last; where folders cannot be opened (Windows), the system sees to it. */
async function syncFolder(path: string): Promise<void> {
  try {
    using folder = await Deno.open(path);
    await folder.sync();
  } catch {
    // The file itself is whole either way; after a power cut it may be the old one.
  }
}

/** `0640`, as chmod and ls spell it. */
function octal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, "0");
}
