/**
 * Kills a server under load again and again, and its clients too, and checks what became of every message.
 *
 * @module
 */

import { HEADER_BYTES } from "../../lib/limits.ts";
import { Type } from "../../lib/wire/header.ts";
import { u64 } from "../../lib/wire/sequences.ts";
import { DeadlineError, within } from "../harness/deadline.ts";
import { makeFolder } from "../harness/folder.ts";
import { Program } from "../harness/program.ts";
import { type Random, seeded } from "../harness/seeded.ts";
import { ServerProcess } from "../harness/server_process.ts";
import { check, type Outcome, total } from "./checker.ts";
import { FactReader } from "./facts.ts";
import { History, type Reader, type Sequenced } from "./history.ts";
import { readNumbered } from "./numbered.ts";
import { type TakeFrame, WireClient } from "./wire_client.ts";
import type { RoleOptions, WorkerOptions } from "./worker.ts";

/** What to do. */
export interface CrashOptions {
  /** Determines what the clients send, and when what is killed. */
  readonly seed: number;
  /** How often the server is killed. */
  readonly kills: number;
  /** Messages that each producer lets wait for a receipt. */
  readonly window: number;
  /** The command that starts the server; `server.ts` of this checkout if left out. */
  readonly server?: readonly string[];
}

/** What came of it. */
export interface CrashResult {
  readonly outcome: Outcome;
  /** How often the server was killed, and a client process. */
  readonly serverKills: number;
  readonly clientKills: number;
  /** From a kill until the server listened again, in milliseconds: the longest. */
  readonly longestStartMs: number;
  readonly problems: readonly string[];
}

/** How long producers may take to get their last receipts, and readers to catch up, in milliseconds. */
const SETTLE_MS = 30_000;
const POLL_MS = 50;

/** The roles of each client process: two producers share a channel, two sessions are one consumer. */
const PROCESSES: readonly (readonly Pick<RoleOptions, "kind" | "channel" | "name">[])[] = [
  [
    { kind: "producer", channel: "d.a", name: "p1" },
    { kind: "producer", channel: "d.b", name: "p2" },
  ],
  [{ kind: "producer", channel: "d.a", name: "p3" }],
  [
    { kind: "subscriber", channel: "d.a", name: "s1" },
    { kind: "consumer", channel: "d.b", name: "c1" },
  ],
  [
    { kind: "consumer", channel: "d.b", name: "c1" },
    { kind: "subscriber", channel: "d.b", name: "s2" },
  ],
];

/** Runs the test. Once `signal` is aborted the server is killed no more. */
export async function crash(
  options: CrashOptions,
  onKill: (kills: number) => void = () => {},
  signal?: AbortSignal,
): Promise<CrashResult> {
  using folder = makeFolder();
  await using test = new CrashTest(options, folder.path);
  return await test.run(onKill, signal);
}

/** A role of a process, and the facts that it writes. */
interface RunningRole {
  readonly kind: RoleOptions["kind"];
  readonly facts: FactReader;
}

class CrashTest implements AsyncDisposable {
  readonly #options: CrashOptions;
  readonly #folder: string;
  readonly #random: Random;
  readonly #histories = new Map<string, History>();
  readonly #readers = new Map<string, Reader>();
  readonly #lives = new Map<string, number>();
  /** The processes that run, by their index in `PROCESSES`, with their roles. */
  readonly #workers: (Worker | undefined)[] = [];
  readonly #problems: string[] = [];
  #server: ServerProcess | undefined;
  #port = 0;
  #starts = 0;
  #longestStartMs = 0;
  #clientKills = 0;

  constructor(options: CrashOptions, folder: string) {
    this.#options = options;
    this.#folder = folder;
    this.#random = seeded(options.seed);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker?.[Symbol.asyncDispose]()));
    await this.#server?.[Symbol.asyncDispose]();
  }

  async run(onKill: (kills: number) => void, signal?: AbortSignal): Promise<CrashResult> {
    const { kills } = this.#options;
    await this.#startServer();
    for (let i = 0; i < PROCESSES.length; i++) this.#startWorker(i);
    let serverKills = 0;
    while (serverKills < kills && signal?.aborted !== true) {
      await sleep(
        this.#random.pick([this.#random.int(50), 100 + this.#random.int(500), this.#random.int(1_500)]),
      );
      if (this.#random.int(2) === 0) await this.#killWorker(this.#random.int(PROCESSES.length));
      await this.#killServer();
      onKill(++serverKills);
    }
    await sleep(300);
    await this.#settle();
    const outcome = total([...this.#histories.values()].map(check));
    const problems = [...this.#problems, ...outcome.problems];
    const [clientKills, longestStartMs] = [this.#clientKills, this.#longestStartMs];
    return { outcome, serverKills, clientKills, longestStartMs, problems };
  }

  async #startServer(): Promise<void> {
    const start = performance.now();
    const args = ["--durable", "d.*", "--history", "history.*", "--store", `${this.#folder}/store`];
    const { server: program } = this.#options;
    this.#server = await ServerProcess.start({
      listenPort: this.#port,
      args: [...args, "--log-level", "info"],
      ...program !== undefined && { program },
    });
    this.#port = this.#server.port;
    this.#longestStartMs = Math.max(this.#longestStartMs, performance.now() - start);
  }

  async #killServer(): Promise<void> {
    const server = this.#server!;
    const ended = server.code;
    if (ended !== undefined) {
      this.#problems.push(`the server ended with ${ended}: ${server.stderr.slice(-2_000)}`);
    } else server.kill("SIGKILL");
    await server.status;
    this.#lookForErrors(server);
    await server[Symbol.asyncDispose]();
    await this.#startServer();
  }

  #lookForErrors({ log }: ServerProcess): void {
    for (const { level, message, ...rest } of log.lines) {
      if (level !== "error" && level !== "none") continue;
      this.#problems.push(`the server logged: ${message} ${JSON.stringify(rest)}`);
    }
  }

