/**
 * The load generator: a process that takes one job as JSON, runs it, and prints the result as JSON.
 *
 * Each measurement has a process of its own, so that none depends on the heap or the compiled code that an earlier one
 * left behind. Usage: load.ts JOB
 *
 * @module
 */

import { protocol } from "./brokers/all.ts";
import type { Job, Result } from "./load/job.ts";
import { libraryRequests, libraryStream } from "./load/library.ts";
import { loop } from "./load/loop.ts";
import { connect, idle } from "./load/sessions.ts";
import { read } from "./load/stored/read.ts";
import { store, storeLoop } from "./load/stored/store.ts";
import { storeEcho } from "./load/stored/echo.ts";
import { stream } from "./load/stream.ts";
import { tlsStream } from "./load/tls.ts";
import type {
  Connect,
  Idle,
  LibraryRequests,
  LibraryStream,
  Loop,
  Read,
  Store,
  StoreEcho,
  StoreLoop,
  Stream,
} from "./workloads.ts";

async function run(job: Job): Promise<Result> {
  const broker = protocol(job.protocol);
  switch (job.workload.kind) {
    case "stream":
    case "web-socket":
      return stream(broker, job as Job<Stream>);
    case "tls":
      return await tlsStream(broker, job as Job<Stream>);
    case "echo":
    case "request":
    case "web-socket-echo":
    case "http":
      return loop(broker, job as Job<Loop>);
    case "idle":
      return await idle(broker, job as Job<Idle>);
    case "connect":
      return connect(broker, job as Job<Connect>);
    case "library":
      return await libraryStream(broker, job as Job<LibraryStream>);
    case "library-request":
      return await libraryRequests(broker, job as Job<LibraryRequests>);
    case "store":
      return store(broker, job as Job<Store>);
    case "store-one":
    case "store-loop":
      return storeLoop(broker, job as Job<StoreLoop>);
    case "consume":
    case "replay":
      return read(broker, job as Job<Read>);
    case "store-echo":
      return storeEcho(broker, job as Job<StoreEcho>);
    case "start":
      throw new Error("the benchmark itself measures the start of a server");
  }
}

if (import.meta.main) {
  try {
    console.log(JSON.stringify(await run(JSON.parse(Deno.args[0]))));
    Deno.exit(0); // Sockets are still open.
  } catch (error) {
    console.log(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }));
    Deno.exit(1);
  }
}
