/**
 * Connects to a server step by step, and says of each step whether it succeeded, and if not, why and what to do.
 *
 * @module
 */

import { formatTarget, NETWORK } from "../../../client/address.ts";
import type { Address } from "../../../client/network.ts";
import type { ReconnectingClient } from "../../../client/client.ts";
import { Connector } from "../../../client/connector.ts";
import type { ConnectOptions } from "../../../client/options.ts";
import { ParleyError } from "../../../errors.ts";
import { describeFailure } from "../../failures.ts";
import { visible } from "../../terminal.ts";
import { ConnectAttempt } from "./connect_attempt.ts";
import { isAddress, lookAtCertificate } from "./peer_certificate.ts";
import { checkPermission } from "./permission_check.ts";
import { compareClocks, describeCertificate, endsSoon } from "./times.ts";
import { describeToken, readTokenDetails, type TokenDetails } from "./token_details.ts";

/** A step of connecting, and how it went. */
export interface Step {
  readonly name: StepName;
  readonly status: "ok" | "warn" | "fail";
  /** What was found; of a failed step why, and what to do. One line that is safe to show on a terminal. */
  readonly text: string;
  /** The error of a failed step. */
  readonly error?: ParleyError;
  /** What was found, for programs. */
  readonly details?: object;
}

/** The steps, in their order. */
export type StepName =
  | "address"
  | "name"
  | "tcp"
  | "tls"
  | "greeting"
  | "clock"
  | "token"
  | "permission"
  | "round trip";

/** What is checked, and with what. */
export interface DiagnosisOptions {
  readonly connect: ConnectOptions;
  /** Which option or variable the address comes from: `from --url`. */
  readonly origin: string;
  /** The channel whose permissions are checked: a name or a pattern. */
  readonly channel: string | undefined;
  /** The clock, in milliseconds since 1970. */
  readonly now: () => number;
  /** Takes the client once it is connected. */
  readonly connected: (client: ReconnectingClient) => void;
}

/** How long a look-up of a name, a look at a certificate and a call may take unless told otherwise, in milliseconds. */
const STEP_MS = 5_000;

/** Round trips that are measured. */
const PINGS = 3;

/** Yields each step as soon as it is done. The last one has failed, or is the round trip. */
export async function* diagnose(
  { connect, origin, channel, now, connected }: DiagnosisOptions,
): AsyncGenerator<Step> {
  const timeoutMs = connect.timeoutMs ?? STEP_MS;
  const problem = optionsProblem(connect);
  if (problem !== undefined) return yield failed("address", problem);
  const [address] = NETWORK.addressesOf(connect);
  yield ok("address", describeAddress(address, origin), {
    host: address.hostname,
    port: address.port,
    tls: address.tls,
  });
  const resolved = await resolve(address, timeoutMs);
  yield resolved;
  if (resolved.status === "fail") return;

  const attempt = new ConnectAttempt(connect, now);
  const tcp = await attempt.step("tcp");
  if (tcp instanceof ParleyError) return yield failed("tcp", tcp);
  yield ok("tcp", `connected to ${formatTarget(address)} in ${tcp.toFixed(1)} ms`, { ms: tcp });
  if (address.tls) {
    const tls = await checkTls(address, await attempt.step("tls"), timeoutMs, now());
    yield tls;
    if (tls.status === "fail") return;
  }

  const client = await attempt.result;
  const isRejected = client instanceof ParleyError && client.code === "unauthorized";
  if (client instanceof ParleyError && !isRejected) return yield failed("greeting", client);
  yield describeGreeting(address, client);
  yield { name: "clock", ...compareClocks(attempt.serverTime, attempt.answeredAtMs) };
  const token = address.token === undefined ? undefined : readTokenDetails(address.token);
  if (client instanceof ParleyError) {
    return yield failed("token", client, tokenNote(address, token, attempt.answeredAtMs));
  }
  connected(client);
  yield checkToken(address, token, now());
  if (channel !== undefined) {
    const permission = await checkPermission(client, channel, token, timeoutMs);
    yield permission instanceof ParleyError
      ? failed("permission", permission)
      : { name: "permission", ...permission };
    if (permission instanceof ParleyError) return;
  }
  yield await measure(client, timeoutMs);
}

/** What is wrong with the options before anything is connected: a broken link, a token that would not be encrypted. */
function optionsProblem(options: ConnectOptions): ParleyError | undefined {
  try {
    new Connector(options, NETWORK);
  } catch (error) {
    if (error instanceof ParleyError) return error;
    throw error;
  }
}

