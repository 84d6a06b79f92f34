/**
 * The server that is attacked: in this process, or in one of its own whose descriptors and memory can be read.
 *
 * @module
 */

import type { Tokens } from "../../lib/auth/tokens.ts";
import { type Limits, serve, type Server } from "../../lib/mod.ts";
import { COMPILED, type Programs, ROOT, SOURCE } from "../harness/program.ts";
import { RecordedLog } from "../harness/recorded_log.ts";
import { ServerProcess } from "../harness/server_process.ts";
import { openTokenDesk } from "../harness/token_desk.ts";
import { certificate, type Target, type Transport } from "./transport.ts";

/** How the server is configured. */
export interface HostOptions {
  /** Limits, for a server in this process. */
  readonly limits?: Partial<Limits>;
  readonly auth?: boolean;
  /** TCP if left out. */
  readonly transports?: readonly Transport[];
  /** Arguments, for a process. */
  readonly args?: readonly string[];
  /** How many descriptors it may have, for a process. */
  readonly descriptors?: number;
  /** Whether the memory that it holds can be asked for, for a process that runs from source. */
  readonly isMeasured?: boolean;
}

/** A folder with the files that a server with this transport and authentication needs. */
class ServerFiles implements Disposable {
  readonly path: string | undefined;
  readonly authority: string | undefined;
  readonly tokens: Tokens | undefined;

  private constructor(path?: string, authority?: string, tokens?: Tokens) {
    this.path = path;
    this.authority = authority;
    this.tokens = tokens;
  }

  static async make(transport: Transport, auth: boolean): Promise<ServerFiles> {
    if (!transport.isTls && !auth) return new ServerFiles();
    const path = Deno.makeTempDirSync({ prefix: "parley-hostile-" });
    const pair = transport.isTls ? await certificate() : undefined;
    if (pair !== undefined) {
      Deno.writeTextFileSync(`${path}/server.pem`, pair.certificate);
      Deno.writeTextFileSync(`${path}/server-key.pem`, pair.key, { mode: 0o600 });
    }
    return new ServerFiles(path, pair?.authority, auth ? openTokenDesk(`${path}/state`).tokens : undefined);
  }

  get state() {
    return `${this.path}/state`;
  }

  get certificate() {
    return { certificateFile: `${this.path}/server.pem`, keyFile: `${this.path}/server-key.pem` };
  }

  [Symbol.dispose](): void {
    if (this.path !== undefined) Deno.removeSync(this.path, { recursive: true });
  }
}

/** What is attacked. */
export abstract class Host implements Target, AsyncDisposable {
  readonly hostname = "127.0.0.1";
  abstract readonly port: number;
  abstract readonly log: RecordedLog;
  /** The authority that its clients must trust, if it uses TLS. */
  readonly authority: string | undefined;
  /** Issues tokens for it, if it requires them. */
  readonly tokens: Tokens | undefined;
  /** The folder of its keys and tokens. */
  readonly state: string;
  readonly #files: ServerFiles;

  constructor(files: ServerFiles) {
    this.#files = files;
    this.authority = files.authority;
    this.tokens = files.tokens;
    this.state = files.state;
  }

  /** Its process; `undefined` if that is this one. */
  abstract readonly pid: number | undefined;

  /** How many descriptors it has open; only of a process of its own, because this one may run other tests meanwhile. */
  abstract descriptors(): number | undefined;

  protected abstract stop(): Promise<void>;

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.#files[Symbol.dispose]();
  }
}

/** A server in this process. */
export class InProcessHost extends Host {
  override readonly log: RecordedLog;
  readonly server: Server;

  private constructor(server: Server, log: RecordedLog, files: ServerFiles) {
    super(files);
    this.server = server;
    this.log = log;
  }

  static async start(transport: Transport, { limits, auth = false }: HostOptions): Promise<InProcessHost> {
    const files = await ServerFiles.make(transport, auth);
    const log = new RecordedLog();
    const server = await serve({
      limits,
      auth,
      log: log.log,
      state: files.state,
      tls: transport.isTls ? files.certificate : false,
    });
    return new InProcessHost(server, log, files);
  }

  override get port(): number {
    return this.server.port;
  }

  override get pid(): undefined {
    return undefined;
  }

  override descriptors(): undefined {
    return undefined;
  }

  protected override async stop(): Promise<void> {
    await this.server.close();
  }
}

/** The programs to attack: the server of this checkout, and the executable if it has been compiled. */
export const ALL_PROGRAMS: readonly Programs[] = COMPILED === undefined ? [SOURCE] : [SOURCE, COMPILED];

/** See {@linkcode HostOptions.isMeasured}. */
const MEASURED: readonly string[] = [
  ...[Deno.execPath(), "run", "--quiet", "--no-check", "--v8-flags=--expose-gc", "-A"],
  ...["--config", `${ROOT}deno.json`, `${ROOT}tests/hostile/measured_server.ts`],
];

/** A server in a process of its own. */
export class ProcessHost extends Host {
  readonly server: ServerProcess;
  #measured = 0;

  private constructor(server: ServerProcess, files: ServerFiles) {
    super(files);
    this.server = server;
  }

  static async start(programs: Programs, transport: Transport, options: HostOptions): Promise<ProcessHost> {
    const { auth = false, args = [], descriptors, isMeasured } = options;
    const files = await ServerFiles.make(transport, auth);
    const { certificateFile, keyFile } = files.certificate;
    try {
      const server = await ServerProcess.start({
        program: isMeasured ? MEASURED : programs.server,
        args: [
          ...(transport.isTls ? ["--tls-cert", certificateFile, "--tls-key", keyFile] : []),
          ...(auth ? ["--auth", "--state", files.state] : []),
          ...args,
        ],
        descriptors,
      });
      return new ProcessHost(server, files);
    } catch (error) {
      files[Symbol.dispose]();
      throw error;
    }
  }

  override get port(): number {
    return this.server.port;
  }

  override get pid(): number {
    return this.server.pid;
  }

  override get log(): RecordedLog {
    return this.server.log;
  }

  override descriptors(): number {
    return this.server.descriptors();
  }

  /** The memory that it holds after a collection, in bytes: objects and buffers. See {@linkcode HostOptions.isMeasured}. */
  async heldBytes(): Promise<number> {
    this.server.kill("SIGUSR2");
    const { heapUsed, external } = await this.log.until("held", { count: ++this.#measured });
    return Number(heapUsed) + Number(external);
  }

  protected override async stop(): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}

/**
 * Whether the runtime of `programs` gives a descriptor back whose peer does not read.
 *
 * Before Deno 2.9.5 `TcpConn.close()` did not end a write that was under way, and with it stayed the descriptor, for as
 * long as the peer held on. Nothing that user code can do there ends it: neither reading or `closeWrite` before, nor
 * `readable.cancel`, `writable.abort`, `startTls`, a second write, or `node:net` with `destroy` (all tried on 2.6.10,
 * the runtime of the compile check). So that one thing is not asked of an executable with an older runtime.
 */
export function freesUnread(programs: Programs): boolean {
  if (programs === SOURCE) return true;
  const [major, minor, patch] = runtimeOf(programs.server[0]).split(".").map(Number);
  return major > 2 || major === 2 && (minor > 9 || minor === 9 && patch >= 5);
}

/** The version of Deno inside an executable: its user agent. */
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
