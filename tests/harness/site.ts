/**
 * A temporary folder in which both programs run, as on a machine that has nothing else.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { ListedToken } from "../../lib/auth/registry.ts";
import type { TokenRequest } from "../../lib/auth/tokens.ts";
import { MAY_RUN } from "./permissions.ts";
import {
  COMPILED,
  type Ended,
  LOGGED,
  Program,
  type ProgramOptions,
  type Programs,
  SOURCE,
} from "./program.ts";
import { ServerProcess } from "./server_process.ts";
import { openTokenDesk } from "./token_desk.ts";

/** Registers a test with both programs run from their source, and, with `compiled`, also with the executables. */
export function siteTest(
  name: string,
  fn: (site: Site) => Promise<void>,
  { compiled = false, ignore = false } = {},
): void {
  const run = async (programs: Programs) => {
    await using site = new Site(programs);
    await fn(site);
  };
  Deno.test({ name, ignore: ignore || !MAY_RUN, fn: () => run(SOURCE) });
  if (!compiled) return;
  Deno.test({
    name: `compiled: ${name}`,
    ignore: ignore || COMPILED === undefined,
    fn: () => run(COMPILED!),
  });
}

/** A folder that is empty at first, and the programs started in it. Disposing of it kills them and removes it. */
export class Site implements AsyncDisposable {
  readonly path: string = Deno.makeTempDirSync({ prefix: "parley-site-" });
  readonly programs: Programs;
  readonly #running = new AsyncDisposableStack();

  constructor(programs: Programs = SOURCE) {
    this.programs = programs;
  }

  /** Starts `parley-server ARGS` on a free port, and waits until it listens. */
  async serve(...args: string[]): Promise<ServerProcess> {
    const { path: cwd, programs: { server: program } } = this;
    return this.#running.use(await ServerProcess.start({ args, cwd, program }));
  }

  /** Runs `parley-server ARGS` to its end. */
  server(args: readonly string[], options: ProgramOptions = {}): Promise<Ended> {
    return this.#run("server", args, options);
  }

  /** Runs `parley ARGS` to its end. */
  parley(args: readonly string[], options: ProgramOptions = {}): Promise<Ended> {
    return this.#run("client", args, options);
  }

  /** Runs `parley-server ARGS`, which must succeed; resolves to its stdout. */
  async ok(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.server(args);
    assertEquals(code, 0, stderr);
    return stdout;
  }

  /** Issues a token with the command line. */
  async issue(...args: string[]): Promise<string> {
    return (await this.ok("token", "issue", ...args)).trim();
  }

  /** Issues a token by a clock that is `aheadSeconds` ahead, which the command line cannot. */
  async issueBy(aheadSeconds: number, request: TokenRequest): Promise<string> {
    const { tokens } = openTokenDesk(this.#state, () => Date.now() + aheadSeconds * 1000);
    return (await tokens.issue(request)).token;
  }

  /** The tokens that have been issued. */
  tokens(): Promise<ListedToken[]> {
    return openTokenDesk(this.#state).registry.list();
  }

  /** Starts a program. */
  start(program: "server" | "client", args: readonly string[], options: ProgramOptions = {}): Program {
    return new Program(args, { cwd: this.path, program: this.programs[program], ...options });
  }

  /** Starts `parley ARGS`, logging, until the site is disposed of. */
  startClient(args: readonly string[], options: ProgramOptions = {}): Program {
    return this.#running.use(this.start("client", [...args, ...LOGGED], options));
  }

  /** Writes a file; resolves to its path. */
  async write(name: string, text: string, mode = 0o600): Promise<string> {
    const path = `${this.path}/${name}`;
    await Deno.writeTextFile(path, text, { mode });
    return path;
  }

  /** Makes an empty folder; resolves to its path. */
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

  get #state(): string {
    return `${this.path}/parley-state`;
  }

  async #run(which: "server" | "client", args: readonly string[], options: ProgramOptions): Promise<Ended> {
    await using program = this.start(which, args, options);
    await program.endInput();
    return await program.ended();
  }
}
