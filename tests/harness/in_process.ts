/**
 * Runs `parley` in this process: what it prints and its exit code, without the cost of another process.
 *
 * @module
 */

import { main } from "../../lib/cli/client/main.ts";
import type { Host, OutputStream } from "../../lib/cli/host.ts";
import type { Ended } from "./program.ts";

/** What a command is given. */
export interface InProcessOptions {
  /** Its environment; empty if left out. */
  readonly env?: Record<string, string>;
  /** What it reads on stdin. */
  readonly stdin?: string | Uint8Array<ArrayBuffer>;
}

/** Runs `parley ARGS` to its end. No signal reaches it. Run one at a time, because logging belongs to the process. */
export async function runParley(
  args: readonly string[],
  { env = {}, stdin = "" }: InProcessOptions = {},
): Promise<Ended> {
  const [stdout, stderr] = [new Printed(), new Printed()];
  const host: Host = {
    stdin: { readable: new Blob([stdin]).stream(), isTerminal: () => false },
    stdout,
    stderr,
    env,
    listen: () => ({ happened: new Promise(() => {}), exitCode: undefined, [Symbol.dispose]: () => {} }),
  };
  const code = await main(args, host);
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** Keeps what is written. */
class Printed implements OutputStream {
  readonly #decoder = new TextDecoder();
  text = "";

  isTerminal(): boolean {
    return false;
  }

  write(bytes: Uint8Array): Promise<number> {
    this.text += this.#decoder.decode(bytes, { stream: true });
    return Promise.resolve(bytes.length);
  }
}
