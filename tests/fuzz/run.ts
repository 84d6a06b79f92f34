/**
 * One run of the fuzzer: a server, the attacks, the control client, and the checks at the end.
 *
 * @module
 */

import { seeded } from "../harness/seeded.ts";
import { ResponseChecker } from "./response_checker.ts";
import { planAttack } from "./attack.ts";
import { type Dial, runAttack } from "./attack_runner.ts";
import { MAX_PAYLOAD } from "./frames.ts";
import type { FuzzOptions } from "./options.ts";
import { quantile } from "./quantile.ts";
import type { Stopped } from "../harness/server_process.ts";
import { type ObservedServer, startObserved } from "./server_log.ts";
import { ControlClient } from "./control_client.ts";

const MiB = 1024 * 1024;

/** Tight limits and short timeouts, so that a run reaches each of them many times a minute. */
const SERVER_ARGS: readonly string[] = [
  ...["--max-payload", String(MAX_PAYLOAD), "--max-pending", String(MiB), "--max-channels", "1000"],
  ...[
    "--max-requests",
    "4000",
    "--handshake-time",
    "2",
    "--slow-consumer-timeout",
    "2",
    "--request-time",
    "2",
  ],
  // Some of the channels are stored, in so little room that it is full at times.
  ...["--durable", "fuzz.a", "--durable", "fuzz.a.b", "--history", "fuzz.b"],
  ...["--store-bytes", "8MiB", "--history-bytes", "1MiB"],
];

/** Time to close the attackers' connections after the last attack: slow consumer timeout, linger and drain time. */
const SETTLE_MS = 15_000;

/** Limit of the control client's 99th percentile latency. Most of it is the fuzzer itself being busy. */
const P99_MS = 2_000;

/**
 * How much the peak memory may exceed the memory before the attacks, in bytes. Up to 1 MiB may be pending for each
 * connection, and as much is read for it of each of the two durable channels. The free buffers take 22 MiB, 16 MiB may wait
 * to be stored, and as much is being stored, in this thread and in the one that writes. The rest allows for garbage that
 * has not been collected.
 */
export function memoryBound(connections: number): number {
  return (256 + 4 * connections) * MiB;
}

/** A value before and after the attacks. */
export interface Before<T> {
  readonly before: T;
  readonly after: T;
}

/** The result of a run. */
export interface FuzzResult {
  /** Violated expectations; empty if the run passed. */
  readonly problems: readonly string[];
  readonly attacks: number;
  /** Attacks that completed the handshake. */
  readonly established: number;
  readonly sentBytes: number;
  /** The index of the attack after the last one. */
  readonly next: number;
  readonly refusals: ReadonlyMap<string, number>;
  readonly logLines: number;
  readonly control: { messages: number; answers: number; unsolicited: number; latencies: readonly number[] };
  readonly memory: Before<number> & { readonly peak: number };
  readonly descriptors: Before<number>;
  readonly stopped?: Stopped;
}

/** The state of a run in progress. */
export interface FuzzProgress {
  readonly seconds: number;
  readonly attacks: number;
  readonly sentBytes: number;
  readonly messages: number;
  readonly residentBytes: number;
}

