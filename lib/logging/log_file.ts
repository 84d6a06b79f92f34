/**
 * The file of a log: rotated at a size, and opened anew if it was moved away or removed.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import type { LineWriter } from "./line_queue.ts";

/** Size at which the log file is rotated, in bytes: some days of a typical server, and an editor can still open it. */
export const LOG_FILE_BYTES = 10 * 1024 * 1024;

/** Rotated files that are kept, `FILE.1` being the newest. With the current file they take at most 60 MiB. */
const LOG_FILES_KEPT = 5;

/** The mode of a new log file: a log shows which sessions communicate, so only its owner may read it. */
const LOG_FILE_MODE = 0o600;

const NEWLINE = 0x0a;

/**
 * Opens what `--log-file` names: a file, which is rotated at `maxBytes`; a pipe or a device; /dev/stdout or /dev/stderr.
 *
 * @throws {ParleyError} `bad_argument` if it cannot be written
 */
export function openLogFile(path: string, maxBytes: number): LineWriter & Partial<Disposable> {
  // Deno opens these paths only with all permissions, but has what they stand for.
  const [, stream] = /^\/(?:dev\/std|dev\/fd\/|proc\/self\/fd\/)(out|err|1|2)$/.exec(path) ?? [];
  if (stream === "out" || stream === "1") return { write: (bytes) => Deno.stdout.write(bytes) };
  if (stream !== undefined) return { write: (bytes) => Deno.stderr.write(bytes) };
  try {
    const info = stat(path);
    if (info === undefined || info.isFile) return new LogFile(path, maxBytes, info);
    // With a reader of our own, opening a pipe does not wait for another, and writing does not fail if that one ends.
    return Deno.openSync(path, { read: info.isFifo === true, write: true });
  } catch (error) {
    const reason = error instanceof Deno.errors.NotCapable
      ? `this runtime does not open ${path} for a program; give a file, a pipe, /dev/stdout or /dev/stderr`
      : `${
        error instanceof Error ? error.message : error
      }; its directory must exist, and both must be writable`;
    throw new ParleyError("bad_argument", `cannot write the log file: ${reason}`, { cause: error });
  }
}

function stat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** A regular file. Before each write it is compared with what is at its path, which costs some microseconds. */
class LogFile implements LineWriter, Disposable {
  readonly #path: string;
  readonly #maxBytes: number;
  #file: Deno.FsFile;
  #identity: string;
  /** The mode of each new file: that of its predecessor. */
  #mode: number;
  #endsMidLine: boolean | undefined;
  /** Size from which the file is rotated: more than `maxBytes` after a rotation that failed. */
  #rotateAtBytes: number;

  constructor(path: string, maxBytes: number, existing: Deno.FileInfo | undefined) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#rotateAtBytes = maxBytes;
    this.#mode = existing?.mode ? existing.mode & 0o777 : LOG_FILE_MODE;
    this.#file = Deno.openSync(path, { create: true, append: true, mode: this.#mode });
    this.#identity = identityOf(this.#file.statSync());
    this.#endsMidLine = endsMidLine(path);
  }

  async prepare(bytes: number): Promise<boolean | undefined> {
    const info = await Deno.stat(this.#path).catch(() => undefined);
    if (info === undefined || identityOf(info) !== this.#identity) {
      await this.#replace();
    } else if (info.size > 0 && info.size + bytes > this.#rotateAtBytes) {
      await this.#rotate(info.size);
    }
    const endsMidLine = this.#endsMidLine;
    this.#endsMidLine = undefined;
    return endsMidLine;
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#file.write(bytes);
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }

  /** The file was moved away or removed: goes on in a new one, or in one that was put in its place. */
  async #replace(): Promise<void> {
    try {
      await this.#open();
    } catch (error) {
      // What was moved away still keeps what is written to it, until a new file can be made.
      if ((await this.#file.stat()).nlink === 0) throw error;
    }
  }

  async #rotate(size: number): Promise<void> {
    try {
      for (let age = LOG_FILES_KEPT - 1; age >= 0; age--) {
        const from = age === 0 ? this.#path : `${this.#path}.${age}`;
        await Deno.rename(from, `${this.#path}.${age + 1}`).catch((error) => {
          if (!(error instanceof Deno.errors.NotFound)) throw error;
        });
      }
      await this.#open();
      this.#rotateAtBytes = this.#maxBytes;
    } catch {
      this.#rotateAtBytes = size + this.#maxBytes; // a file that grows is better than lines that are lost
    }
  }

  async #open(): Promise<void> {
    const mode = this.#mode;
    const file = await Deno.open(this.#path, { create: true, append: true, mode });
    const info = await file.stat();
    // A mode given when a file is made is only what the umask leaves of it. Of another's file it is not ours to change.
    if (info.size === 0) await Deno.chmod(this.#path, mode).catch(() => {});
    this.#file.close();
    this.#file = file;
    this.#identity = identityOf(info);
    this.#endsMidLine = info.size > 0 && endsMidLine(this.#path);
  }
}

function identityOf({ dev, ino }: Deno.FileInfo): string {
  return `${dev}:${ino}`;
}

/** Whether the file ends in the middle of a line, as after a crash. False if it cannot be read. */
function endsMidLine(path: string): boolean {
  try {
    using file = Deno.openSync(path);
    const last = new Uint8Array(1);
    if (file.statSync().size === 0) return false;
    file.seekSync(-1, Deno.SeekMode.End);
    return file.readSync(last) === 1 && last[0] !== NEWLINE;
  } catch {
    return false;
  }
}
