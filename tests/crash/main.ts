/**
 * `deno task crash`: kills a server under load again and again, and checks what became of every message.
 *
 * @module
 */

import { newSeed, readFlags, runCommand, showStatus } from "../fuzz/command.ts";
import { runSchedule } from "../broker/stored/simulation/schedule.ts";
import { FATES } from "./checker.ts";
import { crash, type CrashOptions } from "./run.ts";

const HELP =
  `Kills a server with stored channels under load, and its clients, and checks what became of every message.

Usage: deno task crash [OPTIONS]

  --kills N          how often the server is killed with SIGKILL. Default: 50
  --window N         messages that each of three producers lets wait for a receipt. Default: 2000
  --server COMMAND   the server, such as dist/parley-server. Default: server.ts of this checkout
  --schedules N      no processes: runs N schedules of the simulation, in which disks fail, too
  --seed S           repeats a run. A simulation does the same again; processes run as fast as they like
  --help             shows this text

  deno task crash --kills 3
  deno task crash --schedules 100000
  deno task crash --schedules 1 --seed 4711
`;

/** The parsed arguments. */
interface Options extends CrashOptions {
  /** How many schedules of the simulation to run, instead of processes. */
  readonly schedules: number;
}

function readOptions(args: string[]): Options | undefined {
  const flags = readFlags(args, ["kills", "window", "server", "schedules", "seed"], ["help"]);
  if (flags.has("help")) return undefined;
  return {
    kills: flags.integer("kills", 50, 1, 1e6),
    window: flags.integer("window", 2_000, 1, 1e6),
    server: flags.command("server"),
    schedules: flags.integer("schedules", 0, 0, 1e9),
    seed: flags.integer("seed", newSeed(), 0, 2 ** 32 - 1),
  };
}

async function main(args: string[], signal: AbortSignal): Promise<readonly string[]> {
  const options = readOptions(args);
  if (options === undefined) {
    console.log(HELP);
    return [];
  }
  return await (options.schedules > 0 ? simulate(options, signal) : runProcesses(options, signal));
}

async function runProcesses(options: Options, signal: AbortSignal): Promise<readonly string[]> {
  const { seed, kills } = options;
  console.log(`seed ${seed}: ${kills} kills`);
  const start = performance.now();
  const result = await crash(options, (killed) => showStatus(`killed ${killed} of ${kills} times`), signal);
  showStatus("");
  const { outcome: { counts, refused }, serverKills, clientKills, longestStartMs, problems } = result;
  const seconds = Math.round((performance.now() - start) / 1000);
  console.log(
    `killed the server ${serverKills} times and a client process ${clientKills} times in ${seconds} s`,
  );
  console.log(`the server listened again after ${Math.round(longestStartMs)} ms at most`);
  for (const fate of FATES) console.log(`${counts[fate].toLocaleString("en").padStart(14)} ${fate}`);
  console.log(`${refused.toLocaleString("en").padStart(14)} refused, and not stored`);
  for (const problem of problems) console.log(problem);
  return problems;
}

async function simulate({ seed, schedules }: Options, signal: AbortSignal): Promise<readonly string[]> {
  console.log(`${schedules} schedules from seed ${seed} on`);
  let delivered = 0;
  let run = 0;
  for (; run < schedules && !signal.aborted; run++) {
    const result = await runSchedule(seed + run);
    delivered += result.delivered;
    if (run % 100 === 0) showStatus(`${run} schedules`);
    if (result.problems.length === 0) continue;
    showStatus("");
    console.log(`deno task crash --schedules 1 --seed ${seed + run}`);
    console.log(result.trace.join("\n"));
    for (const problem of result.problems) console.log(problem);
    return result.problems;
  }
  showStatus("");
  console.log(`${run} schedules, ${delivered.toLocaleString("en")} messages delivered, nothing else`);
  return [];
}

if (import.meta.main) await runCommand("crash", main);
