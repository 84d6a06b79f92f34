/**
 * The disk without a server: what one receipt at a time must cost.
 *
 * @module
 */

import type { StoreLoop } from "../../workloads.ts";
import { payloadOf } from "../handshake.ts";
import { Histogram } from "../histogram.ts";
import type { Job, Result } from "../job.ts";

/** Appends one message to a file and calls `fdatasync`, again and again. */
export function writeAndSync({ workload, seconds, warmUpSeconds, dir }: Job<StoreLoop>): Result {
  using file = Deno.openSync(`${dir}/log`, { write: true, createNew: true });
  const payload = payloadOf(workload);
  const run = (seconds: number) => {
    const times = new Histogram();
    const start = performance.now();
    let now = start;
    while (now < start + seconds * 1000) {
      const before = now;
      file.writeSync(payload);
      file.syncDataSync();
      now = performance.now();
      times.add(now - before);
    }
    return { times, elapsed: (now - start) / 1000 };
  };
  run(warmUpSeconds);
  const { times, elapsed } = run(seconds);
  return { value: times.total / elapsed, latency: times.latency() };
}
