/**
 * The signals of a server.
 *
 * @module
 */

import type { Logging } from "../../logging/setup.ts";
import type { Server } from "../../server/api.ts";
import { Exit } from "../failures.ts";
import { EndRequests, Terminal } from "../interrupts.ts";

/**
 * Takes the signals of a server, for the lifetime of the process.
 *
 * SIGINT and SIGTERM stop it; a second one, at least a second later, ends the process at once. SIGHUP means two things:
 * from a service manager or another program it says that certificate, tokens and log file are to be looked at again; if
 * the server was started at a terminal and that has been closed, it stops the server, which would run on unseen.
 */
export class Signals {
  /** Resolves when the server is to stop. */
  readonly stopped: Promise<void>;
  readonly #logging: Logging;
  readonly #requests = new EndRequests();
  readonly #terminal = new Terminal();
  readonly #stop: () => void;
  #server: Server | undefined;

  constructor(logging: Logging) {
    this.#logging = logging;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.stopped = promise;
    this.#stop = resolve;
    Deno.addSignalListener("SIGINT", () => this.#end("SIGINT"));
    if (Deno.build.os === "windows") return;
    Deno.addSignalListener("SIGTERM", () => this.#end("SIGTERM"));
    Deno.addSignalListener("SIGHUP", () => this.#terminal.isGone ? this.#end("SIGHUP") : this.#reload());
  }

  /** From now on SIGHUP makes `server` reload its certificate and tokens. */
  onReload(server: Server): void {
    this.#server = server;
  }

  #end(signal: Deno.Signal): void {
    const request = this.#requests.take(performance.now());
    const reason = signal === "SIGHUP" ? "the terminal was closed" : undefined;
    this.#logging.logger.info("signal", { signal, reason });
    if (request === "hurry") Deno.exit(Exit.FAILED);
    this.#stop();
  }

  #reload(): void {
    const { logger } = this.#logging;
    logger.info("signal", { signal: "SIGHUP" });
    this.#logging.reopen();
    // During the start there is nothing to reload: certificate and tokens are being read now.
    this.#server?.reload().then(() => logger.info("checked for a new certificate and changed tokens"));
  }
}
