/**
 * The server that a client connects to: checks `url`, or `hostname` and `port`, and decides whether to use TLS.
 *
 * @module
 */

import { DEFAULT_PORT } from "../limits.ts";
import type { Target } from "../net/dial.ts";
import { parseJoinUrl } from "../wire/join_url.ts";
import { badArgument, show } from "./checks.ts";
import type { ConnectOptions } from "./options.ts";

const EXAMPLE = `parley://127.0.0.1:${DEFAULT_PORT}`;

/** A server, and what is needed to connect to it. */
export interface Address extends Target {
  readonly tls: boolean;
  /** The authority to trust in addition to the system's, PEM. */
  readonly ca: string | undefined;
  readonly token: string | undefined;
}

/** The options that name a server. */
type AddressOptions = Pick<ConnectOptions, "hostname" | "port" | "tls" | "ca" | "token">;

/**
 * The servers that `options` name, at least one; see {@linkcode addressOf}.
 *
 * @throws {ParleyError} `bad_argument`
 */
export function addressesOf(options: AddressOptions & Pick<ConnectOptions, "url">): Address[] {
  const { url } = options;
  if (url === undefined || typeof url === "string") return [addressOf({ ...options, url })];
  if (!Array.isArray(url) || url.length === 0) {
    throw badArgument("url must be a URL, or a list of at least one");
  }
  return url.map((each) => addressOf({ ...options, url: each }));
}

/**
 * The server that `options` name. `ca` and `token` take precedence over those of a join URL.
 *
 * @throws {ParleyError} `bad_argument`, with what is wrong
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { addressOf } from "./address.ts";
 *
 * const { hostname, port, tls } = addressOf({ url: "parleys://[::1]:7000" });
 * assertEquals([hostname, port, tls], ["::1", 7000, true]);
 * assertEquals(addressOf({ hostname: "hub.local" }).port, 7253);
 * ```
 */
export function addressOf(
  options: AddressOptions & { readonly url?: string },
): Address {
  const { url, hostname = "127.0.0.1", port = DEFAULT_PORT, tls = false, ca } = options;
  const token = typeof options.token === "string" ? options.token : undefined;
  if (url === undefined) return { ...checked(hostname, port), tls: tls || ca !== undefined, ca, token };
  if (options.hostname !== undefined || options.port !== undefined) {
    throw badArgument("give either url, or hostname and port, not both");
  }
  const parsed = parseJoinUrl(url);
  // The text is not quoted: it may hold a token.
  if ("problem" in parsed) throw badArgument(`the server's URL: ${parsed.problem}`);
  const { joinUrl } = parsed;
  return {
    ...checked(joinUrl.hostname, joinUrl.port ?? DEFAULT_PORT),
    tls: joinUrl.tls || tls || ca !== undefined,
    ca: ca ?? joinUrl.ca,
    token: token ?? joinUrl.token,
  };
}

function checked(hostname: string, port: number): Target {
  if (hostname === "") throw badArgument(`the server's host is missing; write it as ${EXAMPLE}`);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw badArgument(`port must be a whole number from 1 to 65535, not ${show(port)}`);
  }
  return { hostname, port };
}

export { formatTarget, isLoopback } from "../net/dial.ts";
