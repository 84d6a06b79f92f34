/**
 * The public keys of another issuer in a file, which is watched.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { MAX_KEY_SET_BYTES } from "../limits.ts";
import { WatchedFile } from "../state/watched_file.ts";
import type { ExternalKey } from "./external_keys.ts";
import {
  KeyReports,
  type KeySource,
  type KeySourceEvents,
  parsed,
  readBounded,
  tooLong,
} from "./key_source.ts";

/** Mode bits that let group and others write. */
const WRITABLE = 0o022;

/** Keys in a file, read again when it changes. */
export class FileKeys implements KeySource {
  readonly from: string;
  readonly #file: WatchedFile<readonly ExternalKey[]>;
  readonly #reports: KeyReports;

  constructor(path: string, events: KeySourceEvents) {
    this.from = path;
    this.#reports = new KeyReports(path, events);
    const file = { stamp: stampOf, read: readKeyFile };
    this.#file = new WatchedFile(file, path, [], (text) => parsed(path, text ?? ""));
  }

  get keys(): readonly ExternalKey[] {
    return this.#file.value;
  }

  async open(): Promise<void> {
    await this.#file.refresh();
    this.#reports.read(this.keys);
  }

  async refresh(): Promise<void> {
    try {
      await this.#file.refresh();
      this.#reports.read(this.keys);
    } catch (error) {
      this.#reports.failed(error, this.keys);
    }
  }

  refetch(): Promise<void> {
    return this.refresh();
  }

  reload(): Promise<void> {
    return this.refresh();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

async function stampOf(path: string): Promise<string> {
  try {
    const { ino, size, mtime } = await Deno.stat(path);
    return `${ino} ${size} ${mtime?.getTime()}`;
  } catch (error) {
    throw notRead(path, error);
  }
}

/** Reads a file of keys. Unlike the state folder it may belong to anyone: another program may maintain it. */
async function readKeyFile(path: string): Promise<string> {
  try {
    using file = await Deno.open(path);
    const { mode, size } = await file.stat();
    if (mode !== null && (mode & WRITABLE) !== 0) {
      throw new ParleyError(
        "bad_argument",
        `others can change ${path}, and so make tokens; if you are sure that it is unchanged: chmod go-w ${path}`,
      );
    }
    if (size > MAX_KEY_SET_BYTES) throw tooLong(path);
    return await readBounded(file.readable, path);
  } catch (error) {
    throw notRead(path, error);
  }
}

function notRead(path: string, error: unknown): unknown {
  if (error instanceof ParleyError || !(error instanceof Error)) return error;
  const reason = error instanceof Deno.errors.NotFound ? "there is no such file" : error.message;
  return new ParleyError("bad_argument", `cannot read the keys ${path}: ${reason}`, { cause: error });
}
