/**
 * `parley-server`, which says on SIGUSR2 how much memory it holds: it collects garbage and writes a line to stderr. Needs
 * `--v8-flags=--expose-gc`.
 *
 * @module
 */

import { main } from "../../lib/cli/server/main.ts";

const { gc } = globalThis as unknown as { gc(): void };

/** Time for what runs only after a collection: finalizers, and buffers that are freed in another thread. */
const FREED_MS = 50;

let count = 0;

Deno.addSignalListener("SIGUSR2", async () => {
  for (let i = 0; i < 2; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, FREED_MS));
  }
  const { heapUsed, external } = Deno.memoryUsage();
  console.error(JSON.stringify({ level: "info", message: "held", count: ++count, heapUsed, external }));
});

Deno.exit(await main(Deno.args));
