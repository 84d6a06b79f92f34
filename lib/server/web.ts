/**
 * Opens the web server, if one is asked for: `lib/web/` is loaded only then.
 *
 * It listens before the server has started, so that a health check hears that it is starting.
 *
 * @module
 */

import type { InspectedCertificate } from "../certificates/inspection.ts";
import type { SourcedCertificate } from "../certificates/source.ts";
import type { Limits } from "../limits.ts";
import type { Log } from "../logging/log.ts";
import { BufferPool } from "../net/buffers.ts";
import { VERSION } from "../version.ts";
import type { WebHost, WebServer } from "../web/web_server.ts";
import type { ServeOptions } from "./api.ts";
import { Entrance } from "./entrance.ts";
import { DEFAULT_HOSTNAME } from "./options.ts";

/** The web server and its listeners. */
export class OpenedWeb {
  readonly url: string;
  readonly #entrance: Entrance;
  readonly #web: WebServer;

  constructor(entrance: Entrance, web: WebServer, isSecure: boolean) {
    this.#entrance = entrance;
    this.#web = web;
    this.url = `${isSecure ? "https" : "http"}://${entrance.target}`;
  }

  /** The server has started: requests are answered from now on. */
  serve(host: WebHost): void {
    this.#web.serve(host);
  }

  /** See {@linkcode Entrance.renew}. */
  renew(certificate: SourcedCertificate): void {
    this.#entrance.renew(certificate);
  }

  /** See {@linkcode Entrance.failedHandshakes}. */
  get failedHandshakes(): number {
    return this.#entrance.failedHandshakes;
  }

  /** To be called once a second. */
  sweep(): void {
    this.#entrance.sweep();
  }

  /** It is not ready from now on, and begins nothing new. Health checks still hear so. */
  drain(): void {
    this.#web.drain();
  }

  /** Stops accepting, and ends what is under way at `deadline`. */
  async close(deadline: Promise<void> = Promise.resolve()): Promise<void> {
    this.#entrance.close();
    await this.#web.close(deadline);
    await this.#entrance.closed;
  }
}

/**
 * Opens it.
 *
 * @throws {ParleyError} `cannot_listen`, with the reason and what to do
 */
export async function openWeb(
  { web, hostname = DEFAULT_HOSTNAME, auth = false, hosts = [] }: ServeOptions,
  limits: Limits,
  log: Log,
  certificate: InspectedCertificate | undefined,
): Promise<OpenedWeb | undefined> {
  if (web === undefined) return undefined;
  const [{ WebServer }] = await Promise.all([
    import("../web/web_server.ts"),
    // Here, because a server that is looked at would keep its sessions waiting at the first look.
    import("../monitor/monitor.ts"),
    import("../monitor/rates.ts"),
  ]);
  const address = web.hostname ?? hostname;
  const isSecure = certificate !== undefined;
  const server = new WebServer({
    hostname: address,
    hosts: [...hosts, ...certificate?.description.hosts ?? []],
    isSecure,
    origins: web.origins ?? [],
    needsTokens: auth !== false,
    limits,
    version: VERSION,
    log,
  });
  try {
    const entrance = new Entrance({
      hostname: address,
      port: web.port,
      certificate,
      limits,
      log,
      pool: new BufferPool(),
      accepted: (connection) => server.accepted(connection),
    });
    const opened = new OpenedWeb(entrance, server, isSecure);
    log.info("web", {
      url: opened.url,
      addresses: entrance.addresses.length > 1 ? entrance.addresses : undefined,
    });
    return opened;
  } catch (error) {
    await server.close(Promise.resolve());
    throw error;
  }
}
