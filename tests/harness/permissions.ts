/**
 * What this run of the tests may do. A test that needs more is ignored, because `deno test --allow-net` must pass.
 *
 * @module
 */

import { isLoopback } from "../../lib/client/address.ts";

/** Whether the run has this permission without any restriction. */
export function isGranted(name: "run" | "read" | "write" | "env" | "sys"): boolean {
  return Deno.permissions.querySync({ name }).state === "granted";
}

/** Whether files can be read and written. */
export const MAY_USE_FILES: boolean = isGranted("read") && isGranted("write");

/** Whether processes can be started and sent signals, and have pipes, as on Unix. */
export const MAY_RUN: boolean = isGranted("run") && isGranted("env") && MAY_USE_FILES &&
  Deno.build.os !== "windows";

/** Whether the memory and the descriptors of a process can be read from `/proc`. */
export const MAY_INSPECT: boolean = MAY_RUN && Deno.build.os === "linux";

/** An IPv4 address of this machine that is not loopback; `undefined` if there is none. */
export const EXTERNAL_ADDRESS: string | undefined = isGranted("sys")
  ? Deno.networkInterfaces().find(({ address, family }) => family === "IPv4" && !isLoopback(address))?.address
  : undefined;

/** Whether there is a Python that can give a program a terminal. */
export const HAS_PYTHON: boolean = MAY_RUN && hasPython();

function hasPython(): boolean {
  try {
    return new Deno.Command("python3", { args: ["-c", "import pty"], stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}
