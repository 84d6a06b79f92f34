/**
 * What a start needs to be safe: off loopback, TLS and tokens, unless somebody says otherwise.
 *
 * @module
 */

import { isLoopback } from "../client/address.ts";
import type { Log } from "../log.ts";
import type { ServerConfig } from "../server_options.ts";

/** How a server is protected. */
export interface Security {
  readonly auth: boolean;
  readonly tls: boolean;
  /** Whether other machines can reach it. */
  readonly isPublic: boolean;
}

/** What the options come to for the address that is listened on. */
export function securityOf(
  config: Pick<ServerConfig, "host" | "auth" | "tls" | "tlsCert" | "insecure">,
): Security {
  const isPublic = !isLoopback(config.host);
  const isRequired = isPublic && !config.insecure;
  return {
    auth: config.auth || isRequired,
    tls: config.tls || config.tlsCert !== undefined || isRequired,
    isPublic,
  };
}

/** Says in one line who can get in. */
export function describeSecurity({ auth, tls, isPublic }: Security): string {
  const whom = auth
    ? "only who has a token gets in"
    : isPublic
    ? "everybody gets in"
    : "everybody on this machine gets in";
  return `${whom}; ${tls ? "encrypted with TLS" : "not encrypted"}`;
}

/** Logs how the server is protected, as a warning where other machines can take advantage of it. */
export function logSecurity(security: Security, log: Log): void {
  const { auth, tls, isPublic } = security;
  if (isPublic && !(auth && tls)) {
    const missing = [...(auth ? [] : ["tokens"]), ...(tls ? [] : ["TLS"])].join(" and ");
    log.warn("insecure: other machines can reach this server; leave out --insecure to protect it", {
      missing,
    });
  } else {
    log.info(describeSecurity(security));
  }
}

/** The names and addresses by which a server that listens on `host` may be called. */
export function hostsOf(host: string): string[] {
  if (host !== "0.0.0.0" && host !== "::") return [...new Set([host, "localhost", "127.0.0.1", "::1"])];
  const addresses = Deno.networkInterfaces()
    .map(({ address }) => address)
    // Link-local ones (fe80::) are worth nothing without the interface they belong to.
    .filter((address) => !address.toLowerCase().startsWith("fe80:"));
  return [...new Set([Deno.hostname(), "localhost", "127.0.0.1", "::1", ...addresses])];
}

/** The address other machines most likely reach a server on that listens on `host`. */
export function addressForOthers(host: string): string {
  if (host !== "0.0.0.0" && host !== "::") return host;
  const outside = Deno.networkInterfaces().filter(({ address }) =>
    !isLoopback(address) && !address.toLowerCase().startsWith("fe80:")
  );
  return (outside.find(({ family }) => family === "IPv4") ?? outside[0])?.address ?? "127.0.0.1";
}
