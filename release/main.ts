/**
 * `deno task release`: what users download, in `dist/release/`: an archive for every machine, and `SHA256SUMS`.
 *
 * A machine whose Deno runtime cannot be downloaded is named and skipped; with `--complete` this is a failure.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import config from "../deno.json" with { type: "json" };
import { VERSION } from "../lib/version.ts";
import { type Entry, type Level, writeArchive } from "./archive.ts";
import {
  compile,
  executableOf,
  HEAD_BYTES,
  machineOf,
  NotBuildable,
  PROGRAMS,
  type Target,
  TARGETS,
} from "./targets.ts";

const HELP = `Make the archives of a release.

Usage: deno task release [OPTIONS]

  --target TARGET  only this target of deno compile; may be repeated
  --out DIR        where the archives go (default dist/release)
  --complete       fail if a target cannot be built here
  --tag TAG        fail unless TAG is v and the version, and the changelog has it
  --reuse          for this machine, take what deno task compile made in dist/
  --fast           compress quickly rather than well

The time of the files is SOURCE_DATE_EPOCH, or that of the last commit.`;

const root = new URL("../", import.meta.url);

/** Files of every archive, as they are in the repository. */
const DOCUMENTS = ["LICENSE", "README.md", "CHANGELOG.md"];

/** The files that each shell looks for. */
const COMPLETIONS = { bash: "parley.bash", zsh: "_parley", fish: "parley.fish", powershell: "parley.ps1" };

/** The options of a run. */
interface Options {
  readonly targets: readonly Target[];
  readonly out: string;
  readonly isComplete: boolean;
  readonly tag: string | undefined;
  readonly reuse: boolean;
  readonly level: Level;
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);

/** Makes a release; resolves to the exit code. */
async function main(args: string[]): Promise<number> {
  if (args.includes("--help")) {
    console.log(HELP);
    return 0;
  }
  try {
    const options = readOptions(args);
    if (options.tag !== undefined) await checkTag(options.tag);
    const skipped = await release(options);
    return skipped === 0 || (!options.isComplete && skipped < options.targets.length) ? 0 : 1;
  } catch (error) {
    console.error(`release: ${(error as Error).message}`);
    return error instanceof TypeError ? 2 : 1;
  }
}

/** @throws {TypeError} if the arguments are not valid */
function readOptions(args: string[]): Options {
  const unknown: string[] = [];
  const flags = parseArgs(args, {
    string: ["out", "tag", "target"],
    boolean: ["complete", "fast", "reuse"],
    collect: ["target"],
    unknown: (argument) => {
      unknown.push(argument);
      return false;
    },
  });
  const wanted = flags.target as string[];
  const known = TARGETS.map(({ triple }) => triple);
  unknown.push(...wanted.filter((triple) => !known.includes(triple)));
  if (unknown.length > 0) {
    throw new TypeError(`unknown: ${unknown.join(" ")}; the targets are ${known.join(", ")}`);
  }
  return {
    targets: TARGETS.filter(({ triple }) => wanted.length === 0 || wanted.includes(triple)),
    out: flags.out as string | undefined ?? "dist/release",
    isComplete: flags.complete as boolean,
    tag: flags.tag as string | undefined,
    reuse: flags.reuse as boolean,
    level: flags.fast ? 1 : 9,
  };
}

/** Makes the archives; resolves to the number of targets that were skipped. */
async function release({ targets, out, reuse, level }: Options): Promise<number> {
  await Deno.mkdir(out, { recursive: true });
  const common = [...await documents(), ...await completions()];
  const time = await timeOfFiles();
  const sums: string[] = [];
  for (const target of targets) {
    try {
      const folder = `parley-${VERSION}-${target.name}`;
      const archive = `${folder}.${target.os === "windows" ? "zip" : "tar.gz"}`;
      const entries = [...common, ...await executables(target, reuse), ...await serviceFiles(target)];
      await writeArchive(`${out}/${archive}`, entries, { folder, time, level });
      const bytes = await Deno.readFile(`${out}/${archive}`);
      sums.push(`${await sha256(bytes)}  ${archive}`);
      console.log(`made     ${target.triple}: ${archive}, ${Math.round(bytes.length / 1024 ** 2)} MiB`);
    } catch (error) {
      if (!(error instanceof NotBuildable)) throw error;
      console.log(`skipped  ${target.triple}: ${error.message}`);
    }
  }
  await Deno.writeTextFile(`${out}/SHA256SUMS`, sums.map((sum) => `${sum}\n`).join(""));
  return targets.length - sums.length;
}