function ok(name: StepName, text: string, details?: object): Step {
  return { name, status: "ok", text: visible(text), details };
}

function failed(name: StepName, error: ParleyError, note?: string, details?: object): Step {
  const text = describeFailure(error) + (note === undefined ? "" : ` (${visible(note)})`);
  return { name, status: "fail", text, error, details };
}

function describeAddress(address: Address, origin: string): string {
  const { tls, ca, token } = address;
  const trusted = ca === undefined ? "the authorities of this system" : "the authority that was given";
  return [
    `${formatTarget(address)} (${origin})`,
    tls ? `over TLS, trusting ${trusted}` : "without TLS",
    token === undefined ? "without a token" : "with a token",
  ].join(", ");
}

async function resolve({ hostname }: Address, withinMs: number): Promise<Step> {
  if (isAddress(hostname)) return ok("name", `${hostname} is an address`, { addresses: [hostname] });
  const { lookup } = await import("node:dns"); // node:dns/promises makes older runtimes print a warning
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const addresses = await new Promise<string[]>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${withinMs / 1000} s`)), withinMs);
      lookup(hostname, { all: true }, (error, found) => {
        if (error) reject(error);
        else resolve(found.map(({ address }) => address));
      });
    });
    return ok("name", `${hostname} is ${addresses.join(", ")}`, { addresses });
  } catch (error) {
    const code = (error as { code?: string }).code;
    const reason = code === "ENOTFOUND" ? "there is no such name" : code ?? (error as Error).message;
    const text =
      `cannot find the address of ${hostname}: ${reason}; check its spelling, and this machine's DNS`;
    return failed("name", new ParleyError("unreachable", text, { cause: error }));
  } finally {
    clearTimeout(timer);
  }
}

/** @param result what came of the handshake: how long it took, or why it failed */
async function checkTls(
  address: Address,
  result: number | ParleyError,
  withinMs: number,
  nowMs: number,
): Promise<Step> {
  const isFailed = result instanceof ParleyError;
  // Without a handshake there is no certificate to see.
  const certificate = isFailed && result.code !== "untrusted"
    ? undefined
    : await lookAtCertificate(address, withinMs);
  const text = certificate === undefined ? undefined : describeCertificate(certificate, nowMs);
  if (isFailed) return failed("tls", result, text, certificate);
  const status = certificate !== undefined && endsSoon("certificate", certificate.notAfter, nowMs)
    ? "warn"
    : "ok";
  return {
    name: "tls",
    status,
    text: visible(`the certificate is trusted${text ? `: ${text}` : ""}`),
    details: certificate,
  };
}

function describeGreeting(address: Address, client: ReconnectingClient | ParleyError): Step {
  if (client instanceof ParleyError) {
    return ok("greeting", `${formatTarget(address)} is a Parley server, and rejects the token`);
  }
  const { server, name, sessionId, uuid } = client;
  const text = `${server.name} ${server.version} welcomes ${name} as session ${sessionId}`;
  return ok("greeting", text, { server, name, sessionId, uuid });
}

function checkToken({ token: given }: Address, token: TokenDetails | undefined, nowMs: number): Step {
  if (given === undefined) return ok("token", "none was given, and the server requires none");
  if (token === undefined) {
    return ok("token", "the server did not reject it; it does not say what it grants");
  }
  // Those of other issuers are short, and renewed by their issuer.
  const isEnding = token.issuer === undefined && endsSoon("token", token.expires, nowMs);
  const status = isEnding ? "warn" : "ok";
  return { name: "token", status, text: visible(describeToken(token, nowMs)), details: token };
}

/** What a rejected token says, or that it says nothing. */
function tokenNote(
  { token: given }: Address,
  token: TokenDetails | undefined,
  nowMs: number,
): string | undefined {
  if (given === undefined) return undefined;
  return token === undefined
    ? "what was given is no token for Parley, or only a part of one"
    : `the token says that it is ${describeToken(token, nowMs)}`;
}

async function measure(client: ReconnectingClient, timeoutMs: number): Promise<Step> {
  const times: number[] = [];
  try {
    while (times.length < PINGS) times.push(await client.ping({ timeoutMs }));
  } catch (error) {
    if (!(error instanceof ParleyError)) throw error;
    return failed("round trip", error);
  }
  const ms = Math.min(...times);
  return ok("round trip", `${ms.toFixed(3)} ms, the shortest of ${PINGS}`, { ms });
}
