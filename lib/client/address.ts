/**
 * Where a client connects to: the options' `url`, or `hostname` and `port`, checked.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { DEFAULT_PORT } from "../limits.ts";
import type { Target } from "../net/dial.ts";
import type { ConnectOptions } from "./api.ts";

const SCHEME = "parley:";
const EXAMPLE = `parley://127.0.0.1:${DEFAULT_PORT}`;

/**
 * The target that `options` name.
 *
 * @throws {ParleyError} `bad_argument`, with what is wrong
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { targetOf } from "./address.ts";
 *
 * assertEquals(targetOf({ url: "parley://[::1]:7000" }), { hostname: "::1", port: 7000 });
 * assertEquals(targetOf({ hostname: "hub.local" }), { hostname: "hub.local", port: 7253 });
 * ```
 */
export function targetOf(options: Pick<ConnectOptions, "url" | "hostname" | "port">): Target {
  const { url, hostname = "127.0.0.1", port = DEFAULT_PORT } = options;
  if (url === undefined) return checked(hostname, port);
  if (options.hostname !== undefined || options.port !== undefined) {
    throw wrong("give either url, or hostname and port, not both");
  }
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw wrong(`${JSON.stringify(url)} is not a URL; write it as ${EXAMPLE}`);
  }
  if (parsed.protocol !== SCHEME) {
    throw wrong(`${JSON.stringify(url)} begins with ${parsed.protocol}//; a server's URL is ${EXAMPLE}`);
  }
  if (parsed.username || parsed.password || !["", "/"].includes(parsed.pathname) || parsed.search) {
    throw wrong(`${JSON.stringify(parsed.host)} is all a URL may name; write it as ${EXAMPLE}`);
  }
  return checked(parsed.hostname.replace(/^\[(.*)\]$/, "$1"), parsed.port ? +parsed.port : DEFAULT_PORT);
}

function checked(hostname: string, port: number): Target {
  if (hostname === "") throw wrong(`the server's host is missing; write it as ${EXAMPLE}`);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw wrong(`port must be a whole number from 1 to 65535, not ${port}`);
  }
  return { hostname, port };
}

/** `host:port` as people write it. */
export function formatTarget({ hostname, port }: Target): string {
  return `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}

/** Whether what is sent there stays on this machine. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "::1" || /^127(\.\d{1,3}){3}$/.test(hostname);
}

function wrong(message: string): ParleyError {
  return new ParleyError("bad_argument", message);
}
