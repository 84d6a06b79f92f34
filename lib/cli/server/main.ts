/**
 * `parley-server`: finds the command and runs it. Without a command it serves until a signal stops it.
 *
 * @module
 */

import process from "node:process";
import { serve } from "../../server/serve.ts";
import { type ConfigSources, loadConfig } from "../../config/load.ts";
import { readTextFileSync } from "../../config/option_file.ts";
import { ParleyError } from "../../errors.ts";
import { setUpLogging } from "../../logging/setup.ts";
import type { Log } from "../../logging/log.ts";
import type { ServeOptions, Server } from "../../server/api.ts";
import { parseListen } from "../../config/option.ts";
import { SERVER, type ServerConfig } from "../../config/server_options.ts";
import { VERSION } from "../../version.ts";
import { Exit } from "../failures.ts";
import { printError } from "../output.ts";
import { checkClock, explainSecurity, hostsOf, logSecurity, securityOf } from "./security.ts";
import { formatConfig, formatHelp, shownOptions } from "../settings.ts";
import { Signals } from "./signals.ts";
import { explainStored, storedOptions } from "./stored_channels.ts";

const USAGE = `parley-server ${VERSION}: a message server in one file

Usage: parley-server [OPTIONS]           serve until stopped (Ctrl-C, SIGTERM)
       parley-server config [OPTIONS]    print every option with its value and origin
       parley-server token COMMAND       issue, list, revoke and rotate tokens
       parley-server certs [OPTIONS]     make a certificate for TLS
       parley-server store COMMAND       look at durable channels, back them up, manage consumers

On 127.0.0.1 the server is open to every program on this machine. On any other address, such as --host
0.0.0.0, it requires tokens and TLS: the first start makes keys and certificate, and prints a join link.
With --durable or --history it stores channels. The key "stored" of parley.jsonc gives them bounds: a list of
{ "channels": "orders.>", "storage": "durable", "maxAge": "7d", "maxBytes": "1GiB", "maxMessages": 1000000,
"full": "refuse" }, of which only the first two keys must be there; "full" may also be "drop-old".

SIGHUP makes it load a renewed certificate at once, and reopen its log file. Exit codes: 0 done, 1 failed, 2 wrong usage.

Examples:
  parley-server --port 8000
  parley-server --host 0.0.0.0 --max-payload 4MiB
  parley-server --durable 'orders.>' --history 'chat.>'
  PARLEY_PORT=8000 parley-server config

`;

/** What only some starts need is loaded only then: all of it takes a tenth of the time to start. */
const COMMANDS: Readonly<Record<string, (sources: ConfigSources) => number | Promise<number>>> = {
  config: configCommand,
  token: async (sources) => (await import("./token.ts")).tokenCommand(sources),
  certs: async (sources) => (await import("./certs.ts")).certsCommand(sources),
  store: async (sources) => (await import("./store.ts")).storeCommand(sources),
};

/** Runs `parley-server ARGS`; resolves to the exit code. */
export async function main(args: string[]): Promise<number> {
  const [first, ...rest] = args;
  const isNamed = first !== undefined && Object.hasOwn(COMMANDS, first);
  const sources: ConfigSources = {
    args: isNamed ? rest : args,
    env: Deno.env.toObject(),
    readTextFile: readTextFileSync,
    isTerminal: Deno.stderr.isTerminal(),
  };
  try {
    if (isNamed) return await COMMANDS[first](sources);
    if (first === undefined || first.startsWith("-")) return await serveCommand(sources);
  } catch (error) {
    if (!(error instanceof ParleyError)) throw error;
    printError(`parley-server: ${error.message}`);
    return Exit.FAILED;
  }
  if (first === "help") return printHelp();
  const commands = Object.keys(COMMANDS).join(", ");
  printError(`parley-server: ${JSON.stringify(first)} is not a command; the commands are ${commands}`);
  return Exit.WRONG_USAGE;
}

function printHelp(): number {
  console.log(USAGE + formatHelp(SERVER));
  return Exit.DONE;
}

function configCommand(sources: ConfigSources): number {
  const loaded = loadConfig(SERVER, sources);
  if (loaded.values.help) return printHelp();
  console.log(formatConfig(SERVER, loaded));
  if (loaded.problems.length > 0) return Exit.FAILED;
  console.log(explainSecurity(loaded.values));
  console.log(explainStored(loaded.values));
  return Exit.DONE;
}

