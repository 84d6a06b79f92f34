/**
 * The security of a server: TLS and tokens are required if other machines can connect, unless `--insecure` is set.
 *
 * @module
 */

import { parseHost } from "../../certificates/hosts.ts";
import { ParleyError } from "../../errors.ts";
import { MAX_HOSTS } from "../../limits.ts";
import type { Log } from "../../logging/log.ts";
import { parseListen } from "../../config/option.ts";
import type { ServerConfig } from "../../config/server_options.ts";
import { visible } from "../terminal.ts";
import { describeInsecurity, isPublicAddress } from "../../server/options.ts";

/** The protection of a server. */
export interface Security {
  readonly auth: boolean;
  readonly tls: boolean;
  /** Whether other machines can reach it. */
  readonly isPublic: boolean;
}

/** The options that determine it. */
export type SecurityConfig =
  & Pick<ServerConfig, "host" | "auth" | "authKeys" | "tls" | "tlsCert" | "insecure">
  & Partial<Pick<ServerConfig, "web">>;

/** Determines the protection from the options and the address the server listens on. */
export function securityOf(config: SecurityConfig): Security {
  const isPublic = publicHost(config) !== undefined;
  const isRequired = isPublic && !config.insecure;
  return {
    auth: config.auth || config.authKeys.length > 0 || isRequired,
    tls: config.tls || config.tlsCert !== undefined || isRequired,
    isPublic,
  };
}

/** The address that other machines can reach, of the server or of its web server, if there is one. */
function publicHost({ host, web }: Pick<SecurityConfig, "host" | "web">): string | undefined {
  return [host, webHost({ host, web })].find(isPublicAddress);
}

/** The address that HTTP is served on; that of the server unless given. */
function webHost({ host, web }: Pick<SecurityConfig, "host" | "web">): string {
  return (web === undefined ? undefined : parseListen(web)?.host) ?? host;
}

/** Whether other machines can connect without token or TLS. */
export function isInsecure({ auth, tls, isPublic }: Security): boolean {
  return isPublic && !(auth && tls);
}

/** Describes in one line which programs can connect, and what to do if the server is insecure. */
export function describeSecurity(security: Security): string {
  const { auth, tls, isPublic } = security;
  if (!isPublic) {
    const clients = auth ? "programs on this machine that have a token" : "every program on this machine";
    const encryption = tls ? "encrypted with TLS" : "not encrypted";
    return `open to this machine: ${clients} may connect, other machines cannot; ${encryption}`;
  }
  if (!isInsecure(security)) return "open to the network: clients need a token; encrypted with TLS";
  return describeInsecurity(auth, tls);
}

/** Explains the protection and its reasons in a few lines, for `parley-server config`. */
export function explainSecurity(
  config: SecurityConfig & Pick<ServerConfig, "state" | "certs" | "authIssuer" | "authAudience">,
): string {
  const security = securityOf(config);
  const reason = (isSet: boolean) =>
    isSet ? "as set" : `because other machines can reach ${JSON.stringify(publicHost(config))}`;
  const off = security.isPublic ? "off, because of --insecure" : "off";
  const isGiven = config.tlsCert !== undefined;
  const { authKeys, authIssuer, authAudience } = config;
  const isImplied = !config.auth && authKeys.length > 0;
  const why = isImplied ? "because of --auth-keys" : reason(config.auth);
  const certificate = isGiven ? `from ${config.tlsCert}` : `generated in ${config.certs}`;
  return [
    "in effect:",
    `  tokens  ${security.auth ? `required, ${why}; stored in ${config.state}` : off}`,
    ...authKeys.length === 0 ? [] : [
      `          also those of ${visible(authIssuer!)} for ${visible(authAudience!)}; keys from ${
        authKeys.map(visible).join(", ")
      }`,
    ],
    `  TLS     ${security.tls ? `on, ${reason(config.tls || isGiven)}; certificate ${certificate}` : off}`,
    `  result  ${describeSecurity(security)}`,
  ].join("\n");
}

/** Logs the protection of the server, unless it is insecure: then the server itself has logged a warning. */
export function logSecurity(security: Security, log: Log): void {
  if (!isInsecure(security)) log.info(describeSecurity(security));
}

/**
 * Refuses to make keys and certificates if the clock cannot be right, as on a small computer that has not yet reached
 * its time server. Once the clock is set, they would be expired, or not valid for decades.
 *
 * @throws {ParleyError} `bad_argument`
 */
export function checkClock(nowMs: number): void {
  if (nowMs >= MIN_CLOCK_MS) return;
  const text = `this machine's clock says ${new Date(nowMs).toISOString().slice(0, 16)}Z, ` +
    "before this version of Parley was made; set it first, because tokens and certificates depend on it";
  throw new ParleyError("bad_argument", text);
}

const MIN_CLOCK_MS = Date.UTC(2026, 0, 1);

/** The names and addresses that clients may use for a server on `host`; at most as many as a certificate holds. */
export function hostsOf(config: Pick<SecurityConfig, "host" | "web">): string[] {
  const loopback = ["localhost", "127.0.0.1", "::1"];
  const hosts = [config.host, webHost(config)];
  if (!hosts.some(isAnyAddress)) return [...new Set([...hosts, ...loopback])];
  const addresses = interfaces().map(({ address }) => address);
  // Drop hostnames that a certificate cannot hold: that of a container, such as 3f9a1b2c4d5e, may be one.
  return [...new Set([...hosts, hostname(), ...loopback, ...addresses])].filter(isHost).slice(0, MAX_HOSTS);
}

/** The address at which other machines most likely reach a server on `host`. */
export function addressForOthers(host: string): string {
  if (!isAnyAddress(host)) return host;
  const outside = interfaces().filter(({ address }) => isPublicAddress(address));
  const score = ({ name, family }: Deno.NetworkInterfaceInfo) =>
    (VIRTUAL.test(name) ? 2 : 0) + (family === "IPv4" ? 0 : 1);
  return outside.sort((one, other) => score(one) - score(other))[0]?.address ?? "127.0.0.1";
}

/** Interfaces of containers and virtual machines, which do not lead to other machines. */
const VIRTUAL = /^(docker|br-|veth|virbr|vmnet|vboxnet|cni|flannel|cali|lxc|podman)/;

/** Whether `host` stands for every address of this machine: 0.0.0.0, ::, and the other ways to write them. */
function isAnyAddress(host: string): boolean {
  return host === "0.0.0.0" || /^[0:]+$/.test(host);
}

/** The interfaces of this machine, without link-local addresses: those mean nothing on other machines. */
function interfaces(): Deno.NetworkInterfaceInfo[] {
  try {
    return Deno.networkInterfaces().filter(({ address }) => !/^(fe80:|169\.254\.)/i.test(address));
  } catch {
    return []; // a sandbox may deny it
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
