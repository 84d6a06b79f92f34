/**
 * `deno task fuzz`: sends seeded garbage from many connections and checks that the server keeps working.
 *
 * @module
 */

import { newSeed, runCommand, showStatus } from "./command.ts";
import { explore, formatExploration, formatExploring } from "./model/explore.ts";
import { type FuzzOptions, HELP, readOptions } from "./options.ts";
import { fuzz } from "./run.ts";
import { formatProgress, formatResult } from "./summary.ts";

async function main(args: string[], signal: AbortSignal): Promise<readonly string[]> {
  const options = readOptions(args, newSeed);
  if (options === undefined) {
    console.log(HELP);
    return [];
  }
  if (options.isModel) return await runModel(options, signal);
  console.log(`seed ${options.seed}: ${options.connections} concurrent connections, ${options.seconds} s`);
  const onProgress = (progress: Parameters<typeof formatProgress>[0]) =>
    showStatus(formatProgress(progress, options.seconds));
  const result = await fuzz(options, onProgress, signal);
  showStatus("");
  console.log(formatResult(result, options));
  return result.problems;
}

async function runModel(options: FuzzOptions, signal: AbortSignal): Promise<readonly string[]> {
  console.log(`schedules from seed ${options.seed} on, ${options.seconds} s`);
  const exploration = await explore(options, (progress) => showStatus(formatExploring(progress)), signal);
  showStatus("");
  console.log(formatExploration(exploration));
  return [...exploration.findings.keys()];
}

if (import.meta.main) await runCommand("fuzz", main);
