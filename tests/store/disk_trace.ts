/**
 * What a process does to the files of a store, recorded by `strace`, and what a disk may have of it after a loss of power.
 *
 * @module
 */

import type { Random } from "../harness/seeded.ts";

/** The files of a store that a disk keeps. */
export const FILES = ["channels.db", "channels.db-wal"] as const;

/** What happened, in order. */
export type Event =
  | { readonly what: "write"; readonly file: string; readonly at: number; readonly bytes: Uint8Array }
  | { readonly what: "truncate"; readonly file: string; readonly size: number }
  | { readonly what: "sync"; readonly file: string; readonly isDone: boolean }
  | { readonly what: "said"; readonly text: string };

/** Whether there is an `strace` that may trace: some containers do not permit it. */
export async function hasStrace(): Promise<boolean> {
  const args = ["-qq", "-o", "/dev/null", "true"];
  try {
    return (await new Deno.Command("strace", { args, stdout: "null", stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}

/**
 * Runs a program of this folder on the store in `folder`, and records it.
 *
 * @param inject failures of system calls, as `strace -e` takes them
 */
export async function traced(
  program: string,
  folder: string,
  count: number,
  inject: string[],
): Promise<Event[]> {
  const said = `${folder}/said`;
  const trace = `${folder}/trace`;
  const { success } = await new Deno.Command("sh", {
    args: [
      ...["-c", 'said="$1"; shift; exec "$@" > "$said"', "sh", said],
      ...["strace", "-f", "-qq", "-y", "-xx", "-s", "65536", "-o", trace],
      ...["-e", "trace=pwrite64,write,fsync,fdatasync,ftruncate", ...inject.flatMap((what) => ["-e", what])],
      ...[said, ...FILES.map((file) => `${folder}/${file}`)].flatMap((path) => ["-P", path]),
      ...[Deno.execPath(), "run", "-A", "--no-check", `tests/store/${program}`, folder, String(count)],
    ],
  }).output();
  if (!success) throw new Error(`${program} failed`);
  return parse(await Deno.readTextFile(trace));
}

function parse(trace: string): Event[] {
  const events: Event[] = [];
  const unfinished = new Map<string, string>();
  for (const line of trace.split("\n")) {
    const thread = line.split(" ", 1)[0];
    let call = line.slice(thread.length).trim();
    if (call.endsWith("<unfinished ...>")) {
      unfinished.set(thread, call.slice(0, -"<unfinished ...>".length).trimEnd());
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>/.exec(call);
    if (resumed !== null) call = unfinished.get(thread) + call.slice(resumed[0].length);
    const event = eventOf(call);
    if (event !== undefined) events.push(event);
  }
  return events;
}

function eventOf(call: string): Event | undefined {
  const match = /^(\w+)\(\d+<([^>]*)>(?:, "([^"]*)"[.]*)?(?:, (\d+))?(?:, (\d+))?\)\s+= (-?\d+)/.exec(call);
  if (match === null) return undefined;
  const [, name, path, data, size, at, result] = match;
  const file = text(path).split("/").at(-1)!;
  if (name === "write") {
    // The log is made longer with zeros, which a disk has anyway where nothing was written.
    return file === "said" ? { what: "said", text: text(data).trim() } : undefined;
  }
  if (name === "pwrite64" && Number(result) > 0) {
    return { what: "write", file, at: Number(at), bytes: hex(data).subarray(0, Number(result)) };
  }
  if (name === "ftruncate" && result === "0") return { what: "truncate", file, size: Number(size) };
  if (name === "fsync" || name === "fdatasync") return { what: "sync", file, isDone: result === "0" };
  return undefined;
}

function hex(data: string): Uint8Array {
  return Uint8Array.from(data.split("\\x").slice(1), (byte) => parseInt(byte, 16));
}

function text(data: string): string {
  return new TextDecoder().decode(hex(data));
}

const SECTOR = 512;

/** The files on a disk that loses what was not synced, in any order, sector by sector. */
export class Disk {
  readonly #random: Random;
  readonly #failedShare: number;
  readonly #durable = new Map<string, Uint8Array>();
  #pending: Event[] = [];

  /** @param failedShare the chance of each sector of which an fsync failed to be on the disk all the same */
  constructor(random: Random, failedShare: number) {
    this.#random = random;
    this.#failedShare = failedShare;
  }

  do(event: Event): void {
    if (event.what === "said") return;
    if (event.what !== "sync") return void this.#pending.push(event);
    const { file, isDone } = event;
    // After an fsync that failed the kernel takes the pages for written, and never tries again.
    this.#settle(this.#durable, file, isDone ? 1 : this.#failedShare);
    this.#pending = this.#pending.filter((other) => !("file" in other) || other.file !== file);
  }

  /** The files after a loss of power now. Each sector that was not synced is there with a chance of `share`. */
  cut(share: number): Map<string, Uint8Array> {
    const files = new Map(this.#durable);
    for (const file of FILES) this.#settle(files, file, share);
    return files;
  }

  #settle(files: Map<string, Uint8Array>, file: string, share: number): void {
    let content = files.get(file) ?? new Uint8Array();
    const isKept = () => share === 1 || this.#random.int(1000) < share * 1000;
    for (const event of this.#pending) {
      if (event.what === "truncate" && event.file === file && isKept()) {
        const cut = new Uint8Array(event.size);
        cut.set(content.subarray(0, event.size));
        content = cut;
      }
      if (event.what !== "write" || event.file !== file) continue;
      const { at, bytes } = event;
      for (let from = 0; from < bytes.length;) {
        const to = Math.min(bytes.length, from + SECTOR - (at + from) % SECTOR);
        if (isKept()) {
          const grown = new Uint8Array(Math.max(content.length, at + to));
          grown.set(content);
          grown.set(bytes.subarray(from, to), at + from);
          content = grown;
        }
        from = to;
      }
    }
    files.set(file, content);
  }
}
