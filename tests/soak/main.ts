/**
 * `deno task soak`: a mixed load for a while, and whether a server stays as it was.
 *
 * @module
 */

import { showStatus } from "../fuzz/status_line.ts";
import { HELP, readOptions } from "./options.ts";
import { toSvg } from "./plot.ts";
import { toHtml, toText } from "./report.ts";
import { soak } from "./run.ts";
import type { Sample } from "./sampler.ts";

async function main(args: string[]): Promise<number> {
  try {
    const options = readOptions(args, () => crypto.getRandomValues(new Uint32Array(1))[0]);
    if (options === undefined) {
      console.log(HELP);
      return 0;
    }
    const { seconds, seed, report } = options;
    console.log(`seed ${seed}: ${seconds} s`);
    const interrupted = new AbortController();
    Deno.addSignalListener("SIGINT", () => interrupted.abort());
    const result = await soak(options, (sample) => showStatus(formatSample(sample, seconds)), {
      signal: interrupted.signal,
    });
    showStatus("");
    if (report !== undefined) {
      await Deno.writeTextFile(report, report.endsWith(".svg") ? toSvg(result) : toHtml(result));
    }
    console.log(toText(result));
    return result.problems.length === 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    console.error(`soak: ${error.message}`);
    return 2;
  }
}

function formatSample(
  { seconds, residentBytes, descriptors, deliveredPerSecond }: Sample,
  of: number,
): string {
  const memory = `${Math.round(residentBytes / 1024 / 1024)} MiB`;
  return `${Math.floor(seconds)} of ${of} s  ${memory}  ${descriptors} descriptors  ` +
    `${Math.round(deliveredPerSecond).toLocaleString("en")} messages a second`;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
