/**
 * `deno task bench:store`: what a server with ten million stored messages costs: its start, its memory, and a replay of
 * the last thousand.
 *
 * The server is started again after an orderly end, and after it was killed. Usage:
 * large_store.ts [MESSAGES] [COMMAND OF A SERVER...]
 *
 * @module
 */

import { FROM_SOURCE, parley, ParleyClient } from "./brokers/parley.ts";
import { payloadOf } from "./load/handshake.ts";
import { channelNames, Producer } from "./load/stored/producer.ts";
import { Reading } from "./load/stored/read.ts";
import { Pipeline } from "./load/stored/store.ts";
import { residentBytes } from "./process_stats.ts";
import { ParleyReader } from "./brokers/stored/parley.ts";
import { describeMachine, makeDir } from "./report/machine.ts";
import { digits } from "./report/format.ts";
import { table } from "./report/markdown.ts";
import { Processes, type RunningServer } from "./servers.ts";
import { RawSocket } from "./sockets.ts";

const MiB = 1024 * 1024;
const PAYLOAD = payloadOf({ payloadBytes: 16 });
const PACE = { payload: PAYLOAD, burst: 4096, window: 65_536 };
const REPLAYED = 1000;
/** The goals of docs/performance.md. */
const START_MS = 1000, MEMORY_BYTES = 150 * MiB, REPLAY_MS = 50;
/** Longer than any disk of today needs for ten million messages. */
const STORING_SECONDS = 600;

interface Measurement {
  readonly startMs: number;
  readonly memoryAtStart: number;
  readonly replayMs: number;
  readonly memory: number;
}

const [count = "10000000", ...words] = Deno.args;
const messages = Number(count);
const command = words.length > 0 ? words : FROM_SOURCE;
const dir = await makeDir();
const processes = new Processes(dir);
try {
  await measureStore();
} finally {
  processes.killAll();
  Deno.removeSync(dir, { recursive: true });
}

async function measureStore(): Promise<void> {
  const broker = parley("parley", "Parley", command);
  const storage = processes.newDir("stored");
  const start = () => processes.start(broker, { isStored: true, dir: storage });
  let server = await start();
  const pipeline = new Pipeline(new Producer(broker, server.port, channelNames(1), PACE));
  const seconds = pipeline.run(STORING_SECONDS, messages);
  pipeline.drain();
  const { stored } = pipeline.producer;
  const memoryAfterStoring = residentBytes(server.pid);
  const rows: [string, Measurement][] = [];
  for (const [title, signal] of [["ended in order", "SIGTERM"], ["killed", "SIGKILL"]] as const) {
    await server.stop(signal);
    server = await start();
    rows.push([title, measure(server, stored)]);
  }
  await server.stop("SIGTERM");
  const { cpu, cores, fileSystem } = describeMachine(dir);
  console.log(`${stored} messages of ${PAYLOAD.length} B in one channel, ${cpu}, ${cores} cores, ${fileSystem}
Stored in ${digits(seconds)} s; ${mebibytes(directoryBytes(storage))} on disk; server memory after that ${
    mebibytes(memoryAfterStoring)
  }
`);
  const head = [
    "started after it was",
    "start to WELCOME",
    "memory",
    `replay of the last ${REPLAYED}`,
    "memory after it",
  ];
  console.log(table(
    head,
    rows.map(([title, { startMs, memoryAtStart, replayMs, memory }]) => [
      title,
      goal(`${digits(startMs)} ms`, startMs <= START_MS),
      goal(mebibytes(memoryAtStart), memoryAtStart <= MEMORY_BYTES),
      goal(`${digits(replayMs)} ms`, replayMs <= REPLAY_MS),
      goal(mebibytes(memory), memory <= MEMORY_BYTES),
    ]),
  ));
}

function measure({ port, pid, startMs }: RunningServer, stored: number): Measurement {
  const before = performance.now();
  const socket = RawSocket.connect(port);
  socket.execute(new ParleyClient().hello());
  const welcomeMs = performance.now() - before;
  const memoryAtStart = residentBytes(pid);
  const from = { sequence: stored - REPLAYED + 1 };
  const reading = new Reading(port, new ParleyReader(channelNames(1)[0], PAYLOAD, { from }));
  const started = performance.now();
  reading.start();
  reading.until(REPLAYED);
  const replayMs = performance.now() - started;
  return { startMs: startMs + welcomeMs, memoryAtStart, replayMs, memory: residentBytes(pid) };
}

function goal(text: string, isReached: boolean): string {
  return `${text} ${isReached ? "✓" : "✗"}`;
}

function mebibytes(bytes: number): string {
  return `${digits(bytes / MiB)} MiB`;
}

function directoryBytes(path: string): number {
  let bytes = 0;
  for (const { name, isDirectory } of Deno.readDirSync(path)) {
    const child = `${path}/${name}`;
    bytes += isDirectory ? directoryBytes(child) : Deno.statSync(child).size;
  }
  return bytes;
}