  #startWorker(index: number): void {
    const { window } = this.#options;
    const start = ++this.#starts;
    const running: RunningRole[] = [];
    const roles = PROCESSES[index].map(({ kind, channel, name }, i): RoleOptions => {
      const history = this.#historyOf(channel);
      const path = `${this.#folder}/facts-${index}-${i}-${start}`;
      const reader = kind === "producer" ? undefined : this.#readerOf(kind, channel, name, history);
      const facts = new FactReader(path, history, reader, this.#lives);
      running.push({ kind, facts });
      const writer = index * 10 + i + 1;
      const from = this.#workers[index]?.roles[i].facts.next ?? 1;
      facts.next = from; // it may be killed before it has received anything
      // Later processes have later attempts.
      return { kind, channel, name, facts: path, writer, attempt: start * 100_000, window, from };
    });
    const seed = this.#random.int(2 ** 31);
    this.#workers[index] = new Worker({ port: this.#port, seed, roles }, running);
  }

  async #killWorker(index: number): Promise<void> {
    const worker = this.#workers[index]!;
    this.#assertRuns(worker);
    this.#clientKills++;
    await worker.end();
    this.#startWorker(index);
    await worker[Symbol.asyncDispose]();
  }

  #assertRuns({ program, code }: Worker): void {
    if (code === undefined || code === 0) return; // those that were told to stop
    this.#problems.push(`a client process ended with ${code}: ${program.stderr.text.slice(-2_000)}`);
  }

  #historyOf(channel: string): History {
    let history = this.#histories.get(channel);
    if (history === undefined) this.#histories.set(channel, history = new History());
    return history;
  }

  #readerOf(kind: "subscriber" | "consumer", channel: string, name: string, history: History): Reader {
    let reader = this.#readers.get(name);
    if (reader === undefined) {
      this.#readers.set(name, reader = history.reader(`${kind} ${name} of ${channel}`, kind));
      reader.from = 1;
    }
    return reader;
  }

  /** Producers get their last receipts, readers everything; then, after one more start, the store is read. */
  async #settle(): Promise<void> {
    const workers = this.#workers as Worker[];
    for (const worker of workers) this.#assertRuns(worker);
    const producing = workers.filter(({ roles }) => roles.every(({ kind }) => kind === "producer"));
    await Promise.all(producing.map(async ({ program }) => {
      await program.type("stop\n");
      await program.stdout.until(/stopped/);
    }));
    await this.#read();
    const deadline = performance.now() + SETTLE_MS;
    while (!this.#isComplete() && performance.now() < deadline) await sleep(POLL_MS);
    for (const worker of workers) {
      this.#assertRuns(worker);
      await worker.end();
    }
    this.#lookForErrors(this.#server!);
    await this.#server!.stop();
  }

  /** Whether every reader has had everything that is stored. */
  #isComplete(): boolean {
    for (const { roles } of this.#workers as Worker[]) for (const { facts } of roles) facts.read();
    for (const { kind, readings, settled, to = 1 } of this.#readers.values()) {
      if (kind === "consumer" && settled.missing(1, to).length > 0) return false;
      const ends = readings.map(({ reading: { received } }) => endOf(received.at(-1)));
      if (kind === "subscriber" && Math.max(...ends) < to) return false;
    }
    return true;
  }

  /** Starts the server once more, in order, and reads all that is stored. */
  async #read(): Promise<void> {
    await this.#server!.stop();
    await this.#server![Symbol.asyncDispose]();
    await this.#startServer();
    for (const [channel, history] of this.#histories) {
      using client = await WireClient.connect(this.#port);
      const { first = 1, last = 0 } = await client.open(channel, { subscribe: true, from: "all" });
      if (first !== 1) this.#problems.push(`the first message of ${channel} that is stored is ${first}`);
      for (const reader of history.readers) reader.to = last + 1;
      let sequence = 0;
      const take: TakeFrame = (type, bytes, at) => {
        if (type === Type.POSITION) sequence = u64(bytes, at + HEADER_BYTES);
        else if (type === Type.MESSAGE) history.store({ ...readNumbered(bytes, at), sequence: sequence++ });
      };
      try {
        while (sequence <= last && last > 0) await within(client.receive(take), `message ${sequence}`);
      } catch (error) {
        if (!(error instanceof DeadlineError)) throw error;
        this.#problems.push(`${channel}: ${error.message}, but the last is ${last}`);
      }
    }
  }
}

/** A client process. */
class Worker implements AsyncDisposable {
  readonly program: Program;
  readonly roles: readonly RunningRole[];
  /** Its exit code, if it has ended by itself. */
  code: number | undefined;

  constructor(options: WorkerOptions, roles: readonly RunningRole[]) {
    this.roles = roles;
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const path = new URL("worker.ts", import.meta.url).pathname;
    this.program = new Program([JSON.stringify(options)], {
      program: [Deno.execPath(), "run", "--quiet", "-A", "--no-check", "--config", config, path],
    });
    this.program.status.then(({ code }) => this.code = code);
  }

  /** Kills it, and reads the last of its facts. */
  async end(): Promise<void> {
    await this.program[Symbol.asyncDispose]();
    for (const { facts } of this.roles) facts.read();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
    for (const { facts } of this.roles) facts.close();
  }
}

/** The sequence after those that were received. */
function endOf(received: Sequenced | undefined): number {
  return received === undefined ? 1 : received.sequence + received.count;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