/** Runs the attacks and the checks. Calls `onProgress` once a second; an aborted `signal` ends the run early. */
export async function fuzz(
  options: FuzzOptions,
  onProgress: (progress: FuzzProgress) => void = () => {},
  signal?: AbortSignal,
): Promise<FuzzResult> {
  const folder = await Deno.makeTempDir({ prefix: "parley-fuzz-" });
  try {
    const args = [
      ...SERVER_ARGS,
      "--store",
      `${folder}/store`,
      ...(options.tls ? ["--tls", "--certs", folder] : []),
    ];
    await using server = await startObserved({ command: options.server, args });
    const ca = options.tls ? await Deno.readTextFile(`${folder}/ca.pem`) : undefined;
    return await new Run(options, server, ca, signal).run(onProgress);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

class Run {
  readonly #options: FuzzOptions;
  readonly #server: ObservedServer;
  readonly #dial: Dial;
  readonly #dialPlain: Dial;
  readonly #signal: AbortSignal | undefined;
  readonly #problems: string[] = [];
  readonly #start = performance.now();
  #next: number;
  #attacks = 0;
  #established = 0;
  #sentBytes = 0;
  /** The index of the next attack when the server first logged an error. */
  #loggedAt: number | undefined;

  constructor(options: FuzzOptions, server: ObservedServer, ca: string | undefined, signal?: AbortSignal) {
    this.#options = options;
    this.#server = server;
    this.#signal = signal;
    this.#next = options.from;
    const { hostname, port } = server;
    this.#dialPlain = () => Deno.connect({ hostname, port });
    this.#dial = ca === undefined ? this.#dialPlain : async () => {
      const conn = await Deno.connectTls({ hostname, port, caCerts: [ca] });
      await conn.handshake();
      return conn;
    };
  }

  async run(onProgress: (progress: FuzzProgress) => void): Promise<FuzzResult> {
    const server = this.#server;
    const control = await ControlClient.start(seeded(this.#options.seed), this.#dial);
    const memory = server.residentBytes();
    const descriptors = server.descriptors();
    const ticker = setInterval(() => onProgress(this.#progress(control)), 1000);
    let isDone = false;
    const exchanging = control.exchange(() => isDone || server.code !== undefined)
      .catch((error) => this.#addProblem(error.message));
    const { connections } = this.#options;
    await Promise.all(Array.from({ length: connections }, () => this.#attackOn(control.sessions)));
    // The control client's two connections count too: it continues until all others are closed.
    await this.#settled(() => server.descriptors() <= descriptors);
    const after = server.descriptors();
    isDone = true;
    await exchanging;
    clearInterval(ticker);
    const [afterBytes, peak] = [server.residentBytes(), server.peakBytes()];
    this.#checkServer(control, memory, peak, descriptors, after);
    const stopped = await this.#stop(control);
    const { log } = server;
    if (log.problems.length > 0) {
      const when = this.#loggedAt === undefined ? "" : ` (before attack ${this.#loggedAt})`;
      this.#addProblem(`the server logged${when}: ${log.problems[0]}`);
    }
    return {
      problems: this.#problems,
      attacks: this.#attacks,
      established: this.#established,
      sentBytes: this.#sentBytes,
      next: this.#next,
      refusals: log.refusals,
      logLines: log.lines,
      control,
      memory: { before: memory, after: afterBytes, peak },
      descriptors: { before: descriptors, after },
      stopped,
    };
  }

  /** Runs one attack after the other until the time is over, all are done, or a problem is found. */
  async #attackOn(control: ReadonlySet<number>): Promise<void> {
    const { seed, from, count, seconds, tls } = this.#options;
    while (!this.#mustStop() && !this.#signal?.aborted && this.#next < from + count) {
      if (performance.now() - this.#start > seconds * 1000) return;
      const index = this.#next++;
      const attack = planAttack(seed, index);
      const isPlain = tls && !attack.handshakes && index % 2 === 0;
      const responses = isPlain ? undefined : new ResponseChecker(control);
      try {
        const outcome = await runAttack(attack, isPlain ? this.#dialPlain : this.#dial, responses);
        this.#attacks++;
        this.#sentBytes += outcome.sent;
        if (outcome.established) this.#established++;
        if (outcome.problem !== undefined) this.#addAttackProblem(index, attack.kind, outcome.problem);
      } catch (error) {
        this.#addAttackProblem(index, attack.kind, `could not connect: ${error}`);
      }
    }
  }

  /** Whether a problem was found. */
  #mustStop(): boolean {
    if (this.#loggedAt === undefined && this.#server.log.problems.length > 0) {
      this.#loggedAt = this.#next;
    }
    return this.#problems.length > 0 || this.#loggedAt !== undefined;
  }

  #checkServer(control: ControlClient, memory: number, peak: number, before: number, after: number): void {
    const { code } = this.#server;
    if (code !== undefined) {
      this.#addProblem(`the server ended with ${code}: ${this.#server.log.last}`);
      return;
    }
    if (control.answers === 0) this.#addProblem("the control client received no reply");
    const p99 = quantile(control.latencies, 0.99);
    if (p99 > P99_MS) this.#addProblem(`the control client's p99 latency was ${Math.round(p99)} ms`);
    if (after > before) {
      this.#addProblem(
        `${after} descriptors ${SETTLE_MS / 1000} s after the last attack, ${before} before the first`,
      );
    }
    const bound = memory + memoryBound(this.#options.connections);
    if (peak > bound) {
      this.#addProblem(`${mib(peak)} of memory at the peak, over the bound of ${mib(bound)}`);
    }
  }

  async #stop(control: ControlClient): Promise<Stopped | undefined> {
    try {
      if (this.#problems.length === 0) await control.close();
    } catch (error) {
      this.#addProblem(`the control client could not close: ${error}`);
    } finally {
      control.destroy();
    }
    if (this.#server.code !== undefined) return undefined;
    try {
      const stopped = await this.#server.terminate();
      if (stopped.code !== 0) this.#addProblem(`the server ended with ${stopped.code} on SIGTERM`);
      return stopped;
    } catch (error) {
      this.#addProblem(String(error));
      return undefined;
    }
  }

  async #settled(isSettled: () => boolean): Promise<void> {
    const deadline = performance.now() + SETTLE_MS;
    while (!isSettled() && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  #progress({ messages }: ControlClient): FuzzProgress {
    return {
      seconds: (performance.now() - this.#start) / 1000,
      attacks: this.#attacks,
      sentBytes: this.#sentBytes,
      messages,
      residentBytes: this.#server.residentBytes(),
    };
  }

  #addAttackProblem(index: number, kind: string, problem: string): void {
    this.#addProblem(`attack ${index} (${kind}): ${problem}`);
  }

  #addProblem(problem: string): void {
    this.#problems.push(problem);
  }
}

function mib(bytes: number): string {
  return `${Math.round(bytes / MiB)} MiB`;
}
