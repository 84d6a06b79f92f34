/**
 * Runs the measurements. Each round measures all servers one after the other, in an order that alternates (A B C, C B A),
 * so that other load on the machine affects all alike and ratios can be taken within a round.
 *
 * @module
 */

import { type Broker, text, type TlsFiles } from "./brokers/broker.ts";
import type { Job, Result } from "./load/job.ts";
import type { Progress } from "./progress.ts";
import type { Processes, RunningServer } from "./servers.ts";
import { entranceOf, STORED_KINDS, type Workload } from "./workloads.ts";

/** A server to measure. */
export interface Contender {
  readonly broker: Broker;
  readonly version: string;
  /** The name of the protocol: that of the broker, but `parley` for all builds of Parley. */
  readonly protocol: string;
}

/** How long and how often to measure. */
export interface Effort {
  /** Whether each measurement starts a server of its own, so that rounds are independent. */
  readonly isServerFresh: boolean;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** How much longer each sync of the disk takes, in milliseconds. */
  readonly syncMs: number;
}

/** The result of one contender in one round, or its error. */
export type Outcome = Result | { readonly error: string };

/** All outcomes of one workload: by the contender's name, one per round. */
export interface Measured {
  readonly workload: Workload;
  readonly outcomes: ReadonlyMap<string, readonly Outcome[]>;
}

/** A measurement is aborted after this time beyond its duration. */
const GENERATOR_TIMEOUT_SECONDS = 45;

/** Measures each workload for its `contendersFor`, and reports every step to `progress`. */
export async function measureAll(
  workloads: readonly Workload[],
  contendersFor: (workload: Workload) => readonly Contender[],
  effort: Effort,
  processes: Processes,
  progress: Progress,
  tls: TlsFiles | undefined,
): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (const workload of workloads) {
    const contenders = contendersFor(workload);
    const servers = new Servers(workload, effort.isServerFresh, processes, tls);
    const outcomes = new Map<string, Outcome[]>(contenders.map(({ broker }) => [broker.name, []]));
    await servers.prepare(contenders);
    for (let round = 1; round <= effort.rounds; round++) {
      for (const contender of round % 2 === 1 ? contenders : contenders.toReversed()) {
        const { name, title } = contender.broker;
        progress.step(`${workload.id}: ${title}, round ${round} of ${effort.rounds}`);
        const outcome = await attempt(() => measure(workload, contender, effort, servers, processes, tls));
        const earlier = outcomes.get(name)!;
        const isFirst = !earlier.some((before) => "error" in before);
        if ("error" in outcome && isFirst) progress.note(`${workload.id}: ${title}: ${outcome.error}`);
        earlier.push(outcome);
      }
    }
    await servers.stopAll();
    measured.push({ workload, outcomes });
  }
  return measured;
}

/**
 * The servers of one workload. Each is started for that workload alone, so that no result depends on earlier ones, and
 * serves all rounds. If start or memory is measured, messages are stored, or builds are compared, each round has a fresh
 * server.
 */
class Servers {
  readonly #workload: Workload;
  readonly #processes: Processes;
  readonly #tls: TlsFiles | undefined;
  readonly #isFresh: boolean;
  readonly #isStored: boolean;
  readonly #running = new Map<Contender, RunningServer>();

  constructor(workload: Workload, isFresh: boolean, processes: Processes, tls: TlsFiles | undefined) {
    this.#workload = workload;
    this.#processes = processes;
    this.#tls = workload.kind === "tls" ? tls : undefined;
    this.#isStored = STORED_KINDS.includes(workload.kind);
    this.#isFresh = isFresh || this.#isStored || workload.kind === "idle" || workload.kind === "start";
  }

  /** Starts all servers that serve several rounds. A failure is ignored here and reported by `with`. */
  async prepare(contenders: readonly Contender[]): Promise<void> {
    if (this.#isFresh) return;
    await Promise.all(contenders.map((contender) => this.#start(contender).catch(() => {})));
  }

  /** Calls `use` with the server of `contender`. */
  async with<T>(contender: Contender, use: (server: RunningServer) => Promise<T>): Promise<T> {
    const server = this.#running.get(contender) ?? await this.#start(contender);
    try {
      return await use(server);
    } catch (error) {
      await this.#stop(contender); // Its state is unknown; the next round starts a new one.
      throw error;
    } finally {
      if (this.#isFresh) await this.#stop(contender);
    }
  }

  async stopAll(): Promise<void> {
    for (const contender of [...this.#running.keys()]) await this.#stop(contender);
  }

  async #start(contender: Contender): Promise<RunningServer> {
    if (this.#workload.kind === "tls" && this.#tls === undefined) {
      throw new Error("needs `openssl` on the path");
    }
    const server = await this.#processes.start(contender.broker, {
      tls: this.#tls,
      isStored: this.#isStored,
      entrance: entranceOf(this.#workload.kind),
    });
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
  workload: Workload,
  contender: Contender,
  { seconds, warmUpSeconds }: Effort,
  servers: Servers,
  processes: Processes,
  tls: TlsFiles | undefined,
): Promise<Outcome> {
  return await servers.with(contender, async ({ port, pid, startMs, dir }) => {
    if (workload.kind === "start") return { value: startMs };
    const { protocol } = contender;
    return await generate({ workload, protocol, port, pid, seconds, warmUpSeconds, tls, dir }, processes);
  });
}

/** Runs `job` in a load generator process. */
async function generate(job: Job, processes: Processes): Promise<Result> {
  const program = new URL("load.ts", import.meta.url).pathname;
  const args = ["run", "-A", program, JSON.stringify(job)];
  const child = processes.spawn(Deno.execPath(), args);
  const timeoutSeconds = job.seconds + job.warmUpSeconds + GENERATOR_TIMEOUT_SECONDS;
  const timer = setTimeout(() => processes.kill(child), timeoutSeconds * 1000);
  const { stdout, stderr } = await child.output();
  clearTimeout(timer);
  const line = text(stdout).trim();
  if (line === "") {
    throw new Error(text(stderr).trim() || `the load generator took longer than ${timeoutSeconds} s`);
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
