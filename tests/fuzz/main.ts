/**
 * `deno task fuzz`: seeded garbage from many connections, and whether a server can take it.
 *
 * @module
 */

import { HELP, readOptions } from "./options.ts";
import { fuzz } from "./run.ts";
import { showStatus } from "./status_line.ts";
import { formatProgress, formatResult } from "./summary.ts";

async function main(args: string[]): Promise<number> {
  try {
    const options = readOptions(args, () => crypto.getRandomValues(new Uint32Array(1))[0]);
    if (options === undefined) {
      console.log(HELP);
      return 0;
    }
    console.log(`seed ${options.seed}: ${options.connections} connections at once, ${options.seconds} s`);
    const interrupted = new AbortController();
    Deno.addSignalListener("SIGINT", () => interrupted.abort());
    const result = await fuzz(
      options,
      (progress) => showStatus(formatProgress(progress, options.seconds)),
      interrupted.signal,
    );
    showStatus("");
    console.log(formatResult(result, options));
    return result.problems.length === 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    console.error(`fuzz: ${error.message}`);
    return 2;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
