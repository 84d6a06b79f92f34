/**
 * `deno task soak`: puts a mixed load on a server and checks for loss and growth.
 *
 * @module
 */

import { newSeed, runCommand, showStatus } from "../fuzz/command.ts";
import { HELP, readOptions } from "./options.ts";
import { toSvg } from "./plot.ts";
import { toHtml, toText } from "./report.ts";
import { soak } from "./run.ts";
import type { Sample } from "./sampler.ts";

async function main(args: string[], signal: AbortSignal): Promise<readonly string[]> {
  const options = readOptions(args, newSeed);
  if (options === undefined) {
    console.log(HELP);
    return [];
  }
  const { seconds, seed, report } = options;
  console.log(`seed ${seed}: ${seconds} s`);
  const result = await soak(options, (sample) => showStatus(formatSample(sample, seconds)), { signal });
  showStatus("");
  if (report !== undefined) {
    await Deno.writeTextFile(report, report.endsWith(".svg") ? toSvg(result) : toHtml(result));
  }
  console.log(toText(result));
  return result.problems;
}

function formatSample(
  { seconds, residentBytes, descriptors, deliveredPerSecond }: Sample,
  of: number,
): string {
  const memory = `${Math.round(residentBytes / 1024 / 1024)} MiB`;
  return `${Math.floor(seconds)} of ${of} s  ${memory}  ${descriptors} descriptors  ` +
    `${Math.round(deliveredPerSecond).toLocaleString("en")} messages a second`;
}

if (import.meta.main) await runCommand("soak", main);
