/**
 * The server that is attacked: in this process, or one of its own whose descriptors and memory can be looked at.
 *
 * @module
 */

import { FolderStorage } from "../../lib/state/folder.ts";
import { Keys } from "../../lib/auth/keys.ts";
import { Registry } from "../../lib/auth/registry.ts";
import { Tokens } from "../../lib/auth/tokens.ts";
import { type Limits, serve, type Server } from "../../lib/mod.ts";
import { MAY_SIGNAL } from "../cli/client/program.ts";
import { RecordedLog } from "../server/recorded_log.ts";
import { certificate, type Target, type Transport } from "./transport.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const EXECUTABLE = `${ROOT}dist/parley-server`;

const isGranted = (name: "read" | "write") => Deno.permissions.querySync({ name }).state === "granted";

/** Whether certificates and tokens can be put into files. */
export const MAY_WRITE: boolean = isGranted("read") && isGranted("write");

/** Whether processes may be started and looked at, as Linux has them. */
export const MAY_RUN: boolean = MAY_SIGNAL && MAY_WRITE && Deno.build.os === "linux";

/** A program that serves. */
export interface Program {
  readonly name: string;
  readonly command: readonly string[];
  /** Whether the runtime gives a descriptor back whose peer does not read; see {@linkcode PROGRAMS}. */
  readonly freesUnread: boolean;
}

const SOURCE: Program = {
  name: "deno run",
  command: [Deno.execPath(), "run", "--quiet", "-P=server", "server.ts"],
  freesUnread: true,
};

/**
 * The programs whose descriptors are looked at: `deno run`, and the compiled executable where there is one.
 *
 * Before Deno 2.9.5 `TcpConn.close()` did not end a write that was under way, and with it stayed the descriptor, for as
 * long as the peer held on. Nothing that user code can do there ends it: neither reading or `closeWrite` before, nor
 * `readable.cancel`, `writable.abort`, `startTls`, a second write, or `node:net` with `destroy` (all tried on 2.6.10,
 * the runtime of the compile check). So that one thing is not asked of an executable with an older runtime.
 */
export const PROGRAMS: readonly Program[] = MAY_RUN && hasExecutable()
  ? [SOURCE, { name: "compiled", command: [EXECUTABLE], freesUnread: isNewEnough(runtimeOf(EXECUTABLE)) }]
  : [SOURCE];

function hasExecutable(): boolean {
  if (Deno.env.get("PARLEY_COMPILED") === "required") return true;
  try {
    return Deno.statSync(EXECUTABLE).isFile;
  } catch {
    return false;
  }
}

/** The version of Deno inside an executable, by the name it gives itself towards web servers. */
function runtimeOf(path: string): string {
  using file = Deno.openSync(path);
  const bytes = new Uint8Array(4 * 1024 * 1024);
  const decoder = new TextDecoder("latin1");
  let tail = "";
  for (let count; (count = file.readSync(bytes)) !== null;) {
    const text = tail + decoder.decode(bytes.subarray(0, count));
    const version = /Deno\/(\d+\.\d+\.\d+)/.exec(text)?.[1];
    if (version !== undefined) return version;
    tail = text.slice(-32);
  }
  return "0.0.0";
}

function isNewEnough(version: string): boolean {
  const [major, minor, patch] = version.split(".").map(Number);
  return major > 2 || major === 2 && (minor > 9 || minor === 9 && patch >= 5);
}

/** What is attacked. */
export interface Host extends Target, AsyncDisposable {
  readonly log: RecordedLog;
  /** Issues tokens for it, where it asks for them. */
  readonly tokens: Tokens | undefined;
  /** The folder of its keys and tokens, where it asks for them. */
  readonly state: string;
  /** How many descriptors it has open; only of a process of its own, because this one may run other tests meanwhile. */
  descriptors?(): number;
}

/** What a server may be told here. */
export interface HostOptions {
  readonly limits?: Partial<Limits>;
  readonly auth?: boolean;
  /** Of a process: more arguments, and how many descriptors it may have. */
  readonly args?: readonly string[];
  readonly descriptors?: number;
}

/** A folder with what a server with `transport` and `auth` needs, and where that is. */
class Belongings implements Disposable {
  readonly path: string | undefined;
  readonly authority: string | undefined;
  readonly tokens: Tokens | undefined;

  private constructor(path?: string, authority?: string, tokens?: Tokens) {
    this.path = path;
    this.authority = authority;
    this.tokens = tokens;
  }

  static async make(transport: Transport, auth: boolean): Promise<Belongings> {
    if (!transport.isTls && !auth) return new Belongings();
    const path = Deno.makeTempDirSync({ prefix: "parley-hostile-" });
    const pair = transport.isTls ? await certificate() : undefined;
    if (pair !== undefined) {
      Deno.writeTextFileSync(`${path}/server.pem`, pair.certificate);
      Deno.writeTextFileSync(`${path}/server-key.pem`, pair.key, { mode: 0o600 });
    }
    return new Belongings(path, pair?.authority, auth ? tokensIn(`${path}/state`) : undefined);
  }

  get state() {
    return `${this.path}/state`;
  }

