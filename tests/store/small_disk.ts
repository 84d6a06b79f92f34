/**
 * A file system of a given size, which only root may mount, and not in every container.
 *
 * @module
 */

import { makeFolder } from "../harness/folder.ts";
import { MAY_RUN } from "../harness/permissions.ts";

/** Runs a command that only root may run. Returns whether it succeeded. */
export async function asRoot(command: string, ...args: string[]): Promise<boolean> {
  if (!MAY_RUN || Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  return (await new Deno.Command(command, { args, stderr: "null" }).output()).success;
}

/** Whether one can be had. */
export async function canMount(): Promise<boolean> {
  if (!MAY_RUN) return false;
  using folder = makeFolder();
  return await asRoot("mount", "-t", "tmpfs", "none", folder.path) && await asRoot("umount", folder.path);
}
