/**
 * Wires a server together: the one place that knows both the network and the broker.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import {
  type CertificateSource,
  givenCertificate,
  ownCertificates,
  type SourcedCertificate,
} from "../certificates/source.ts";
import { FolderStorage } from "../state/folder.ts";
import { AuthService } from "../auth/service.ts";
import { Renewal } from "../certificates/renewal.ts";
import type { SessionContext } from "../broker/context.ts";
import { Echo } from "../broker/echo.ts";
import { Router } from "../broker/router.ts";
import { Session } from "../broker/session.ts";
import { ParleyError } from "../errors.ts";
import {
  contradictions,
  DEFAULT_LIMITS,
  type Limits,
  MAX_NUMBER,
  MAX_REJECTED_CONNECTIONS,
  RENEWAL_CHECK_MS,
  SWEEP_MS,
} from "../limits.ts";
import { type Log, loggable } from "../logging/log.ts";
import { BufferPool } from "../net/buffers.ts";
import { Connection } from "../net/connection.ts";
import { type Accepted, Listener } from "../net/listener.ts";
import { ConnectionLimiter } from "../net/connection_limiter.ts";
import { TlsListener } from "../net/tls/listener.ts";
import type { ServeOptions, Server } from "./api.ts";
import { ReadScheduler } from "../net/read_scheduler.ts";
import { VERSION } from "../version.ts";

const LOOPBACK = "127.0.0.1";

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
export async function serve(options: ServeOptions = {}): Promise<Server> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const wrong = contradictions(limits);
  if (wrong.length > 0) throw new ParleyError("bad_argument", wrong.join("; "));
  const log = options.log ?? getLogger(["parley"]);
  const authService = options.auth ? openAuthService(options, limits, log) : undefined;
  await authService?.open();
  const source = certificateSource(options);
  const certificate = await source?.read();
  return new Assembly({ ...options, log, limits, authService, source, certificate });
}

function openAuthService({ state = "parley-state" }: ServeOptions, limits: Limits, log: Log): AuthService {
  return new AuthService(new FolderStorage(state), (error) => {
    log.error("cannot read or write the state folder; what was known before stays in force", {
      state,
      error: loggable(error),
    });
  }, limits.handshakeMs * 0.7); // a refusal that comes after its deadline is not heard
}

function certificateSource(options: ServeOptions): CertificateSource | undefined {
  const { hostname = LOOPBACK, tls = false, certs = "certs" } = options;
  if (tls === false) return undefined;
  if (tls !== true) return givenCertificate(tls.certificateFile, tls.keyFile);
  const hosts = options.hosts ?? [...new Set([hostname, "localhost", "127.0.0.1", "::1"])];
  return ownCertificates(new FolderStorage(certs), hosts, Date.now);
}

/** What {@linkcode serve} has made ready. */
interface Parts extends ServeOptions {
  readonly log: Log;
  readonly limits: Limits;
  readonly authService: AuthService | undefined;
  readonly source: CertificateSource | undefined;
  readonly certificate: SourcedCertificate | undefined;
}

/** The parts of a server and what they say to each other. */
class Assembly implements Server {
  readonly #log: Log;
  readonly #limits: Readonly<Limits>;
  readonly #pool = new BufferPool();
  readonly #scheduler = new ReadScheduler();
  readonly #context: SessionContext;
  readonly #listener: Listener | TlsListener;
  readonly authority: string | undefined;
  readonly #authService: AuthService | undefined;
  readonly #renewal: Renewal | undefined;
  readonly #timers: readonly ReturnType<typeof setInterval>[];
  readonly #sessions = new Set<Session>();
  readonly #connections = new Set<Connection>();
  readonly #limiter: ConnectionLimiter;
  /** Connections that are only still there to be told that there is no place. */
  #rejectedConnections = 0;
  #lastNumber = 0;
  #closing: Promise<void> | undefined;