  get files() {
    return { certificateFile: `${this.path}/server.pem`, keyFile: `${this.path}/server-key.pem` };
  }

  [Symbol.dispose](): void {
    if (this.path !== undefined) Deno.removeSync(this.path, { recursive: true });
  }
}

function tokensIn(state: string): Tokens {
  const storage = new FolderStorage(state);
  return new Tokens({
    keys: new Keys(storage, Date.now),
    registry: new Registry(storage, Date.now),
    now: Date.now,
    uuid: () => crypto.randomUUID(),
  });
}

/** A server in this process. */
export class InnerHost implements Host {
  readonly hostname = "127.0.0.1";
  readonly log: RecordedLog;
  readonly server: Server;
  readonly #belongings: Belongings;

  private constructor(server: Server, log: RecordedLog, belongings: Belongings) {
    this.server = server;
    this.log = log;
    this.#belongings = belongings;
  }

  static async start(transport: Transport, { limits, auth = false }: HostOptions): Promise<InnerHost> {
    const belongings = await Belongings.make(transport, auth);
    const log = new RecordedLog();
    const server = await serve({
      limits,
      auth,
      log: log.log,
      state: belongings.state,
      tls: transport.isTls ? belongings.files : false,
    });
    return new InnerHost(server, log, belongings);
  }

  get port(): number {
    return this.server.port;
  }

  get authority(): string | undefined {
    return this.#belongings.authority;
  }

  get tokens(): Tokens | undefined {
    return this.#belongings.tokens;
  }

  get state(): string {
    return this.#belongings.state;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close();
    this.#belongings[Symbol.dispose]();
  }
}

/** What a program is told of the limits that attacks ask for. */
function flagsOf(limits: Partial<Limits>): string[] {
  const flags: Partial<Record<keyof Limits, string>> = {
    connections: "--max-connections",
    connectionsPerAddress: "--max-connections-per-address",
    messagesPerSecond: "--max-message-rate",
    bytesPerSecond: "--max-byte-rate",
    requests: "--max-requests",
  };
  return Object.entries(limits).flatMap(([name, value]) => {
    const flag = flags[name as keyof Limits];
    if (flag === undefined) throw new Error(`no flag for the limit ${name}; add it here`);
    return [flag, `${value}`];
  });
}

/** A server in a process of its own. */
export class ProcessHost implements Host {
  readonly hostname = "127.0.0.1";
  readonly log = new RecordedLog();
  readonly status: Promise<Deno.CommandStatus>;
  /** All it wrote to stderr. */
  stderr = "";
  port = 0;
  readonly #child: Deno.ChildProcess;
  readonly #belongings: Belongings;
  readonly #logging: Promise<void>;

  private constructor(child: Deno.ChildProcess, belongings: Belongings) {
    this.#child = child;
    this.#belongings = belongings;
    this.status = child.status;
    this.#logging = this.log.follow(child.stderr, (text) => this.stderr += text);
  }

  static async start(program: Program, transport: Transport, options: HostOptions): Promise<ProcessHost> {
    const { auth = false, limits = {}, args = [], descriptors } = options;
    const belongings = await Belongings.make(transport, auth);
    const { certificateFile, keyFile } = belongings.files;
    const all = [
      ...["--port", "0", "--log-format", "json"],
      ...(transport.isTls ? ["--tls-cert", certificateFile, "--tls-key", keyFile] : []),
      ...(auth ? ["--auth", "--state", belongings.state] : []),
      ...flagsOf(limits),
      ...args,
    ];
    const limit = descriptors === undefined ? "" : `ulimit -n ${descriptors}; `;
    const [executable, ...rest] = program.command;
    const inherited = Object.entries(Deno.env.toObject()).filter(([name]) => !name.startsWith("PARLEY_"));
    const command = new Deno.Command("sh", {
      args: ["-c", `${limit}exec "$0" "$@"`, executable, ...rest, ...all],
      cwd: ROOT,
      clearEnv: true,
      env: Object.fromEntries(inherited),
      stdout: "null", // the first start with tokens prints one: nobody's business here
      stderr: "piped",
    });
    const host = new ProcessHost(command.spawn(), belongings);
    try {
      host.port = Number((await host.log.until("listening")).port);
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw new Error(`${program.name} does not listen; it says: ${host.stderr}`, { cause: error });
    }
    return host;
  }

  get authority(): string | undefined {
    return this.#belongings.authority;
  }

  get tokens(): Tokens | undefined {
    return this.#belongings.tokens;
  }

  /** Where its keys, tokens and certificates are. */
  get folder(): string {
    return this.#belongings.path!;
  }

  get state(): string {
    return this.#belongings.state;
  }

  get pid(): number {
    return this.#child.pid;
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** How many descriptors it has open. */
  descriptors(): number {
    return count(`/proc/${this.pid}/fd`);
  }

  /** How much memory it has, in bytes. */
  memory(): number {
    const status = Deno.readTextFileSync(`/proc/${this.pid}/status`);
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.#logging;
    await this.status;
    this.#belongings[Symbol.dispose]();
  }
}

function count(folder: string): number {
  return [...Deno.readDirSync(folder)].length;
}
