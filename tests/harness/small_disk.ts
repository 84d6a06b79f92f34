/**
 * A file system of a given size, which only root may mount, and not in every container.
 *
 * @module
 */

import { assert } from "@std/assert";
import { makeFolder } from "./folder.ts";
import { MAY_RUN } from "./permissions.ts";

/** A disk in memory, which is there until it is disposed of. */
export class SmallDisk implements AsyncDisposable {
  readonly #folder: ReturnType<typeof makeFolder>;

  private constructor(folder: ReturnType<typeof makeFolder>) {
    this.#folder = folder;
  }

  /** Mounts one of `size`, such as `1m`. */
  static async mount(size: string): Promise<SmallDisk> {
    using stack = new DisposableStack();
    const folder = stack.use(makeFolder());
    assert(await run("mount", "-t", "tmpfs", "-o", `size=${size},mode=700`, "none", folder.path));
    stack.move(); // the folder is the disk's from now on
    return new SmallDisk(folder);
  }

  /** Where it is. */
  get path(): string {
    return this.#folder.path;
  }

  /** Mounts it again with other options, such as `size=4m` or `ro`. */
  async remount(options: string): Promise<void> {
    assert(await run("mount", "-o", `remount,${options}`, this.path));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Lazily: a process that another test starts has all descriptors of this one for a moment, those of the disk too.
    assert(await run("umount", "--lazy", this.path));
    this.#folder[Symbol.dispose]();
  }
}

/** Whether one can be had. */
export async function canMount(): Promise<boolean> {
  if (!MAY_RUN || Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  try {
    await using _disk = await SmallDisk.mount("1m");
    return true;
  } catch {
    return false;
  }
}

/** Runs a command. Returns whether it succeeded. */
async function run(command: string, ...args: string[]): Promise<boolean> {
  return (await new Deno.Command(command, { args, stderr: "null" }).output()).success;
}
