/**
 * `parley-server`: which command, and the one without a name: serve until told to stop.
 *
 * @module
 */

import { serve } from "../../server/serve.ts";
import { describeCertificate } from "../../certificates/certificates.ts";
import { type ConfigSources, loadConfig } from "../../config/load.ts";
import { ParleyError } from "../../errors.ts";
import type { Log } from "../../logging/log.ts";
import { setUpLogging } from "../../logging/setup.ts";
import type { ServeOptions, Server } from "../../server/api.ts";
import { SERVER, type ServerConfig } from "../../config/server_options.ts";
import { VERSION } from "../../version.ts";
import { certsCommand } from "./certs.ts";
import { Exit } from "../failures.ts";
import { join } from "./join.ts";
import { printError } from "../output.ts";
import { bareHost, checkClock, explainSecurity, hostsOf, logSecurity, securityOf } from "./security.ts";
import { formatConfig, formatHelp } from "../settings.ts";
import { tokenCommand } from "./token.ts";

const USAGE = `parley-server ${VERSION}: a message server in one file

Usage: parley-server [OPTIONS]           serve until told to stop (Ctrl-C, SIGTERM)
       parley-server config [OPTIONS]    print every effective value and where it came from
       parley-server token COMMAND       issue, list, revoke and rotate tokens
       parley-server certs [OPTIONS]     make a certificate for TLS

On 127.0.0.1 it is open to every program on this machine. On any other address, such as --host 0.0.0.0, it
lets in only who has a token, and encrypts; the first start makes what is missing and prints a link to join.
SIGHUP takes up a renewed certificate at once. Exit codes: 0 done, 1 failed, 2 wrong usage.

`;

const COMMANDS: Readonly<Record<string, (from: ConfigSources) => number | Promise<number>>> = {
  config: configCommand,
  token: tokenCommand,
  certs: certsCommand,
};

/** Runs `parley-server ARGS`; resolves to the exit code. */
export async function main(args: string[]): Promise<number> {
  const [first, ...rest] = args;
  const isNamed = first !== undefined && Object.hasOwn(COMMANDS, first);
  const from: ConfigSources = {
    args: isNamed ? rest : args,
    env: Deno.env.toObject(),
    readTextFile: (path) => Deno.readTextFileSync(path),
    isTerminal: Deno.stderr.isTerminal(),
  };
  try {
    if (isNamed) return await COMMANDS[first](from);
    if (first === undefined || first.startsWith("-")) return await serveCommand(from);
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

function configCommand(from: ConfigSources): number {
  const loaded = loadConfig(SERVER, from);
  if (loaded.values.help) return printHelp();
  console.log(formatConfig(SERVER, loaded));
  if (loaded.problems.length > 0) return Exit.FAILED;
  console.log(explainSecurity(loaded.values));
  return Exit.DONE;
}

async function serveCommand(from: ConfigSources): Promise<number> {
  const { values, problems } = loadConfig(SERVER, from);
  if (values.help) return printHelp();
  if (values.version) {
    console.log(VERSION);
    return Exit.DONE;
  }
  if (problems.length > 0) {
    for (const { text } of problems) printError(`parley-server: ${text}`);
    printError("parley-server: nothing started; `parley-server --help` lists every option");
    return Exit.WRONG_USAGE;
  }
  await using logging = await setUpLogging({
    level: values.logLevel,
    format: values.logFormat,
    file: values.logFile,
  });
  const log = logging.logger;
  // From here on: a signal during the start stops the server as soon as it is there, instead of killing it halfway.
  const signals = new Signals(log);
  const security = securityOf(values);
  if (security.auth || security.tls) checkClock(Date.now());
  await using server = await serve({ ...serveOptions(values), log });
  signals.reload(server);
  logSecurity(security, log);
  if (values.tlsCert !== undefined) await checkCertificate(values.tlsCert, log);
  if (security.auth) await join(server, values, log);
  await signals.stopped;
  await server.close();
  return Exit.DONE;
}

/** What the library is told of the options. */
function serveOptions(values: ServerConfig): ServeOptions {
  const { tlsCert, tlsKey } = values;
  const { auth, tls } = securityOf(values);
  const isGiven = tlsCert !== undefined && tlsKey !== undefined;
  return {
    hostname: bareHost(values.host),
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
      slowConsumerTimeoutMs: values.slowConsumerTimeout * 1000,
      requestMs: values.requestTime * 1000,
      drainMs: values.drainTime * 1000,
    },
  };
}

/** How long before its end a certificate that somebody else looks after is worth a warning, in milliseconds. */
const ENDS_SOON_MS = 14 * 86_400_000;

/** Warns of a certificate, given as a file, that clients do not take, or soon will not. */
async function checkCertificate(path: string, log: Log): Promise<void> {
  const { hosts, notBefore, notAfter } = await describeCertificate(await Deno.readTextFile(path));
  const now = Date.now();
  const properties = { file: path, hosts, validUntil: notAfter.toISOString() };
  if (notAfter.getTime() <= now) {
    log.warn("the certificate has expired, so clients refuse it; renew it and send SIGHUP", properties);
  } else if (notBefore.getTime() > now) {
    log.warn("the certificate is not valid yet, so clients refuse it; check this machine's clock", {
      ...properties,
      validFrom: notBefore.toISOString(),
    });
  } else if (notAfter.getTime() - now < ENDS_SOON_MS) {
    log.warn("the certificate ends soon; renew it and send SIGHUP", properties);
  } else {
    log.info("certificate", properties);
  }
}

/** The signals a server listens to, for as long as the process lives. */
class Signals {
  /** Resolves with the first signal to stop. A second one ends the process at once: somebody is in a hurry. */
  readonly stopped: Promise<void>;
  #server: Server | undefined;

  constructor(log: Log) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.stopped = promise;
    let count = 0;
    const stop = (signal: Deno.Signal) => () => {
      log.info("signal", { signal });
      if (++count > 1) Deno.exit(Exit.FAILED);
      resolve();
    };
    Deno.addSignalListener("SIGINT", stop("SIGINT"));
    if (Deno.build.os === "windows") return;
    Deno.addSignalListener("SIGTERM", stop("SIGTERM"));
    Deno.addSignalListener("SIGHUP", () => {
      log.info("signal", { signal: "SIGHUP" });
      // During the start there is nothing to do: what is read is read now.
      this.#server?.reload().then(() => log.info("looked for a new certificate and for changed tokens"));
    });
  }

  /** From now on SIGHUP makes `server` look at its certificate and tokens. */
  reload(server: Server): void {
    this.#server = server;
  }
}
