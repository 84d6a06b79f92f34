/**
 * `parley`: finds the command, runs it, and turns what happened into one line and an exit code.
 *
 * @module
 */

import { connect } from "../../client/connect.ts";
import { type Logging, setUpLogging } from "../../logging/setup.ts";
import { VERSION } from "../../version.ts";
import type { Context } from "./command.ts";
import { type Asked, readCommandLine } from "./command_line.ts";
import { COMMANDS } from "./commands.ts";
import { describeFailure, Exit, exitCodeOf } from "../failures.ts";
import { commandHelp, programHelp } from "./help.ts";
import { Interrupts } from "../interrupts.ts";
import { NobodyReads, Output, printError } from "../output.ts";
import { readAuthority, readToken } from "./secrets.ts";
import { painter } from "../terminal.ts";
import { formatTrace } from "./trace.ts";

/** How long an end may take, in milliseconds: goodbyes are said and running commands finish, but nobody is kept. */
const LEAVE_MS = 5_000;

/** Runs `parley ARGS`; resolves to the exit code. */
export async function main(args: string[]): Promise<number> {
  const output = new Output(Deno.stdout);
  const isTerminal = Deno.stderr.isTerminal();
  const asked = readCommandLine(COMMANDS, { args, env: Deno.env.toObject(), isTerminal });
  switch (asked.kind) {
    case "run":
      return await run(asked, output);
    case "wrong":
      for (const problem of asked.problems) printError(`parley: ${problem}`);
      return Exit.WRONG_USAGE;
    case "version":
      return await print(output, VERSION);
    default:
      return await print(output, asked.command ? commandHelp(asked.command) : programHelp(COMMANDS));
  }
}

async function print(output: Output, text: string): Promise<number> {
  await output.line(text);
  await output.flush().catch(() => {}); // `| head -1` is no failure
  return Exit.DONE;
}

/** What became of a command. */
interface Outcome {
  readonly isConnected: boolean;
  readonly failure: unknown;
}

async function run(asked: Asked & { kind: "run" }, output: Output): Promise<number> {
  using interrupts = new Interrupts();
  const { command, values } = asked;
  const log = new ClientLog(values.logLevel === "debug");
  try {
    await log.open({ level: values.logLevel, format: values.logFormat, file: values.logFile });
    const { isConnected, failure } = await perform(asked, output, log, interrupts);
    if (interrupts.exitCode !== undefined) {
      log.logger.info("interrupted", { command: command.name });
      return command.endsByInterrupt ? Exit.DONE : interrupts.exitCode;
    }
    if (failure === undefined || failure instanceof NobodyReads) return Exit.DONE;
    const exitCode = exitCodeOf(failure, isConnected);
    printError(`parley: ${describeFailure(failure)}`);
    log.failed({ command: command.name, exitCode, error: failure });
    return exitCode;
  } catch (error) {
    printError(`parley: ${describeFailure(error)}`); // before there is a log: it cannot be written
    return exitCodeOf(error, true);
  } finally {
    await log[Symbol.asyncDispose]();
  }
}

/** Runs the command until it ends, fails or is interrupted; then closes what it opened. Never rejects. */
async function perform(
  { command, values, operands, where, timeoutMs }: Asked & { kind: "run" },
  output: Output,
  { logger: log }: ClientLog,
  interrupts: Interrupts,
): Promise<Outcome> {
  const resources = new AsyncDisposableStack();
  let isConnected = false;
  const context: Context = {
    values,
    operands,
    timeoutMs,
    output,
    log,
    resources,
    connect: async (onError) => {
      const { name, insecure, trace, tls } = values;
      const client = await connect({
        ...where,
        name,
        token: await readToken(values.token),
        tls,
        ca: await readAuthority(values.ca),
        insecure,
        timeoutMs,
        onError,
        trace: trace ? traceToStderr() : undefined,
      });
      isConnected = true;
      resources.use(client);
      const { session, number, server } = client;
      log.info("connected", { session, number, name: client.name, server: server.version });
      return client;
    },
    tell: tellAtTerminal(),
    printError: (text) => printError(`parley: ${text}`),
  };

  const failures: unknown[] = [];
  const note = (error: unknown) => void failures.push(error);
  const work = command.run(context).then(() => output.flush());
  await Promise.race([work, interrupts.happened, output.broken]).catch(note);
  work.catch(() => {}); // interrupted, it fails when its connection is closed below it
  const left = resources.disposeAsync().then(() => output.flush()).catch(note);
  let timer: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([left, new Promise((resolve) => timer = setTimeout(resolve, LEAVE_MS))]);
  clearTimeout(timer);
  return { isConnected, failure: failures[0] };
}

function traceToStderr(): NonNullable<Parameters<typeof connect>[0]>["trace"] {
  const start = performance.now();
  return (way, header) => printError(formatTrace(way, header, performance.now() - start));
}

function tellAtTerminal(): Context["tell"] {
  if (!Deno.stderr.isTerminal()) return () => {};
  const paint = painter(Deno.stderr);
  return (line) => printError(paint("dim", line));
}

/**
 * The log of a program whose stderr is for its user: a failure is one line there, so its record goes to the log file
 * alone, unless everything was asked for.
 */
class ClientLog implements AsyncDisposable {
  readonly #showsFailures: boolean;
  #logging: Logging | undefined;
  #isMuted = false;

  constructor(showsFailures: boolean) {
    this.#showsFailures = showsFailures;
  }

  get logger(): Logging["logger"] {
    return this.#logging!.logger;
  }

  /** Starts logging; before that there is no logger. */
  async open(options: Omit<Parameters<typeof setUpLogging>[0], "write">): Promise<void> {
    const write = (line: string) => {
      if (!this.#isMuted) printError(line.trimEnd());
    };
    this.#logging = await setUpLogging({ ...options, write });
  }

  /** Logs a failure that stderr tells already. */
  failed(properties: Record<string, unknown>): void {
    this.#isMuted = !this.#showsFailures;
    this.logger.warn("failed", properties);
    this.#isMuted = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#logging?.[Symbol.asyncDispose]();
  }
}
