/**
 * The machines that executables are made for, and how they are compiled.
 *
 * @module
 */

import { deno } from "./deno.ts";

/** A target of `deno compile`. */
export interface Target {
  /** As `--target` takes it. */
  readonly triple: string;
  /** As archives are named. */
  readonly name: string;
  readonly os: "linux" | "macos" | "windows";
  readonly machine: "x86_64" | "aarch64";
}

/** Every target of `deno compile`. */
export const TARGETS: readonly Target[] = [
  { triple: "x86_64-unknown-linux-gnu", name: "linux-x86_64", os: "linux", machine: "x86_64" },
  { triple: "aarch64-unknown-linux-gnu", name: "linux-aarch64", os: "linux", machine: "aarch64" },
  { triple: "x86_64-apple-darwin", name: "macos-x86_64", os: "macos", machine: "x86_64" },
  { triple: "aarch64-apple-darwin", name: "macos-aarch64", os: "macos", machine: "aarch64" },
  { triple: "x86_64-pc-windows-msvc", name: "windows-x86_64", os: "windows", machine: "x86_64" },
  { triple: "aarch64-pc-windows-msvc", name: "windows-aarch64", os: "windows", machine: "aarch64" },
];

/** The two programs. */
export const PROGRAMS = ["parley", "parley-server"] as const;

/** The name of a program's executable. */
export function executableOf(program: string, { os }: Target): string {
  return os === "windows" ? `${program}.exe` : program;
}

/** A target cannot be built here. `message` is the reason, in one line. */
export class NotBuildable extends Error {}

/**
 * Compiles both programs for `target` into `folder`, as `deno task compile` does for this machine.
 *
 * @param task the command of the task `compile`
 * @throws {NotBuildable} if Deno's runtime for that machine cannot be downloaded
 */
export async function compile(task: string, target: Target, folder: string): Promise<void> {
  const isOther = target.triple !== Deno.build.target;
  if (isOther && Deno.env.get("DENORT_BIN") !== undefined) {
    throw new NotBuildable(`DENORT_BIN is set, and is the runtime of ${Deno.build.target}`);
  }
  for (const command of compileCommands(task, target, folder)) {
    try {
      await deno(...command);
    } catch (error) {
      const reason = downloadFailure((error as Error).message);
      throw reason === undefined ? error : new NotBuildable(reason);
    }
  }
}

/** The arguments of each `deno compile` of the task, for another target and folder. */
export function compileCommands(task: string, { triple }: Target, folder: string): string[][] {
  return task.split(" && ").map((command) => {
    const [, ...args] = command.split(" ");
    const out = args.indexOf("-o") + 1;
    if (args[0] !== "compile" || out === 0) throw new Error(`not a command of deno compile: ${command}`);
    args[out] = `${folder}/${args[out].split("/").at(-1)}`;
    return ["compile", "--quiet", "--target", triple, ...args.slice(1)];
  });
}

/** Why the runtime could not be downloaded; undefined if compiling failed for another reason. */
export function downloadFailure(stderr: string): string | undefined {
  if (!stderr.includes("Setting up base binary")) return undefined;
  const causes = [...stderr.matchAll(/^ +\d+: (.*)$/gm)].map(([, cause]) => cause);
  const cause = causes.find((cause) => /error sending request|status/.test(cause)) ?? causes.at(-1);
  return `its runtime cannot be downloaded here: ${cause ?? "no reason given"}`;
}

/** The first bytes that {@linkcode machineOf} needs. */
export const HEAD_BYTES = 4096;

/**
 * Which machine an executable is for, by its header: `linux-x86_64`; undefined if it is none that is known here. With a
 * wrong runtime, `deno compile` succeeds all the same.
 */
export function machineOf(head: Uint8Array): string | undefined {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (view.getUint32(0) === 0x7f454c46) return byNumber("linux", view.getUint16(18, true), 0x3e, 0xb7);
  if (view.getUint32(0, true) === 0xfeedfacf) {
    return byNumber("macos", view.getUint32(4, true), 0x01000007, 0x0100000c);
  }
  if (view.getUint16(0) !== 0x4d5a) return undefined;
  const at = view.getUint32(0x3c, true);
  if (at + 6 > head.length || view.getUint32(at) !== 0x50450000) return undefined;
  return byNumber("windows", view.getUint16(at + 4, true), 0x8664, 0xaa64);
}

function byNumber(os: string, number: number, x86: number, arm: number): string | undefined {
  return number === x86 ? `${os}-x86_64` : number === arm ? `${os}-aarch64` : undefined;
}
