/**
 * The addresses of WebSockets: `ws://host:port/parley` and `wss://...`; and what of the options is an address in a
 * browser.
 *
 * @module
 */

import { WEB_SOCKET_PATH } from "../limits.ts";
import { dialWebSocket } from "../net/web_socket_dial.ts";
import { badArgument } from "./checks.ts";
import type { Address, AddressOptions, Network } from "./network.ts";

const EXAMPLE = "wss://HOST:PORT/parley";

/** The URLs of the options, `[undefined]` if there are none. */
export function urlsOf({ url }: AddressOptions): readonly (string | undefined)[] {
  if (!Array.isArray(url)) return [url as string | undefined];
  if (url.length === 0) throw badArgument("url must be a URL, or a list of at least one");
  return url;
}

/**
 * Reads the URL of a WebSocket; `undefined` if it has another scheme. Without a path it is that of `/parley`.
 *
 * @throws {ParleyError} `bad_argument`
 */
export function webSocketAddress(text: string, options: AddressOptions): Address | undefined {
  let url: URL;
  try {
    url = new URL(text.trim());
  } catch {
    return undefined;
  }
  const tls = url.protocol === "wss:";
  if (!tls && url.protocol !== "ws:") return undefined;
  // The URL is not quoted, and never sent with a query: it may hold a token, and servers and proxies log URLs.
  if (url.search || url.hash || url.username || url.password) {
    throw badArgument(`a WebSocket's URL is ${EXAMPLE} and nothing else; give a token with the option token`);
  }
  if (url.pathname === "/") url.pathname = WEB_SOCKET_PATH;
  return {
    hostname: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(url.port) || (tls ? 443 : 80),
    tls,
    ca: undefined,
    token: typeof options.token === "string" ? options.token : undefined,
    webSocket: url.href,
  };
}

/** The network of a browser. Without a URL it is the server that the page is from. */
export const BROWSER_NETWORK: Network = {
  addressesOf(options) {
    const { hostname, port, tls, ca } = options;
    if ((hostname ?? port ?? tls ?? ca) !== undefined) {
      throw badArgument(
        `a browser connects by WebSocket alone: give url, as ${EXAMPLE}, and no other address`,
      );
    }
    return urlsOf(options).map((url = ownServer()) => {
      const address = webSocketAddress(url, options);
      if (address === undefined) {
        throw badArgument(`a browser connects by WebSocket: write the URL as ${EXAMPLE}`);
      }
      return address;
    });
  },
  open: ({ webSocket }, { withinMs, signal, webSocket: make }) =>
    dialWebSocket(webSocket!, { withinMs, signal, make }),
};

/** The WebSocket of the server that the page is from. */
function ownServer(): string {
  return `${globalThis.location?.origin}`.replace(/^http/, "ws");
}
