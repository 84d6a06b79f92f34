/**
 * What a start needs to be safe: off loopback, TLS and tokens, unless somebody says otherwise.
 *
 * @module
 */

import { parseHost } from "../../certificates/hosts.ts";
import { isLoopback } from "../../client/address.ts";
import { ParleyError } from "../../errors.ts";
import { MAX_HOSTS } from "../../limits.ts";
import type { Log } from "../../logging/log.ts";
import type { ServerConfig } from "../../config/server_options.ts";

/** How a server is protected. */
export interface Security {
  readonly auth: boolean;
  readonly tls: boolean;
  /** Whether other machines can reach it. */
  readonly isPublic: boolean;
}

/** The options that decide on it. */
type SecurityConfig = Pick<ServerConfig, "host" | "auth" | "tls" | "tlsCert" | "insecure">;

/** What the options come to for the address that is listened on. */
export function securityOf(config: SecurityConfig): Security {
  const isPublic = !isLoopback(bareHost(config.host));
  const isRequired = isPublic && !config.insecure;
  return {
    auth: config.auth || isRequired,
    tls: config.tls || config.tlsCert !== undefined || isRequired,
    isPublic,
  };
}

/** Whether other machines can take advantage of it. */
export function isInsecure({ auth, tls, isPublic }: Security): boolean {
  return isPublic && !(auth && tls);
}

/** Says in one line who can get in, and what to do where that is anybody. */
export function describeSecurity(security: Security): string {
  const { auth, tls, isPublic } = security;
  if (!isPublic) {
    const whom = auth ? "programs on this machine that have a token" : "every program on this machine";
    return `open to this machine: ${whom} may connect, other machines cannot; ${
      tls ? "encrypted with TLS" : "not encrypted"
    }`;
  }
  if (!isInsecure(security)) return "open to the network: only who has a token gets in; encrypted with TLS";
  const problems = [
    ...(auth ? [] : ["whoever reaches this machine may connect and do everything"]),
    ...(tls ? [] : [`others can read ${auth ? "tokens and messages" : "messages"} on the way`]),
  ];
  return `insecure: open to the network, and ${problems.join("; ")}; leave out --insecure to protect it`;
}

/** What the options come to and why, for `parley-server config`; a few lines. */
export function explainSecurity(
  config: SecurityConfig & Pick<ServerConfig, "state" | "certs">,
): string {
  const security = securityOf(config);
  const why = (asked: boolean) =>
    asked ? "asked for" : `because other machines can reach ${JSON.stringify(config.host)}`;
  const off = security.isPublic ? "off, because of --insecure" : "off";
  const isGiven = config.tlsCert !== undefined;
  const certificate = isGiven ? `from ${config.tlsCert}` : `made in ${config.certs}`;
  return [
    "in effect:",
    `  tokens  ${security.auth ? `needed, ${why(config.auth)}; kept in ${config.state}` : off}`,
    `  TLS     ${security.tls ? `on, ${why(config.tls || isGiven)}; certificate ${certificate}` : off}`,
    `  so      ${describeSecurity(security)}`,
  ].join("\n");
}

/** Logs how the server is protected, as a warning where other machines can take advantage of it. */
export function logSecurity(security: Security, log: Log): void {
  if (isInsecure(security)) log.warn(describeSecurity(security));
  else log.info(describeSecurity(security));
}

/**
 * Refuses to make keys and certificates by a clock that cannot be right, as that of a small computer before it has
 * reached its time server: what it makes would be expired, or not valid for decades, once the clock is set.
 *
 * @throws {ParleyError} `bad_argument`
 */
export function checkClock(nowMs: number): void {
  if (nowMs >= WRITTEN_MS) return;
  const text = `this machine's clock says ${new Date(nowMs).toISOString().slice(0, 16)}Z, ` +
    "which is before Parley was written; set it first, because tokens and certificates go by it";
  throw new ParleyError("bad_argument", text);
}

const WRITTEN_MS = Date.UTC(2026, 0, 1);

/** `host` without the brackets of `[::1]`, which some are used to write. */
export function bareHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

/** The names and addresses by which a server that listens on `host` may be called; at most as fit a certificate. */
export function hostsOf(host: string): string[] {
  const loopback = ["localhost", "127.0.0.1", "::1"];
  if (!isAnyAddress(host)) return [...new Set([bareHost(host), ...loopback])];
  const addresses = interfaces().map(({ address }) => address);
  // What is no name for a certificate is left out: a container's, such as 3f9a1b2c4d5e, may be none.
  return [...new Set([hostname(), ...loopback, ...addresses])].filter(isHost).slice(0, MAX_HOSTS);
}

/** The address other machines most likely reach a server on that listens on `host`. */
export function addressForOthers(host: string): string {
  if (!isAnyAddress(host)) return bareHost(host);
  const outside = interfaces().filter(({ address }) => !isLoopback(address));
  const score = ({ name, family }: Deno.NetworkInterfaceInfo) =>
    (VIRTUAL.test(name) ? 2 : 0) + (family === "IPv4" ? 0 : 1);
  return outside.sort((one, other) => score(one) - score(other))[0]?.address ?? "127.0.0.1";
}

/** Interfaces that lead to containers and virtual machines rather than to other machines. */
const VIRTUAL = /^(docker|br-|veth|virbr|vmnet|vboxnet|cni|flannel|cali|lxc|podman)/;

/** Whether `host` stands for every address of this machine: 0.0.0.0, ::, and the other ways to write them. */
function isAnyAddress(host: string): boolean {
  return host === "0.0.0.0" || /^[0:]+$/.test(bareHost(host));
}

/** The interfaces of this machine, without addresses that are worth nothing without the interface they belong to. */
function interfaces(): Deno.NetworkInterfaceInfo[] {
  try {
    return Deno.networkInterfaces().filter(({ address }) => !/^(fe80:|169\.254\.)/i.test(address));
  } catch {
    return []; // as in a sandbox that does not let us ask
  }
}

function hostname(): string {
  try {
    return Deno.hostname();
  } catch {
    return "localhost";
  }
}

function isHost(text: string): boolean {
  try {
    parseHost(text);
    return true;
  } catch {
    return false;
  }
}
