/**
 * `parley-server`: which command, and the one without a name: serve until told to stop.
 *
 * @module
 */

import { serve } from "../assemble.ts";
import { loadConfig, type World } from "../config.ts";
import { ParleyError } from "../errors.ts";
import type { Log } from "../log.ts";
import { type Logging, setUpLogging } from "../logger.ts";
import type { ServeOptions, Server } from "../server_api.ts";
import { SERVER, type ServerConfig } from "../server_options.ts";
import { VERSION } from "../version.ts";
import { certsCommand } from "./certs.ts";
import { join } from "./join.ts";
import { describeSecurity, hostsOf, logSecurity, type Security, securityOf } from "./security.ts";
import { formatConfig, formatHelp } from "./settings.ts";
import { openTokens, tokenCommand } from "./token.ts";

const USAGE = `parley-server ${VERSION}: a message server in one file

Usage: parley-server [OPTIONS]           serve until told to stop (Ctrl-C, SIGTERM)
       parley-server config [OPTIONS]    print every effective value and where it came from
       parley-server token COMMAND       issue, list, revoke and rotate tokens
       parley-server certs [OPTIONS]     make a certificate for TLS

`;

/** Runs `parley-server ARGS`; resolves to the exit code. */
export async function main(args: string[]): Promise<number> {
  const [command, ...rest] = args;
  const world: World = {
    args: ["config", "token", "certs"].includes(command) ? rest : args,
    env: Deno.env.toObject(),
    readTextFile: (path) => Deno.readTextFileSync(path),
    isTerminal: Deno.stderr.isTerminal(),
  };
  try {
    switch (command) {
      case "config":
        return configCommand(world);
      case "token":
        return await tokenCommand(world);
      case "certs":
        return await certsCommand(world);
      default:
        return await serveCommand(world);
    }
  } catch (error) {
    if (!(error instanceof ParleyError)) throw error;
    console.error(`parley-server: ${error.message}`);
    return error.code === "bad_argument" ? 2 : 1;
  }
}

function configCommand(world: World): number {
  const loaded = loadConfig(SERVER, world);
  console.log(formatConfig(SERVER, loaded));
  if (loaded.problems.length > 0) return 1;
  console.log(`  so: ${describeSecurity(securityOf(loaded.values))}`);
  return 0;
}

async function serveCommand(world: World): Promise<number> {
  const { values, problems } = loadConfig(SERVER, world);
  if (values.help || values.version) {
    console.log(values.help ? USAGE + formatHelp(SERVER) : VERSION);
    return 0;
  }
  if (problems.length > 0) {
    for (const { text } of problems) console.error(`parley-server: ${text}`);
    console.error("parley-server: nothing started; `parley-server --help` lists every option");
    return 2;
  }
  await using logging = await setUpLogging({
    level: values.logLevel,
    format: values.logFormat,
    file: values.logFile,
  });
  const security = securityOf(values);
  const isFirstStart = security.auth && (await openTokens(values.state).registry.list()).length === 0;
  await using server = await serve({ ...serveOptions(values, security), log: logging.logger });
  logSecurity(security, logging.logger);
  if (isFirstStart) await join(server, values);
  await untilStopped(server, logging);
  return 0;
}

/** What the library is told of the options. */
function serveOptions(values: ServerConfig, { auth, tls }: Security): ServeOptions {
  const { tlsCert, tlsKey } = values;
  const isGiven = tlsCert !== undefined && tlsKey !== undefined;
  return {
    hostname: values.host,
    port: values.port,
    auth,
    state: values.state,
    tls: isGiven ? { certificateFile: tlsCert, keyFile: tlsKey } : tls,
    certs: values.certs,
    hosts: tls && !isGiven ? hostsOf(values.host) : undefined,
    limits: {
      payloadBytes: values.maxPayload,
      pendingBytes: values.maxPending,
      channels: values.maxChannels,
      requests: values.maxRequests,
      connections: values.maxConnections,
      connectionsPerAddress: values.maxConnectionsPerAddress,
      messagesPerSecond: values.maxMessageRate,
      bytesPerSecond: values.maxByteRate,
      heartbeatSeconds: values.heartbeat,
      handshakeMs: values.handshakeTime * 1000,
      slowGraceMs: values.slowGrace * 1000,
      requestMs: values.requestTime * 1000,
      drainMs: values.drainTime * 1000,
    },
  };
}

/** Serves until a signal, then drains. A second signal ends at once: somebody is in a hurry. */
async function untilStopped(server: Server, { logger }: Logging): Promise<void> {
  const stopped = Promise.withResolvers<void>();
  let signals = 0;
  const stop = (signal: Deno.Signal) => () => {
    logger.info("signal", { signal });
    if (++signals > 1) Deno.exit(1);
    stopped.resolve();
  };
  Deno.addSignalListener("SIGINT", stop("SIGINT"));
  if (Deno.build.os !== "windows") {
    Deno.addSignalListener("SIGTERM", stop("SIGTERM"));
    Deno.addSignalListener("SIGHUP", () => reload(server, logger));
  }
  await stopped.promise;
  await server.close();
}

function reload(server: Server, log: Log): void {
  log.info("signal", { signal: "SIGHUP" });
  server.reload();
}
