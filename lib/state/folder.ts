/**
 * The state folder: the storage on disk.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { LOCK_WAIT_MS } from "../limits.ts";
import { lock } from "./lock.ts";
import type { Access, Storage } from "./storage.ts";

/** Mode bits that let group and others write. */
const WRITABLE = 0o022;
/** Mode bits that give group and others any access. */
const ACCESSIBLE = 0o077;

/** The file that a writer locks. It is never written and never removed. */
const LOCK = ".lock";

/**
 * Keeps files in one folder. The folder is made at the first write with mode 0700; secret files get 0600 and public
 * ones 0644.
 *
 * Files that other users can change, and secrets that they can read, are refused, as ssh does: with a signing key
 * another user could make tokens, and a warning in the log would not stop that. A folder that others can only list is
 * accepted, because they cannot open the secrets in it. So is what root owns; anything else must belong to the user
 * that runs this process, because an owner can change a file in spite of its mode. On Windows, which has no modes,
 * nothing is checked. The owner is not checked without the permission to know the user (`--allow-sys=uid`).
 */
export class FolderStorage implements Storage {
  readonly #path: string;
  readonly #uid: number | null;
  #last: Promise<unknown> = Promise.resolve();

  /** `path` need not exist; `uid` is the user that runs this process, null if it is not known. */
  constructor(path: string, uid: number | null = currentUser()) {
    this.#path = path.replace(/[/\\]+$/, "") || "/";
    this.#uid = uid;
  }

  locate(name: string): string {
    return `${this.#path === "/" ? "" : this.#path}/${name}`;
  }

  read(name: string, access: Access = "secret"): Promise<string | undefined> {
    return this.#explained("read", name, async () => {
      try {
        await this.#checkFolder();
        using file = await Deno.open(this.locate(name));
        const { mode, uid, isFile } = await file.stat();
        if (!isFile) throw new ParleyError("bad_argument", `${this.locate(name)} is not a file`);
        this.#checkOwner(this.locate(name), uid);
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
        await removeIfThere(temporary); // left by a killed process: no other process may write now
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

  exclusive<T>(action: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const done = this.#last.then(() => this.#locked(action, signal));
    this.#last = done.catch(() => {});
    return done;
  }

  checkWritable(): Promise<void> {
    const name = `.${crypto.randomUUID()}`;
    return this.exclusive(() =>
      this.#explained("write", name, async () => {
        try {
          await writeNew(this.locate(name), "", 0o600);
        } finally {
          await removeIfThere(this.locate(name));
        }
      })
    );
  }

  /** The operating system releases the lock when the process ends, in whatever way. */
  async #locked<T>(action: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    using file = await this.#explained("write", LOCK, async () => {
      await this.#makeFolder();
      return await Deno.open(this.locate(LOCK), { write: true, create: true, mode: 0o600 });
    });
    await this.#explained("lock", LOCK, () => this.#lock(file, signal));
    try {
      return await action();
    } finally {
      await file.unlock();
    }
  }

  async #lock(file: Deno.FsFile, signal: AbortSignal | undefined): Promise<void> {
    if (await lock(file, LOCK_WAIT_MS, signal)) return;
    throw new ParleyError(
      "bad_argument",
      `another process holds the lock ${this.locate(LOCK)}; end that process if it is stuck, and try again`,
    );
  }

  async #makeFolder(): Promise<void> {
    await Deno.mkdir(this.#path, { recursive: true, mode: 0o700 });
    const { mode } = await Deno.stat(this.#path);
    // Made with a umask that lets the group write. It holds nothing yet that could be forged, so just close it.
    if (mode !== null && (mode & WRITABLE) !== 0 && await isEmpty(this.#path)) {
      await Deno.chmod(this.#path, mode & 0o777 & ~WRITABLE);
    }
    await this.#checkFolder();
  }

  async #checkFolder(): Promise<void> {
    const { mode, uid, isDirectory } = await Deno.stat(this.#path);
    if (!isDirectory) throw new ParleyError("bad_argument", `${this.#path} is not a folder`);
    this.#checkOwner(this.#path, uid);
    if (mode === null || (mode & WRITABLE) === 0) return;
    throw new ParleyError(
      "bad_argument",
      `others can change what is in the folder ${this.#path} (mode ${
        octal(mode)
      }), such as putting their own keys ` +
        `there; make it yours alone (chmod 700 ${this.#path}) or use another folder`,
    );
  }

  #checkOwner(path: string, owner: number | null): void {
    if (owner === null || this.#uid === null || owner === 0 || owner === this.#uid) return;
    throw new ParleyError(
      "bad_argument",
      `${path} belongs to user ${owner}, and this process, which needs it for itself, runs as user ${this.#uid}; ` +
        `run it as that user (sudo -u '#${owner}'), or, if you are sure that nothing was changed, make the folder ` +
        `yours: chown -R ${this.#uid} ${this.#path}`,
    );
  }

  #checkMode(name: string, mode: number | null, access: Access): void {
    if (mode === null) return;
    const path = this.locate(name);
    if ((mode & WRITABLE) !== 0) {
      const fix = `if you are sure that it is unchanged: chmod ${
        access === "secret" ? "600" : "644"
      } ${path}`;
      throw new ParleyError("bad_argument", `others can change ${path} (mode ${octal(mode)}); ${fix}`);
    }
    if (access === "secret" && (mode & ACCESSIBLE) !== 0) {
      throw new ParleyError(
        "bad_argument",
        `others can read ${path} (mode ${octal(mode)}), which is secret; if you are sure that no one has: ` +
          `chmod 600 ${path}; otherwise remove it, and make what depends on it again`,
      );
    }
  }

  async #explained<T>(what: "read" | "write" | "lock", name: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw this.#explain(what, name, error);
    }
  }

  #explain(what: "read" | "write" | "lock", name: string, error: unknown): unknown {
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

/** The user that runs this process; null on Windows, or if it is not permitted to know. */
function currentUser(): number | null {
  // Asked first, because Deno.uid() would prompt for the permission.
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "uid" });
  return state === "granted" ? Deno.uid() : null;
}

/** Whether a folder holds nothing, or only hidden files such as `.gitignore`. */
async function isEmpty(path: string): Promise<boolean> {
  for await (const { name } of Deno.readDir(path)) if (!name.startsWith(".")) return false;
  return true;
}

/** Makes a rename durable. Windows cannot open folders, and needs no such call. */
async function syncFolder(path: string): Promise<void> {
  try {
    using folder = await Deno.open(path);
    await folder.sync();
  } catch {
    // The file is complete in any case; after a power failure it may be the old one.
  }
}

/** The mode as chmod takes it, such as `0640`. */
function octal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, "0");
}
