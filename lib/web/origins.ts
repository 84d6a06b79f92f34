/**
 * Which pages may talk to the web server: its own, and those of the origins it was told to allow.
 *
 * A browser sends requests to any address that any page names, this machine's loopback among them. Three headers, which
 * no page can forge, say where a request comes from:
 * - `Host`: what the page's address was. A page whose own name was pointed at this server (DNS rebinding) cannot hide
 *   that name.
 * - `Origin`: the page, on everything that changes something, and on every WebSocket.
 * - `Sec-Fetch-Site`: whether the page is one of this server, also where no `Origin` is sent.
 *
 * @module
 */

import type { IncomingMessage } from "node:http";
import { isLoopback } from "../net/target.ts";
import { HttpProblem } from "./problem.ts";

/** What a web server is reached as. */
export interface ServedAs {
  /** Names and addresses, `*.example.org` among them; those of the certificate, for instance. */
  readonly hosts: readonly string[];
  /** The address it listens on. */
  readonly hostname: string;
  readonly isSecure: boolean;
  /** Origins of other pages that may use it: `https://app.example`. Their hosts are also names of this server. */
  readonly origins: readonly string[];
}

/** Checks where requests come from. */
export class Origins {
  readonly #scheme: string;
  readonly #isPublic: boolean;
  readonly #hosts: ReadonlySet<string>;
  /** What stands after the star of `*.example.org`. */
  readonly #wildcards: readonly string[];
  readonly #origins: ReadonlySet<string>;

  constructor({ hosts, hostname, isSecure, origins }: ServedAs) {
    const names = [hostname, ...hosts, ...origins.map((origin) => new URL(origin).hostname)].map(plain);
    this.#scheme = isSecure ? "https" : "http";
    this.#isPublic = !isLoopback(hostname);
    this.#hosts = new Set(["localhost", "127.0.0.1", "::1", ...names]);
    this.#wildcards = names.filter((name) => name.startsWith("*.")).map((name) => name.slice(1));
    this.#origins = new Set(origins);
  }

  /**
   * Checks a request. Returns the origin, other than the server's own, that may read the response.
   *
   * @param isPage whether the request is for what a browser may be led to from anywhere: the dashboard's own files
   * @throws {HttpProblem} 421 for another host, 403 for another origin
   */
  check(
    { headers, method }: Pick<IncomingMessage, "headers" | "method">,
    isPage: boolean,
  ): string | undefined {
    // Only a program that speaks HTTP/1.0, such as a load balancer, sends none. Browsers always do.
    const { host = "", origin } = headers;
    if (headers.host !== undefined) this.#checkHost(host);
    if (origin !== undefined && origin !== `${this.#scheme}://${host.toLowerCase()}`) {
      if (this.#origins.has(origin)) return origin;
      throw refused(
        `a page of ${JSON.stringify(origin.slice(0, 200))} may not use this server; ` +
          "to allow it, start the server with --web-origin and its address",
      );
    }
    const site = headers["sec-fetch-site"];
    if (origin === undefined && (site === "cross-site" || site === "same-site")) {
      const isNavigation = headers["sec-fetch-mode"] === "navigate" &&
        headers["sec-fetch-dest"] === "document";
      if (!isPage || !isNavigation || method !== "GET") {
        throw refused("a page from elsewhere may not use this server; open its address itself");
      }
    }
    return undefined;
  }

  #checkHost(host: string): void {
    const name = hostOf(host);
    if (name !== undefined && this.#isServed(name)) return;
    throw new HttpProblem(421, {
      code: "wrong_host",
      detail: `this server is not ${JSON.stringify(host.slice(0, 200))}; use a name of its certificate or ` +
        "the address it listens on, or start it with --web-origin and the address that browsers use",
    });
  }

  #isServed(name: string): boolean {
    if (this.#hosts.has(name)) return true;
    // An address is no name that somebody could have pointed here. Behind a NAT this server cannot know its own.
    if (this.#isPublic && (name.includes(":") || /^\d+(\.\d+){3}$/.test(name))) return true;
    return this.#wildcards.some((ending) =>
      name.endsWith(ending) && !name.slice(0, -ending.length).includes(".")
    );
  }
}

function refused(detail: string): HttpProblem {
  return new HttpProblem(403, { code: "wrong_origin", detail });
}

/** The name or address in a `Host` header, without port and brackets; `undefined` if it is none. */
function hostOf(host: string): string | undefined {
  const [, name] = /^(\[[0-9a-f:.]+\]|[^:[\]/@?#\s]+)(?::\d{1,5})?$/i.exec(host) ?? [];
  return name === undefined ? undefined : plain(name);
}

/** In lower case, without brackets and the dot at the end. */
function plain(name: string): string {
  return name.toLowerCase().replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
}
