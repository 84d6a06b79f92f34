/**
 * One run of the fuzzer: a server, its attackers and the witness, and the judgement at the end.
 *
 * @module
 */

import { seeded } from "../seeded.ts";
import { PendingCalls } from "./answers.ts";
import { planAttack } from "./attack.ts";
import { carryOut, type Dial } from "./attacker.ts";
import { MAX_PAYLOAD } from "./frames.ts";
import type { FuzzOptions } from "./options.ts";
import { quantile } from "./quantile.ts";
import { ServerProcess, type Stopped } from "./server_process.ts";
import { ControlClient } from "./control_client.ts";

const MiB = 1024 * 1024;

/** Tight limits and short times, so that each of them is met many times a minute. */
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
];

/** How long the server has, after the last attack, to close what attackers left: grace, linger and drain time. */
const SETTLE_MS = 15_000;

/** What 99 of 100 of the witness's messages must be faster than; much of it is the fuzzer's own being busy. */
const P99_MS = 2_000;

/**
 * What the server may use beyond what it used before, at its worst: 1 MiB may wait for each connection, the buffers it
 * keeps for reuse are 22 MiB, and the rest is for the collector, which gives memory back when it likes.
 */
export function memoryBound(connections: number): number {
  return (160 + 2 * connections) * MiB;
}

/** A number before the attacks, at its highest or after them. */
export interface Before<T> {
  readonly before: T;
  readonly after: T;
}

/** What a run found. */
export interface FuzzResult {
  /** What must not have happened; empty where all is well. */
  readonly problems: readonly string[];
  readonly attacks: number;
  readonly greeted: number;
  readonly sentBytes: number;
  /** The index of the attack that would have come next. */
  readonly next: number;
  readonly refusals: ReadonlyMap<string, number>;
  readonly logLines: number;
  readonly control: { messages: number; answers: number; strangers: number; latencies: readonly number[] };
  readonly memory: Before<number> & { readonly peak: number };
  readonly descriptors: Before<number>;
  readonly stopped?: Stopped;
}

/** What is known while it runs. */
export interface FuzzProgress {
  readonly seconds: number;
  readonly attacks: number;
  readonly sentBytes: number;
  readonly messages: number;
  readonly residentBytes: number;
}

/** Attacks a server as `options` say, and judges it. `onProgress` hears once a second; a kept `signal` ends it early. */
export async function fuzz(
  options: FuzzOptions,
  onProgress: (progress: FuzzProgress) => void = () => {},
  signal?: AbortSignal,
): Promise<FuzzResult> {
  const folder = await Deno.makeTempDir({ prefix: "parley-fuzz-" });
  try {
    const args = [...SERVER_ARGS, ...(options.tls ? ["--tls", "--certs", folder] : [])];
    await using server = await ServerProcess.start({ command: options.server, args });
    const ca = options.tls ? await Deno.readTextFile(`${folder}/ca.pem`) : undefined;
    return await new Run(options, server, ca, signal).run(onProgress);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

class Run {
  readonly #options: FuzzOptions;
  readonly #server: ServerProcess;
  readonly #dial: Dial;
  readonly #dialPlain: Dial;
  readonly #signal: AbortSignal | undefined;
  readonly #problems: string[] = [];
  readonly #start = performance.now();
  #next: number;
  #attacks = 0;
  #greeted = 0;
  #sentBytes = 0;
  /** The attack that would have been next when the server first logged what it must not. */
  #complainedAt: number | undefined;

  constructor(options: FuzzOptions, server: ServerProcess, ca: string | undefined, signal?: AbortSignal) {
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
    let isQuiet = false;
    const talking = control.talk(() => isQuiet || server.code !== undefined)
      .catch((error) => this.#found(error.message));
    const { connections } = this.#options;
    await Promise.all(Array.from({ length: connections }, () => this.#attackOn(control.sessions)));
    // The witness's own two included: it goes on talking until all others are gone.
    await this.#settled(() => server.descriptors() <= descriptors);
    const after = server.descriptors();
    isQuiet = true;
    await talking;
    clearInterval(ticker);
    const [afterBytes, peak] = [server.residentBytes(), server.peakBytes()];
    this.#judge(control, memory, peak, descriptors, after);
    const stopped = await this.#stop(control);
    const { log } = server;
    if (log.complaints.length > 0) {
      const when = this.#complainedAt === undefined ? "" : ` (before attack ${this.#complainedAt})`;
      this.#found(`the server logged${when}: ${log.complaints[0]}`);
    }
    return {
      problems: this.#problems,
      attacks: this.#attacks,
      greeted: this.#greeted,
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

  /** One attack after the other, until time is up, all are done, or something is found. */
  async #attackOn(witnesses: ReadonlySet<number>): Promise<void> {
    const { seed, from, count, seconds, tls } = this.#options;
    while (!this.#hasFound() && !this.#signal?.aborted && this.#next < from + count) {
      if (performance.now() - this.#start > seconds * 1000) return;
      const index = this.#next++;
      const attack = planAttack(seed, index);
      const isPlain = tls && !attack.greets && index % 2 === 0;
      const answers = isPlain ? undefined : new PendingCalls(witnesses);
      try {
        const outcome = await carryOut(attack, isPlain ? this.#dialPlain : this.#dial, answers);
        this.#attacks++;
        this.#sentBytes += outcome.sent;
        if (outcome.greeted) this.#greeted++;
        if (outcome.problem !== undefined) this.#foundBy(index, attack.kind, outcome.problem);
      } catch (error) {
        this.#foundBy(index, attack.kind, `could not connect: ${error}`);
      }
    }
  }

  /** Whether there is reason to stop. */
  #hasFound(): boolean {
    if (this.#complainedAt === undefined && this.#server.log.complaints.length > 0) {
      this.#complainedAt = this.#next;
    }
    return this.#problems.length > 0 || this.#complainedAt !== undefined;
  }

  #judge(control: ControlClient, memory: number, peak: number, before: number, after: number): void {
    const { code } = this.#server;
    if (code !== undefined) {
      this.#found(`the server ended with ${code}: ${this.#server.log.last}`);
      return;
    }
    if (control.answers === 0) this.#found("the witness got no answer at all");
    const p99 = quantile(control.latencies, 0.99);
    if (p99 > P99_MS) this.#found(`the witness waited for ${Math.round(p99)} ms, one time in a hundred`);
    if (after > before) {
      this.#found(
        `${after} descriptors ${SETTLE_MS / 1000} s after the last attack, ${before} before the first`,
      );
    }
    const bound = memory + memoryBound(this.#options.connections);
    if (peak > bound) this.#found(`${mib(peak)} of memory at the worst, over the bound of ${mib(bound)}`);
  }

  async #stop(control: ControlClient): Promise<Stopped | undefined> {
    try {
      if (this.#problems.length === 0) await control.close();
    } catch (error) {
      this.#found(`the witness could not leave: ${error}`);
    } finally {
      control.destroy();
    }
    if (this.#server.code !== undefined) return undefined;
    try {
      const stopped = await this.#server.stop();
      if (stopped.code !== 0) this.#found(`the server ended with ${stopped.code} on SIGTERM`);
      return stopped;
    } catch (error) {
      this.#found(String(error));
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

  #foundBy(index: number, kind: string, problem: string): void {
    this.#found(`attack ${index} (${kind}): ${problem}`);
  }

  #found(problem: string): void {
    this.#problems.push(problem);
  }
}

function mib(bytes: number): string {
  return `${Math.round(bytes / MiB)} MiB`;
}