async function serveCommand(sources: ConfigSources): Promise<number> {
  const loaded = loadConfig(SERVER, sources);
  const { values, problems, warnings } = loaded;
  if (values.help) return printHelp();
  if (values.version) {
    console.log(VERSION);
    return Exit.DONE;
  }
  if (problems.length > 0) {
    for (const { text } of problems) printError(`parley-server: ${text}`);
    printError("parley-server: not started; parley-server --help lists all options");
    return Exit.WRONG_USAGE;
  }
  await using logging = await setUpLogging({
    level: values.logLevel,
    format: values.logFormat,
    file: values.logFile,
  });
  const log = logging.logger;
  for (const reason of warnings) log.warn("a variable is ignored", { reason });
  const signals = new Signals(logging);
  const security = securityOf(values);
  if (security.auth || security.tls) checkClock(Date.now());
  const config = () =>
    shownOptions(SERVER, loaded).map(({ name, text, origin }) => ({
      option: name,
      value: text,
      source: origin,
    }));
  const starting = start(values, config, log);
  // The start may wait for a lock that another process holds. Each file is written as a whole, or not at all.
  const isStarted = await Promise.race([starting.then(() => true), signals.stopped.then(() => false)]);
  if (!isStarted) {
    starting.catch(() => {}); // the process ends now
    log.info("stopped during the start");
    return Exit.DONE;
  }
  await using server = await starting;
  signals.onReload(server);
  logSecurity(security, log);
  // The link may wait for a reader of stdout. That must not keep the server from stopping.
  if (security.auth) {
    const { join } = await import("./join.ts");
    await Promise.race([join(server, values, logging), signals.stopped]);
  }
  await signals.stopped;
  await server.close();
  return Exit.DONE;
}

async function start(values: ServerConfig, config: ServeOptions["config"], log: Log): Promise<Server> {
  if (securityOf(values).auth) {
    const { checkJoin } = await import("./join.ts");
    await checkJoin(values);
  }
  return await serve({ ...serveOptions(values), config, log });
}

/** Converts the loaded options to those of the library. */
function serveOptions(values: ServerConfig): ServeOptions {
  const { tlsCert, tlsKey } = values;
  const { auth, tls } = securityOf(values);
  const isGiven = tlsCert !== undefined;
  const issuer = values.authKeys.length > 0 && {
    keys: values.authKeys,
    issuer: values.authIssuer!,
    audience: values.authAudience!,
    maxLifetimeSeconds: values.authMaxLifetime,
  };
  return {
    hostname: values.host,
    port: values.port,
    auth: issuer || auth,
    state: values.state,
    tls: isGiven ? { certificateFile: tlsCert, keyFile: tlsKey } : tls,
    certs: values.certs,
    hosts: tls && !isGiven ? hostsOf(values) : undefined,
    insecure: values.insecure,
    stored: storedOptions(values),
    store: values.store,
    web: webOptions(values),
    limits: {
      payloadBytes: values.maxPayload,
      pendingBytes: values.maxPending,
      pendingTotalBytes: values.maxPendingTotal ?? quarterOfMemory(values.maxPending),
      channels: values.maxChannels,
      requests: values.maxRequests,
      connections: values.maxConnections,
      connectionsPerAddress: values.maxConnectionsPerAddress,
      messagesPerSecond: values.maxMessageRate,
      bytesPerSecond: values.maxByteRate,
      heartbeatSeconds: values.heartbeat,
      handshakeMs: values.handshakeTime,
      slowConsumerTimeoutMs: values.slowConsumerTimeout,
      requestMs: values.requestTime,
      drainMs: values.drainTime,
      storeBytes: values.storeBytes,
      historyBytes: values.historyBytes,
    },
  };
}

function webOptions({ web, webOrigin }: ServerConfig): ServeOptions["web"] {
  const listen = web === undefined ? undefined : parseListen(web);
  return listen && { hostname: listen.host, port: listen.port, origins: webOrigin };
}

/** A quarter of the memory that this process may use, but at least `least`; nothing if that cannot be found out. */
function quarterOfMemory(least: number): number | undefined {
  try {
    // The limit of a container or service; some runtimes do not know it, and without one it is 0 or beyond all memory.
    const limit = process.constrainedMemory?.() || Infinity;
    return Math.max(least, Math.floor(Math.min(Deno.systemMemoryInfo().total, limit) / 4));
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}
