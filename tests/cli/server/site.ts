/**
 * A folder of its own, and both programs run in it, as on a machine that has nothing else.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { isLoopback } from "../../../lib/client/address.ts";
import { FolderStorage } from "../../../lib/state/folder.ts";
import type { TokenRequest } from "../../../lib/auth/tokens.ts";
import { openTokens } from "../../../lib/cli/server/token.ts";
import { Keys } from "../../../lib/auth/keys.ts";
import { Registry } from "../../../lib/auth/registry.ts";
import { Tokens } from "../../../lib/auth/tokens.ts";
import { type Ended, MAY_SIGNAL, Program, type StartOptions } from "../client/program.ts";

const ROOT = new URL("../../../", import.meta.url).pathname;

/** How the two programs are started. */
export interface Programs {
  readonly name: string;
  readonly server: readonly string[];
  readonly client: readonly string[];
}

const run = (program: "server" | "client") => {
  const config = ["--config", `${ROOT}deno.json`];
  return [Deno.execPath(), "run", "--quiet", ...config, `-P=${program}`, `${ROOT}${program}.ts`];
};
const SOURCE: Programs = { name: "deno run", server: run("server"), client: run("client") };
const COMPILED: Programs = {
  name: "compiled",
  server: [`${ROOT}dist/parley-server`],
  client: [`${ROOT}dist/parley`],
};

/** Registers a test with both programs run from their source, and, if it says so, also with the compiled ones. */
export function siteTest(
  name: string,
  fn: (site: Site) => Promise<void>,
  { compiled = false, ignore = false } = {},
): void {
  for (const programs of compiled ? [SOURCE, COMPILED] : [SOURCE]) {
    const isThere = programs === SOURCE || (MAY_SIGNAL && isFile(programs.server[0]));
    Deno.test({
      name: programs === SOURCE ? name : `${programs.name}: ${name}`,
      ignore: !MAY_SIGNAL || !isThere || ignore,
      fn: async () => {
        await using site = new Site(programs);
        await fn(site);
      },
    });
  }
}

/** An address of this machine that is not loopback, if it has one: what `--host 0.0.0.0` needs to be worth it. */
export const OUTSIDE: string | undefined = MAY_SIGNAL && await mayAsk()
  ? Deno.networkInterfaces().find(({ address, family }) => family === "IPv4" && !isLoopback(address))?.address
  : undefined;

/** See the module's comment. */
export class Site implements AsyncDisposable {
  /** The folder; nothing is in it at first. */
  readonly path: string = Deno.makeTempDirSync({ prefix: "parley-site-" });
  readonly programs: Programs;
  readonly #running = new AsyncDisposableStack();

  constructor(programs: Programs = SOURCE) {
    this.programs = programs;
  }

  /** Starts `parley-server ARGS` on a free port, and waits until it listens. */
  async serve(...args: string[]): Promise<RunningServer> {
    const server = this.#running.use(new RunningServer(this.start("server", ["--port", "0", ...args])));
    await server.listening();
    return server;
  }

  /** Runs `parley-server ARGS` to its end. */
  server(args: readonly string[], options: StartOptions = {}): Promise<Ended> {
    return this.#run("server", args, options);
  }

  /** Runs `parley ARGS` to its end. */
  parley(args: readonly string[], options: StartOptions = {}): Promise<Ended> {
    return this.#run("client", args, options);
  }

  /** Runs `parley-server ARGS`, which must succeed; resolves to its stdout. */
  async ok(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.server(args);
    assertEquals({ code, stderr }, { code: 0, stderr });
    return stdout;
  }

  /** Issues a token by the command line. */
  async issue(...args: string[]): Promise<string> {
    return (await this.ok("token", "issue", ...args)).trim();
  }

  /** Issues a token by a clock that is `aheadSeconds` ahead of ours, which the command line has no way to. */
  async issueBy(aheadSeconds: number, request: TokenRequest): Promise<string> {
    const storage = new FolderStorage(`${this.path}/parley-state`);
    const now = () => Date.now() + aheadSeconds * 1000;
    const [keys, registry] = [new Keys(storage, now), new Registry(storage, now)];
    const tokens = new Tokens({ keys, registry, now, uuid: () => crypto.randomUUID() });
    return (await tokens.issue(request)).token;
  }

  /** The tokens there are. */
  tokens() {
    return openTokens(new FolderStorage(`${this.path}/parley-state`)).registry.list();
  }

  /** Starts a program. */
  start(program: "server" | "client", args: readonly string[], options: StartOptions = {}): Program {
    return new Program(args, { cwd: this.path, program: this.programs[program], ...options });
  }

  /** Starts `parley ARGS` until the site is disposed of. */
  talk(args: readonly string[], options: StartOptions = {}): Program {
    return this.#running.use(this.start("client", [...args, ...LOGGED], options));
  }

  /** Writes a file; resolves to its path. */
  async write(name: string, text: string, mode = 0o600): Promise<string> {
    const path = `${this.path}/${name}`;
    await Deno.writeTextFile(path, text, { mode });
    return path;
  }

  /** An empty folder in it. */
  async folder(name: string, mode = 0o700): Promise<string> {
    const path = `${this.path}/${name}`;
    await Deno.mkdir(path);
    await Deno.chmod(path, mode);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running[Symbol.asyncDispose]();
    await Deno.remove(this.path, { recursive: true });
  }

  async #run(
    which: "server" | "client",
    args: readonly string[],
    options: StartOptions,
  ): Promise<Ended> {
    await using program = this.start(which, args, options);
    await program.endInput();
    return await program.ended();
  }
}

/** Log lines that tests wait for. */
const LOGGED = ["--log-level", "info", "--log-format", "json"];

/** A line of the server's log. */
export type LogLine = { readonly level: string; readonly message: string } & Record<string, unknown>;

/** A server that listens. */
export class RunningServer implements AsyncDisposable {
  readonly program: Program;
  #port = 0;

  constructor(program: Program) {
    this.program = program;
  }

  /** The port it took. */
  get port(): number {
    return this.#port;
  }

  async listening(): Promise<void> {
    const { port } = await this.log("listening");
    this.#port = Number(port);
  }

  /** Waits for a line of its log, with these words in its JSON. */
  async log(message: string, words = ""): Promise<LogLine> {
    const escaped = [message, words].map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    const pattern = new RegExp(`^\\{.*"message":"${escaped[0]}.*${escaped[1]}.*\\}$`, "m");
    return JSON.parse((await this.program.stderr.until(pattern))[0]);
  }

  /** The link on its stdout, by an address that surely reaches it. */
  async link(): Promise<string> {
    const [link] = await this.program.stdout.until(/^parleys?:\S+(?=\n)/m);
    return OUTSIDE === undefined ? link.replace(/(?<=:\/\/)[^:]+/, "127.0.0.1") : link;
  }

  /** Stops it in order; resolves to all it wrote. */
  async stop(): Promise<Ended> {
    this.program.kill("SIGTERM");
    const ended = await this.program.ended();
    assertEquals({ code: ended.code, stderr: ended.stderr }, { code: 0, stderr: ended.stderr });
    return ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

async function mayAsk(): Promise<boolean> {
  return (await Deno.permissions.query({ name: "sys", kind: "networkInterfaces" })).state === "granted";
}
