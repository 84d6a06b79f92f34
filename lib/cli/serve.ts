/**
 * The commands of `parley-server`.
 *
 * @module
 */

import { serve, type Server } from "../assemble.ts";
import { loadConfig, type Loaded } from "../config.ts";
import { ParleyError } from "../errors.ts";
import { type Logging, setUpLogging } from "../logger.ts";
import { SERVER, type SERVER_OPTIONS } from "../server_options.ts";
import { VERSION } from "../version.ts";
import { formatConfig, formatHelp } from "./settings.ts";

const USAGE = `parley-server ${VERSION}: a message server in one file

Usage: parley-server [OPTIONS]           serve until told to stop (Ctrl-C, SIGTERM)
       parley-server config [OPTIONS]    print every effective value and where it came from

`;

/** Runs `parley-server ARGS`; resolves to the exit code. */
export async function main(args: string[]): Promise<number> {
  const wantsConfig = args[0] === "config";
  const loaded = loadConfig(SERVER, {
    args: wantsConfig ? args.slice(1) : args,
    env: Deno.env.toObject(),
    readTextFile: (path) => Deno.readTextFileSync(path),
    isTerminal: Deno.stderr.isTerminal(),
  });
  if (loaded.values.help) {
    console.log(USAGE + formatHelp(SERVER));
    return 0;
  }
  if (loaded.values.version) {
    console.log(VERSION);
    return 0;
  }
  if (wantsConfig) {
    console.log(formatConfig(SERVER, loaded));
    return loaded.problems.length === 0 ? 0 : 1;
  }
  if (loaded.problems.length > 0) {
    for (const { text } of loaded.problems) console.error(`parley-server: ${text}`);
    console.error("parley-server: nothing started; `parley-server --help` lists every option");
    return 2;
  }
  return await run(loaded);
}

async function run({ values }: Loaded<typeof SERVER_OPTIONS>): Promise<number> {
  let logging: Logging | undefined;
  try {
    logging = await setUpLogging({ level: values.logLevel, format: values.logFormat, file: values.logFile });
    const server = await serve({
      hostname: values.host,
      port: values.port,
      log: logging.logger,
      limits: {
        payloadBytes: values.maxPayload,
        pendingBytes: values.maxPending,
        channels: values.maxChannels,
        requests: values.maxRequests,
        heartbeatSeconds: values.heartbeat,
      },
    });
    await untilStopped(server, logging);
    return 0;
  } catch (error) {
    if (!(error instanceof ParleyError)) throw error;
    console.error(`parley-server: ${error.message}`);
    return error.code === "bad_argument" ? 2 : 1;
  } finally {
    await logging?.[Symbol.asyncDispose]();
  }
}

/** Serves until a signal, then drains. A second signal ends at once: somebody is in a hurry. */
async function untilStopped(server: Server, { logger }: Logging): Promise<void> {
  let stop!: () => void;
  const stopped = new Promise<void>((resolve) => stop = resolve);
  let signals = 0;
  const onSignal = (signal: Deno.Signal) => {
    logger.info("signal", { signal });
    if (++signals > 1) Deno.exit(1);
    stop();
  };
  const onInterrupt = () => onSignal("SIGINT");
  const onTerminate = () => onSignal("SIGTERM");
  Deno.addSignalListener("SIGINT", onInterrupt);
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", onTerminate);
  await stopped;
  await server.close();
}
