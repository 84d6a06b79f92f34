/**
 * Starts servers, waits until they listen, and makes sure that none outlives the benchmark.
 *
 * @module
 */

import { type Broker, type Entrance, text, type TlsFiles } from "./brokers/broker.ts";
import { family } from "./process_stats.ts";

/** How long a server may take to start. */
const START_MS = 15_000;
/** How much of a server's output is kept, to be shown if the server fails. */
const MAX_OUTPUT_CHARACTERS = 2000;

/** A server that listens. */
export interface RunningServer {
  readonly port: number;
  readonly pid: number;
  /** The directory of its files. */
  readonly dir: string;
  /** From starting the program to the first connection it accepted, in milliseconds. */
  readonly startMs: number;
  /** Kills the server, or asks it to end; resolves when it has ended. */
  stop(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
}

/** All servers and generators of one run. */
export class Processes {
  readonly #running = new Set<Deno.ChildProcess>();
  readonly #dir: string;
  readonly #syncMs: number;
  #started = 0;

  /**
   * @param dir a directory for the servers' files, which the caller removes
   * @param syncMs how much longer each sync of the disk takes, in milliseconds
   */
  constructor(dir: string, syncMs: number = 0) {
    this.#dir = dir;
    this.#syncMs = syncMs;
  }

  /** Makes a directory for the files of a server or a generator. */
  newDir(name: string): string {
    const dir = `${this.#dir}/${name}-${++this.#started}`;
    Deno.mkdirSync(dir);
    return dir;
  }

  /**
   * Removes what was stored in `dir`, then waits until the disk has nothing left to write. So no measurement pays for
   * what an earlier one left in the page cache.
   */
  removeDir(dir: string): void {
    Deno.removeSync(dir, { recursive: true });
    new Deno.Command("sync", { stdin: "null", stdout: "null", stderr: "null" }).outputSync();
  }

  /**
   * Starts `broker`, its `entrance` on a free port, and waits until it accepts a connection there. Its files are in `dir`, or in a directory that
   * is removed when it has ended if it stores messages.
   */
  async start(
    broker: Broker,
    options: { tls?: TlsFiles; isStored?: boolean; dir?: string; entrance?: Entrance } = {},
  ): Promise<RunningServer> {
    const port = freePort();
    const dir = options.dir ?? this.newDir(broker.name);
    const [program, ...args] = await broker.command({ port, entrance: "tcp", ...options, dir });
    const started = performance.now();
    const child = this.spawn(program, args);
    const allOutput = collectOutput(child);
    let hasEnded = false;
    child.status.then(() => hasEnded = true);
    while (!(await isListening(port))) {
      if (hasEnded || performance.now() - started > START_MS) {
        this.kill(child);
        const what = hasEnded ? "ended at once" : `does not listen after ${START_MS / 1000} s`;
        throw new Error(`${broker.title} ${what}: ${(await allOutput).trim() || "no output"}`);
      }
    }
    const startMs = performance.now() - started;
    const stop = async (signal?: "SIGTERM" | "SIGKILL") => {
      if (signal === "SIGTERM") Deno.kill(child.pid, signal);
      else this.kill(child);
      await child.status;
      await allOutput;
      if (options.isStored && options.dir === undefined) this.removeDir(dir);
    };
    return { port, pid: child.pid, dir, startMs, stop };
  }

  /** Starts a program whose output is read by the caller. */
  spawn(program: string, args: string[]): Deno.ChildProcess {
    const env = { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" };
    if (this.#syncMs > 0) [program, ...args] = [...slowSyncs(this.#syncMs), program, ...args];
    const command = new Deno.Command(program, { args, env, stdin: "null", stdout: "piped", stderr: "piped" });
    const child = command.spawn();
    this.#running.add(child);
    child.status.then(() => this.#running.delete(child));
    return child;
  }

  /** Kills a process and its descendants. A process that has ended is ignored. */
  kill(child: Deno.ChildProcess): void {
    if (!this.#running.has(child)) return;
    for (const pid of family(child.pid)) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch {
        // It has ended already.
      }
    }
  }

  /** Kills everything that still runs. */
  killAll(): void {
    for (const child of this.#running) this.kill(child);
  }
}

/** A free port of 127.0.0.1. Another program could take it before the server does, which is unlikely here. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Tries to connect once. Waits 1 ms after a failure, so that the attempts do not slow down the start. */
async function isListening(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
    await new Promise((resolve) => setTimeout(resolve, 1));
    return false;
  }
}

/** What runs a program with slow syncs, under its own process id. Its other system calls are not slowed down. */
function slowSyncs(syncMs: number): string[] {
  const calls = "fsync,fdatasync";
  const inject = `inject=${calls}:delay_exit=${Math.round(syncMs * 1000)}`;
  return `strace -D -f --seccomp-bpf -qq -o /dev/null -e trace=${calls} -e ${inject}`.split(" ");
}

/** Reads the output of `child`, which would block if the pipe filled up, and resolves to the end of it. */
async function collectOutput(child: Deno.ChildProcess): Promise<string> {
  let output = "";
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const chunk of stream) output = (output + text(chunk)).slice(-MAX_OUTPUT_CHARACTERS);
  };
  await Promise.all([read(child.stdout), read(child.stderr)]);
  return output;
}
