/**
 * The server that a client connects to: checks `url`, or `hostname` and `port`, and decides whether to use TLS; and the
 * network of Deno, Node and Bun.
 *
 * @module
 */

import { DEFAULT_PORT } from "../limits.ts";
import type { Transport } from "../net/basic_connection.ts";
import { dial } from "../net/dial.ts";
import { SocketTransport } from "../net/socket_transport.ts";
import type { Target } from "../net/target.ts";
import { dialTls } from "../net/tls/dial.ts";
import { dialWebSocket } from "../net/web_socket_dial.ts";
import { parseJoinUrl } from "../wire/join_url.ts";
import { badArgument, show } from "./checks.ts";
import type { Address, AddressOptions, Network, OpenOptions } from "./network.ts";
import { urlsOf, webSocketAddress } from "./web_address.ts";

const EXAMPLE = `parley://127.0.0.1:${DEFAULT_PORT}`;

/** TCP, TLS and WebSocket. */
export const NETWORK: Network = {
  addressesOf: (options) => urlsOf(options).map((url) => addressOf({ ...options, url })),
  open,
};

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
 * assertEquals(addressOf({ url: "wss://hub.local" }).webSocket, "wss://hub.local/parley");
 * ```
 */
export function addressOf(options: AddressOptions & { readonly url?: string }): Address {
  const { url, hostname = "127.0.0.1", port = DEFAULT_PORT, tls = false, ca } = options;
  const token = typeof options.token === "string" ? options.token : undefined;
  const webSocket = undefined;
  if (url === undefined) {
    return { ...checked(hostname, port), tls: tls || ca !== undefined, ca, token, webSocket };
  }
  if (options.hostname !== undefined || options.port !== undefined) {
    throw badArgument("give either url, or hostname and port, not both");
  }
  const address = webSocketAddress(url, options);
  if (address !== undefined) {
    if (ca === undefined) return address;
    const text =
      "a WebSocket trusts the authorities of its system only; connect with parleys:// and ca, or " +
      "have the system trust the authority";
    throw badArgument(text);
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
    webSocket,
  };
}

function checked(hostname: string, port: number): Target {
  if (hostname === "") throw badArgument(`the server's host is missing; write it as ${EXAMPLE}`);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw badArgument(`port must be a whole number from 1 to 65535, not ${show(port)}`);
  }
  return { hostname, port };
}

async function open(address: Address, options: OpenOptions): Promise<Transport> {
  const { tls, ca, webSocket } = address;
  const { withinMs, signal, stepDone } = options;
  const onConnected = () => stepDone?.("tcp");
  if (webSocket !== undefined) {
    const transport = await dialWebSocket(webSocket, { withinMs, signal, make: options.webSocket });
    onConnected();
    if (tls) stepDone?.("tls");
    return transport;
  }
  const caCerts = ca === undefined ? [] : [ca];
  const socket = tls
    ? await dialTls(address, { caCerts, withinMs, signal, onConnected })
    : await dial(address, withinMs, signal);
  if (tls) stepDone?.("tls");
  else onConnected();
  return new SocketTransport(socket);
}

export { formatTarget, isLoopback } from "../net/target.ts";
