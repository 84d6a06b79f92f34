/**
 * `parley`: finds the command, runs it, and reports the result as one line and an exit code.
 *
 * @module
 */

import type { ConnectOptions } from "../../client/options.ts";
import type { Log } from "../../logging/log.ts";
import type { LoggingOptions } from "../../logging/setup.ts";
import { LineQueue, type LineQueueOptions } from "../../logging/line_queue.ts";
import { VERSION } from "../../version.ts";
import { cleanJoinUrl } from "../../wire/join_url.ts";
import type { Command, Context } from "./command.ts";
import { type CommandLine, parseCommandLine } from "./command_line.ts";
import { connectCommand } from "./connection.ts";
import { Contexts } from "./contexts.ts";
import { COMPLETE, COMPLETION } from "./commands/completion.ts";
import { CONTEXT } from "./commands/context.ts";
import { BENCH } from "./commands/bench.ts";
import { CHECK } from "./commands/check.ts";
import { CHAT } from "./commands/chat.ts";
import { DECODE } from "./commands/decode.ts";
import { adviseDoctor, DOCTOR } from "./commands/doctor.ts";
import { EXPLAIN } from "./commands/explain.ts";
import { PING } from "./commands/ping.ts";
import { PUBLISH } from "./commands/publish.ts";
import { REQUEST } from "./commands/request.ts";
import { RESPOND } from "./commands/respond.ts";
import { SUBSCRIBE } from "./commands/subscribe.ts";
import { TOP } from "./commands/top.ts";
import { WHY } from "./commands/why.ts";
import { WORK } from "./commands/work.ts";
import { describeFailure, Exit, exitCodeOf } from "../failures.ts";
import { commandHelp, programHelp } from "./help.ts";
import { type Host, type HostLog, type InterruptSource, type OutputStream, processHost } from "../host.ts";
import { Output, OutputClosed } from "../output.ts";
import { makeMask } from "./frames/masking.ts";
import { readAuthority, readToken } from "./secrets.ts";
import { painter } from "../terminal.ts";
import { SeenChannels } from "./seen_channels.ts";
import { userStorage } from "./user_folder.ts";
import { makeTrace } from "./frames/trace.ts";

/** The commands, in the order in which `--help` lists them. The first one runs if none is named. */
export const COMMANDS: readonly Command[] = [
  CHAT,
  PUBLISH,
  SUBSCRIBE,
  REQUEST,
  RESPOND,
  WORK,
  PING,
  TOP,
  WHY,
  CHECK,
  BENCH,
  DOCTOR,
  DECODE,
  EXPLAIN,
  CONTEXT,
  COMPLETION,
  COMPLETE,
];

/** How long an ending command may take to say BYE and to finish the shell commands it runs, in milliseconds. */
const CLOSE_MS = 5_000;

/** Characters that may wait for stderr: a trace writes a line for each frame. */
const STDERR_CHARACTERS = 16 * 1024 * 1024;

/** How stderr is written to. */
const STDERR: LineQueueOptions = {
  describeLoss: (lines) => `parley: ${lines} lines were lost here, because they were not read in time\n`,
  maxPendingCharacters: STDERR_CHARACTERS,
};

/** How long the end waits for stderr, in milliseconds. */
const STDERR_FLUSH_MS = 1_000;

/** Runs `parley ARGS` in `host`; resolves to the exit code. */
export async function main(args: readonly string[], host: Host = processHost()): Promise<number> {
  const output = new Output(host.stdout);
  const isTerminal = host.stderr.isTerminal();
  const commandLine = parseCommandLine(COMMANDS, { args, env: host.env, isTerminal });
  switch (commandLine.kind) {
    case "run":
      return await run(commandLine, output, host);
    case "invalid": {
      const stderr = new LineQueue(host.stderr, STDERR);
      for (const problem of commandLine.problems) stderr.add(`parley: ${problem}\n`);
      await stderr.flush(STDERR_FLUSH_MS);
      return commandLine.command?.exits?.wrongUsage ?? Exit.WRONG_USAGE;
    }
    case "version":
      return await print(output, VERSION);
    default:
      return await print(
        output,
        commandLine.command ? commandHelp(commandLine.command) : programHelp(COMMANDS),
      );
  }
}

async function print(output: Output, text: string): Promise<number> {
  await output.line(text);
  await output.flush().catch(() => {}); // `| head -1` is not a failure
  return Exit.DONE;
}

/** The outcome of a command. */
interface Outcome {
  readonly isConnected: boolean;
  readonly failure: unknown;
}

async function run(commandLine: CommandLine & { kind: "run" }, output: Output, host: Host): Promise<number> {
  using interrupts = host.listen();
  const { command, values } = commandLine;
  const log = new ClientLog(host, values.logLevel === "debug");
  try {
    await log.open({ level: values.logLevel, format: values.logFormat, file: values.logFile });
    for (const text of commandLine.warnings) log.print(`parley: ${text}`);
    const { isConnected, failure } = await perform(commandLine, output, log, interrupts, host);
    if (interrupts.exitCode !== undefined) {
      log.logger.info("interrupted", { command: command.name });
      return command.endsByInterrupt ? Exit.DONE : interrupts.exitCode;
    }
    if (failure === undefined || failure instanceof OutputClosed) return Exit.DONE;
    const exitCode = exitCodeOf(failure, isConnected);
    const text = makeMask().text(describeFailure(failure)); // a server may repeat a token
    if (text !== "") log.print(`parley: ${text}${adviseDoctor(failure, isConnected)}`);
    log.failed({ command: command.name, exitCode, error: failure });
    return exitCode;
  } catch (error) {
    log.print(`parley: ${describeFailure(error)}`); // logging could not be set up
    return exitCodeOf(error, true);
  } finally {
    await log[Symbol.asyncDispose]();
  }
}

