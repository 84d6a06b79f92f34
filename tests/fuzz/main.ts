/**
 * `deno task fuzz`: sends seeded garbage from many connections and checks that the server keeps working.
 *
 * @module
 */

import { newSeed, runCommand, showStatus } from "./command.ts";
import { HELP, readOptions } from "./options.ts";
import { fuzz } from "./run.ts";
import { formatProgress, formatResult } from "./summary.ts";

async function main(args: string[], signal: AbortSignal): Promise<readonly string[]> {
  const options = readOptions(args, newSeed);
  if (options === undefined) {
    console.log(HELP);
    return [];
  }
  console.log(`seed ${options.seed}: ${options.connections} concurrent connections, ${options.seconds} s`);
  const onProgress = (progress: Parameters<typeof formatProgress>[0]) =>
    showStatus(formatProgress(progress, options.seconds));
  const result = await fuzz(options, onProgress, signal);
  showStatus("");
  console.log(formatResult(result, options));
  return result.problems;
}

if (import.meta.main) await runCommand("fuzz", main);