/** @throws {Error} if the tag is not that of this version, or the changelog does not have it */
async function checkTag(tag: string): Promise<void> {
  if (tag !== `v${VERSION}`) throw new Error(`the tag is ${tag}, and deno.json has version ${VERSION}`);
  const changelog = await Deno.readTextFile(new URL("CHANGELOG.md", root));
  if (!changelog.includes(`\n## [${VERSION}] - `)) {
    throw new Error(`CHANGELOG.md has no section for ${VERSION}`);
  }
}

async function documents(): Promise<Entry[]> {
  const paths = [...DOCUMENTS];
  for await (const { name } of Deno.readDir(new URL("docs/", root))) {
    if (/\.(md|svg)$/.test(name)) paths.push(`docs/${name}`);
  }
  return await Promise.all(paths.map((path) => entryOf(path, new URL(path, root))));
}

async function entryOf(path: string, file: URL | string, isExecutable = false): Promise<Entry> {
  return { path, bytes: await Deno.readFile(file), isExecutable };
}

/** The scripts of `parley completion`. */
async function completions(): Promise<Entry[]> {
  return await Promise.all(
    Object.entries(COMPLETIONS).map(async ([shell, name]) => {
      const args = ["run", "--quiet", "-P=client", "client.ts", "completion", shell];
      const bytes = await output(Deno.execPath(), args);
      return { path: `completions/${name}`, bytes, isExecutable: false };
    }),
  );
}

/** Both programs, compiled for `target`, or taken from `dist/` if `reuse` allows it. */
async function executables(target: Target, reuse: boolean): Promise<Entry[]> {
  const isHere = target.triple === Deno.build.target;
  if (reuse && isHere) return await checked(target, "dist");
  const folder = await Deno.makeTempDir({ prefix: "parley-release-" });
  try {
    await compile(config.tasks.compile.command, target, folder);
    return await checked(target, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Reads both executables. They must be for `target`, and if they can start here, they must say their version. */
async function checked(target: Target, folder: string): Promise<Entry[]> {
  return await Promise.all(PROGRAMS.map(async (program) => {
    const path = executableOf(program, target);
    const entry = await entryOf(path, `${folder}/${path}`, true);
    const machine = machineOf(entry.bytes.subarray(0, HEAD_BYTES));
    if (machine !== target.name) throw new Error(`${path} is for ${machine}, not for ${target.name}`);
    if (target.triple === Deno.build.target) {
      const version = new TextDecoder().decode(await output(`${folder}/${path}`, ["--version"])).trim();
      if (version !== VERSION) {
        throw new Error(`${path} is version ${version}, not ${VERSION}; compile it anew`);
      }
    }
    return entry;
  }));
}

async function serviceFiles({ os }: Target): Promise<Entry[]> {
  if (os !== "linux") return [];
  const name = "parley-server.service";
  return [await entryOf(`systemd/${name}`, new URL(name, import.meta.url))];
}

async function timeOfFiles(): Promise<Date> {
  const seconds = Deno.env.get("SOURCE_DATE_EPOCH") ??
    new TextDecoder().decode(await output("git", ["log", "-1", "--format=%ct"]));
  return new Date(Number(seconds) * 1000);
}

/** What a program prints. It must succeed. */
async function output(program: string, args: string[]): Promise<Uint8Array> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args, cwd: root }).output();
  if (success) return stdout;
  throw new Error(`${program} ${args.join(" ")} failed: ${new TextDecoder().decode(stderr)}`);
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return digest.toHex();
}
