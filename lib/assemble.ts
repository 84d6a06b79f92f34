/**
 * Wires a server together: the one place that knows both the network and the broker.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { SessionContext } from "./broker/context.ts";
import { Router } from "./broker/router.ts";
import { Session } from "./broker/session.ts";
import { ParleyError } from "./errors.ts";
import {
  contradictions,
  DEFAULT_LIMITS,
  type Limits,
  MAX_NUMBER,
  MAX_TURNED_AWAY,
  SWEEP_MS,
} from "./limits.ts";
import type { Log } from "./log.ts";
import { BufferPool } from "./net/buffers.ts";
import { Connection } from "./net/connection.ts";
import { type Accepted, Listener } from "./net/listener.ts";
import { Places } from "./net/places.ts";
import { VERSION } from "./version.ts";

/** What a server may be told; all of it may be left out. */
export interface ServeOptions {
  /** The address to listen on. Default: 127.0.0.1, this machine only. */
  hostname?: string;
  /** The port to listen on; 0, the default, takes a free one. */
  port?: number;
  /** Bounds and deadlines other than the usual ones. */
  limits?: Partial<Limits>;
  /** Where to log. Default: LogTape's logger `parley`, silent unless your program configures it. */
  log?: Log;
}

/** A running server. Disposing of it is closing it. */
export interface Server extends AsyncDisposable {
  /** The address it listens on. */
  readonly hostname: string;
  /** The port it took. */
  readonly port: number;
  /** What clients connect to: `parley://127.0.0.1:7253`. */
  readonly url: string;
  /** How many clients are connected, greeted or not. */
  readonly sessions: number;
  /** Stops accepting, says BYE to all, and resolves once everything is written, or after the drain time. */
  close(): Promise<void>;
}

/**
 * Starts a server in this program.
 *
 * @throws {ParleyError} `bad_argument` where the limits contradict each other or the address cannot be listened on
 *
 * @example A server and a client in one program
 * ```ts
 * import { connect, serve } from "@parley/parley";
 *
 * await using server = await serve({ port: 0 });
 * await using client = await connect({ url: server.url, name: "Ada" });
 * console.log(client.message);
 * ```
 */
// deno-lint-ignore require-await -- it will have keys and certificates to read, and starts asynchronously for callers
export async function serve(options: ServeOptions = {}): Promise<Server> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const wrong = contradictions(limits);
  if (wrong.length > 0) throw new ParleyError("bad_argument", wrong.join("; "));
  return new Assembly(options, limits);
}

/** The parts of a server and what they say to each other. */
class Assembly implements Server {
  readonly #log: Log;
  readonly #limits: Readonly<Limits>;
  readonly #pool = new BufferPool();
  readonly #context: SessionContext;
  readonly #listener: Listener;
  readonly #sweep: ReturnType<typeof setInterval>;
  readonly #sessions = new Set<Session>();
  readonly #connections = new Set<Connection>();
  readonly #places: Places;
  /** Connections that are only still there to be told that there is no place. */
  #turnedAway = 0;
  #lastNumber = 0;
  #closing: Promise<void> | undefined;

  constructor(
    { hostname = "127.0.0.1", port = 0, log = getLogger(["parley"]) }: ServeOptions,
    limits: Limits,
  ) {
    this.#log = log;
    this.#limits = limits;
    this.#places = new Places(limits.connections, limits.connectionsPerAddress);
    const now = () => performance.now();
    const router = new Router(limits, now);
    this.#context = {
      router,
      now,
      door: undefined,
      limits,
      log,
      server: { name: "parley", version: VERSION },
      nextNumber: () => this.#nextNumber(),
      uuid: () => crypto.randomUUID(),
    };
    this.#listener = listen(hostname, port, {
      accepted: (accepted) => this.#accepted(accepted),
      acceptFailed: (error, waitMs) => {
        this.#log.error("cannot accept connections; trying again", {
          waitMs,
          connections: this.#connections.size,
          // Not the error itself: its stack is made when it is read, and without descriptors Deno 2.9.6 dies of that.
          reason: error instanceof Error ? error.message : String(error),
        });
      },
    });
    this.#sweep = setInterval(() => {
      for (const session of this.#sessions) session.tick();
      router.sweep();
    }, SWEEP_MS);
    this.#log.info("listening", { hostname: this.hostname, port: this.port, url: this.url });
  }

  get hostname(): string {
    return this.#listener.address.hostname;
  }

  get port(): number {
    return this.#listener.address.port;
  }

  get url(): string {
    const host = this.hostname.includes(":") ? `[${this.hostname}]` : this.hostname;
    return `parley://${host}:${this.port}`;
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accepted({ socket, address, port }: Accepted): void {
    const full = this.#places.take(address);
    if (full !== undefined && this.#turnedAway >= MAX_TURNED_AWAY) {
      socket.close();
      return;
    }
    let session!: Session;
    const connection = new Connection(socket, this.#pool, this.#limits, (link) => {
      session = new Session(this.#context, link, { address, port }, () => this.#sessions.delete(session));
      return session;
    });
    this.#sessions.add(session);
    if (full !== undefined) {
      this.#turnedAway++;
      session.turnAway(`${full}; try again later`);
    }
    this.#connections.add(connection);
    connection.closed.then(() => {
      this.#connections.delete(connection);
      if (full === undefined) this.#places.leave(address);
      else this.#turnedAway--;
    });
    connection.start();
  }

  async #drain(): Promise<void> {
    this.#log.info("draining", { sessions: this.#sessions.size, withinMs: this.#limits.drainMs });
    this.#listener.close();
    clearInterval(this.#sweep);
    for (const session of this.#sessions) session.shutDown();
    await Promise.all([this.#listener.closed, ...[...this.#connections].map(({ closed }) => closed)]);
    this.#log.info("stopped", {});
  }

  #nextNumber(): number {
    if (this.#lastNumber === MAX_NUMBER) throw new Error("all 2,147,483,647 session numbers are used up");
    return ++this.#lastNumber;
  }
}

function listen(hostname: string, port: number, events: ConstructorParameters<typeof Listener>[2]): Listener {
  try {
    return new Listener(hostname, port, events);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    const hint = error instanceof Deno.errors.AddrInUse
      ? "another program listens there; stop it, or choose another port (0 takes a free one)"
      : "choose an address of this machine, and a port it lets you have";
    throw new ParleyError("bad_argument", `cannot listen on ${hostname}:${port}: ${reason}; ${hint}`, {
      cause: error,
    });
  }
}