/** Runs the command until it ends, fails or is interrupted; then closes what it opened. Never rejects. */
async function perform(
  { command, values, origins, operands, address }: CommandLine & { kind: "run" },
  output: Output,
  clientLog: ClientLog,
  interrupts: InterruptSource,
  host: Host,
): Promise<Outcome> {
  const resources = new AsyncDisposableStack();
  const log = clientLog.logger;
  const printLine = (line: string) => clientLog.print(line);
  let isConnected = false;
  const failures: unknown[] = [];
  const addFailure = (error: unknown) => void failures.push(error);
  let fallback: Error | undefined;
  const storage = userStorage(host.env);
  const contexts = new Contexts(storage);
  const channels = new SeenChannels(storage);
  const context: Context = {
    command,
    values,
    origins,
    operands,
    host,
    output,
    log,
    resources,
    commands: COMMANDS,
    contexts,
    channels,
    connectOptions: async () => {
      const { name, insecure, trace, tls } = values;
      await clientLog.flush(); // the question for a token comes after what was logged
      const saved = "context" in address ? await contexts.get(address.context) : undefined;
      const token = await readToken(values.token, origins.token);
      const server = "context" in address ? { url: saved?.url } : address;
      return {
        ...server,
        name: name ?? saved?.name,
        token,
        tls,
        ca: await readAuthority(values.ca),
        insecure,
        timeoutMs: values.timeout,
        trace: trace
          ? makeTrace(
            printLine,
            makeMask(token, ...tokensIn(server.url)),
            painter(host.stderr),
            () => performance.now(),
          )
          : undefined,
      };
    },
    connect: async (commandOptions = {}) => {
      const client = await connectCommand(await context.connectOptions(), commandOptions, context);
      isConnected = true;
      resources.use(client);
      const { uuid: session, sessionId: number, server } = client;
      for (const name of channelsIn(command, operands)) channels.add(name);
      log.info("connected", { session, number, name: client.name, server: server.version });
      return client;
    },
    printLine,
    printStatus: statusPrinter(printLine, host.stderr),
    printError: (text) => printLine(`parley: ${text}`),
    fail: (error) => fallback ??= error,
    divertLines: (show) => clientLog.divert(show),
  };

  const work = command.run(context).then(() => output.flush());
  await Promise.race([work, interrupts.happened, output.broken]).catch(addFailure);
  work.catch(() => {}); // after an interrupt it fails because its connection is closed
  if (host.stderr.isTerminal()) resources.defer(() => channels.save()); // not in scripts and services
  const closed = resources.disposeAsync().then(() => output.flush()).catch(addFailure);
  let timer: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([closed, new Promise((resolve) => timer = setTimeout(resolve, CLOSE_MS))]);
  clearTimeout(timer);
  return { isConnected, failure: failures[0] ?? fallback };
}

/** The operands of `command` that are names of channels. */
function channelsIn({ operands: { channels } }: Command, operands: readonly string[]): readonly string[] {
  return channels === "all" ? operands : channels === "first" ? operands.slice(0, 1) : [];
}

/** The tokens in join links, as far as they are text. */
function tokensIn(url: ConnectOptions["url"]): string[] {
  return [url ?? []].flat().flatMap((link) => /[?&]token=([^&#\s]+)/.exec(cleanJoinUrl(link))?.[1] ?? []);
}

function statusPrinter(printLine: Context["printLine"], stderr: OutputStream): Context["printStatus"] {
  if (!stderr.isTerminal()) return () => {};
  const paint = painter(stderr);
  return (line) => printLine(paint("dim", line));
}

/**
 * The log of a program whose stderr is for its user, and everything else that goes there. A failure is already one line
 * there, so its record goes only to the log file, unless the log level is debug.
 */
class ClientLog implements AsyncDisposable {
  readonly #host: Host;
  readonly #showsFailures: boolean;
  readonly #stderr: LineQueue;
  readonly #isTerminal: boolean;
  #logging: HostLog | undefined;
  #isMuted = false;
  #divert: ((line: string) => void) | undefined;

  constructor(host: Host, showsFailures: boolean) {
    this.#host = host;
    this.#stderr = new LineQueue(host.stderr, STDERR);
    this.#isTerminal = host.stderr.isTerminal();
    this.#showsFailures = showsFailures;
  }

  get logger(): Log {
    return this.#logging!.logger;
  }

  /** Starts logging. There is no logger before. */
  async open(options: Omit<LoggingOptions, "write">): Promise<void> {
    const write = (line: string) => {
      if (!this.#isMuted) this.#add(line);
    };
    this.#logging = await this.#host.openLog({ ...options, write });
  }

  /** Logs a failure that stderr already shows. */
  failed(properties: Record<string, unknown>): void {
    this.#isMuted = !this.#showsFailures;
    this.logger.warn("failed", properties);
    this.#isMuted = false;
  }

  /** Prints a line to stderr, in the background. */
  print(line: string): void {
    this.#add(`${line}\n`);
  }

  /** See `Context.divertLines`. */
  divert(show: ((line: string) => void) | undefined): Promise<void> {
    this.#divert = this.#isTerminal ? show : undefined;
    return this.flush();
  }

  #add(line: string): void {
    if (this.#divert === undefined) this.#stderr.add(line);
    else this.#divert(line.trimEnd());
  }

  /** Resolves once stderr has everything, or after a second. */
  flush(): Promise<void> {
    return this.#stderr.flush(STDERR_FLUSH_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#logging?.[Symbol.asyncDispose]();
    await this.flush();
  }
}
