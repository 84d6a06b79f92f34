/**
 * Measures: every work, round after round, each round all servers one after the other (A B C D, A B C D), so that what
 * the machine does beside strikes them alike, and ratios can be taken round by round.
 *
 * @module
 */

import { type Broker, text, type TlsFiles } from "./brokers/broker.ts";
import type { Job, Result } from "./load/job.ts";
import type { Progress } from "./progress.ts";
import type { Processes, RunningServer } from "./servers.ts";
import type { Workload } from "./workloads.ts";

/** A server that takes part. */
export interface Contender {
  readonly broker: Broker;
  readonly version: string;
  /** Whose protocol the generator is to speak: the broker's name, but for a second build of Parley. */
  readonly protocol: string;
}

/** How long and how often to measure. */
export interface Effort {
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
}

/** What one contender reached in one round, or why it did not. */
export type Outcome = Result | { readonly error: string };

/** All outcomes of one work: by contender's name, one for each round. */
export interface Measured {
  readonly work: Workload;
  readonly outcomes: ReadonlyMap<string, readonly Outcome[]>;
}

/** On top of what a measurement should take, before it is given up. */
const PATIENCE_SECONDS = 45;

/** Measures `works`, each between those `contendersFor` it; `progress` is told of every step. */
export async function measureAll(
  workloads: readonly Workload[],
  contendersFor: (work: Workload) => readonly Contender[],
  effort: Effort,
  processes: Processes,
  progress: Progress,
  tls: TlsFiles | undefined,
): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (const work of workloads) {
    const taking = contendersFor(work);
    const servers = new Servers(work, processes, tls);
    const outcomes = new Map<string, Outcome[]>(taking.map(({ broker }) => [broker.name, []]));
    await servers.prepare(taking);
    for (let round = 1; round <= effort.rounds; round++) {
      for (const contender of taking) {
        const { name, title } = contender.broker;
        progress.step(`${work.id}: ${title}, round ${round} of ${effort.rounds}`);
        const outcome = await attempt(() => measure(work, contender, effort, servers, processes, tls));
        const earlier = outcomes.get(name)!;
        const isNews = !earlier.some((before) => "error" in before);
        if ("error" in outcome && isNews) progress.note(`${work.id}: ${title}: ${outcome.error}`);
        earlier.push(outcome);
      }
    }
    await servers.stopAll();
    measured.push({ work, outcomes });
  }
  return measured;
}

/**
 * The servers of one work. Each is started for that work alone, so that no result depends on which works came before,
 * and serves all its rounds; where the start or the memory is what counts, every round has a fresh one.
 */
class Servers {
  readonly #work: Workload;
  readonly #processes: Processes;
  readonly #tls: TlsFiles | undefined;
  readonly #isFreshEachRound: boolean;
  readonly #running = new Map<Contender, RunningServer>();

  constructor(work: Workload, processes: Processes, tls: TlsFiles | undefined) {
    this.#work = work;
    this.#processes = processes;
    this.#tls = work.kind === "tls" ? tls : undefined;
    this.#isFreshEachRound = work.kind === "idle" || work.kind === "start";
  }

  /** Starts what can be started ahead, all at once. What fails now will fail again, and say so, in `use`. */
  async prepare(contenders: readonly Contender[]): Promise<void> {
    if (this.#isFreshEachRound) return;
    await Promise.all(contenders.map((contender) => this.#start(contender).catch(() => {})));
  }

  /** Calls `use` with the server of `contender`. */
  async with<T>(contender: Contender, use: (server: RunningServer) => Promise<T>): Promise<T> {
    const server = this.#running.get(contender) ?? await this.#start(contender);
    try {
      return await use(server);
    } catch (error) {
      await this.#stop(contender); // It may be in any state; the next round gets a new one.
      throw error;
    } finally {
      if (this.#isFreshEachRound) await this.#stop(contender);
    }
  }

  async stopAll(): Promise<void> {
    for (const contender of [...this.#running.keys()]) await this.#stop(contender);
  }

  async #start(contender: Contender): Promise<RunningServer> {
    if (this.#work.kind === "tls" && this.#tls === undefined) throw new Error("needs `openssl` on the path");
    const server = await this.#processes.start(contender.broker, this.#tls);
    this.#running.set(contender, server);
    return server;
  }

  async #stop(contender: Contender): Promise<void> {
    const server = this.#running.get(contender);
    this.#running.delete(contender);
    await server?.stop();
  }
}

async function measure(
  work: Workload,
  contender: Contender,
  { seconds, warmUpSeconds }: Effort,
  servers: Servers,
  processes: Processes,
  tls: TlsFiles | undefined,
): Promise<Outcome> {
  return await servers.with(contender, async ({ port, pid, startMs }) => {
    if (work.kind === "start") return { value: startMs };
    const { protocol } = contender;
    return await generate({ work, protocol, port, pid, seconds, warmUpSeconds, tls }, processes);
  });
}

/** Has a load generator do `job`. */
async function generate(job: Job, processes: Processes): Promise<Result> {
  const program = new URL("load.ts", import.meta.url).pathname;
  const args = ["run", "-A", program, JSON.stringify(job)];
  const child = processes.spawn(Deno.execPath(), args);
  const patience = job.seconds + job.warmUpSeconds + PATIENCE_SECONDS;
  const timer = setTimeout(() => processes.kill(child), patience * 1000);
  const { stdout, stderr } = await child.output();
  clearTimeout(timer);
  const line = text(stdout).trim();
  if (line === "") {
    throw new Error(text(stderr).trim() || `the load generator took longer than ${patience} s`);
  }
  const result: Outcome = JSON.parse(line);
  if ("error" in result) throw new Error(result.error);
  return result;
}

async function attempt(measure: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await measure();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { error: message.split("\n")[0] };
  }
}