  constructor({ hostname = LOOPBACK, port = 0, log, limits, authService, source, certificate }: Parts) {
    this.#log = log;
    this.#limits = limits;
    this.#authService = authService;
    this.authority = certificate?.authority;
    this.#limiter = new ConnectionLimiter(limits.connections, limits.connectionsPerAddress);
    const now = () => performance.now();
    const router = new Router(limits, now);
    this.#context = {
      router,
      echo: new Echo(),
      now,
      authenticator: authService?.authenticator,
      limits,
      log,
      server: { name: "parley", version: VERSION },
      nextNumber: () => this.#nextNumber(),
      uuid: () => crypto.randomUUID(),
    };
    this.#listener = explained(hostname, port, () => this.#listen(hostname, port, certificate));
    this.#renewal = source && certificate && new Renewal(source, certificate, {
      renewed: (pair) => this.#renewed(pair),
      failed: (error) =>
        this.#log.error("cannot renew the certificate; the one from before stays", {
          error: loggable(error),
        }),
    });
    this.#timers = [
      setInterval(() => this.#sweep(), SWEEP_MS),
      setInterval(() => this.#renewal?.check(), RENEWAL_CHECK_MS),
    ];
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
    return `${this.#renewal === undefined ? "parley" : "parleys"}://${host}:${this.port}`;
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  async reload(): Promise<void> {
    await Promise.all([this.#authService?.refresh(), this.#renewal?.check()]);
  }

  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #listen(
    hostname: string,
    port: number,
    certificate: SourcedCertificate | undefined,
  ): Listener | TlsListener {
    const acceptFailed = (error: unknown, waitMs: number) => {
      this.#log.error("cannot accept connections; trying again", {
        waitMs,
        connections: this.#connections.size,
        // Not the error itself: its stack is made when it is read, and without descriptors Deno 2.9.6 dies of that.
        reason: error instanceof Error ? error.message : String(error),
      });
    };
    if (certificate === undefined) {
      return new Listener(hostname, port, { accepted: (accepted) => this.#accepted(accepted), acceptFailed });
    }
    const { connections, connectionsPerAddress, handshakeMs } = this.#limits;
    const handshakes = new ConnectionLimiter(connections, connectionsPerAddress);
    const identity = { cert: certificate.certificate, key: certificate.key };
    return new TlsListener(hostname, port, identity, handshakeMs, {
      arrived: (address) => handshakes.acquire(address) === undefined,
      accepted: (accepted) => {
        handshakes.release(accepted.address);
        this.#accepted(accepted);
      },
      refused: (address, reason) => {
        handshakes.release(address);
        this.#log.warn("TLS handshake failed", { remote: address, reason });
      },
      acceptFailed,
    }, this.#pool);
  }

  #accepted({ socket, address, port, agoMs }: Accepted): void {
    const full = this.#limiter.acquire(address);
    if (full !== undefined && this.#rejectedConnections >= MAX_REJECTED_CONNECTIONS) {
      socket.close();
      return;
    }
    let session!: Session;
    const connection = new Connection(socket, this.#pool, this.#limits, (transport) => {
      session = new Session(
        this.#context,
        transport,
        { address, port, agoMs },
        () => this.#sessions.delete(session),
      );
      return session;
    }, this.#scheduler);
    this.#sessions.add(session);
    if (full !== undefined) {
      this.#rejectedConnections++;
      session.reject(`${full}; try again later`);
    }
    this.#connections.add(connection);
    connection.closed.then(() => {
      this.#connections.delete(connection);
      if (full === undefined) this.#limiter.release(address);
      else this.#rejectedConnections--;
    });
    connection.start();
  }

  async #drain(): Promise<void> {
    this.#log.info("draining", { sessions: this.#sessions.size, withinMs: this.#limits.drainMs });
    this.#listener.close();
    for (const timer of this.#timers) clearInterval(timer);
    for (const session of this.#sessions) session.shutDown();
    await Promise.all([this.#listener.closed, ...[...this.#connections].map(({ closed }) => closed)]);
    await this.#authService?.close();
    this.#log.info("stopped");
  }

  /** Once a second: deadlines, and what other processes did to the tokens. */
  #sweep(): void {
    this.#authService?.refresh();
    for (const session of this.#sessions) session.tick();
    this.#context.router.sweep();
  }

  #renewed({ certificate, key }: SourcedCertificate): void {
    if (this.#listener instanceof TlsListener) this.#listener.renew({ cert: certificate, key });
    this.#log.info("certificate renewed; sessions go on");
  }

  #nextNumber(): number {
    if (this.#lastNumber === MAX_NUMBER) throw new Error("all 2,147,483,647 session numbers are used up");
    return ++this.#lastNumber;
  }
}

/** Explains what keeps us from listening. */
function explained<T>(hostname: string, port: number, listen: () => T): T {
  try {
    return listen();
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable || error instanceof ParleyError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    const hint = error instanceof Deno.errors.AddrInUse
      ? "another program listens there; stop it, or choose another port (0 takes a free one)"
      : "choose an address of this machine, and a port it lets you have";
    throw new ParleyError("bad_argument", `cannot listen on ${hostname}:${port}: ${reason}; ${hint}`, {
      cause: error,
    });
  }
}
