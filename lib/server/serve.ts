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
import type { AuthService } from "../auth/service.ts";
import { inspect, type InspectedCertificate } from "../certificates/inspection.ts";
import { type CertificateDetails, Renewal } from "../certificates/renewal.ts";
import type { SessionContext } from "../broker/context.ts";
import { Echo } from "../broker/echo.ts";
import { Router } from "../broker/router.ts";
import { ServerChannels } from "../broker/server_channels.ts";
import type { StoredChannels } from "../broker/stored/stored_channels.ts";
import { WorkBudget } from "../broker/work_budget.ts";
import { DEADLINE_CONFIRM_MS, type Limits, RENEWAL_CHECK_MS, SWEEP_MS, WORK_PER_TURN } from "../limits.ts";
import { failure, type Log, loggable } from "../logging/log.ts";
import type { ServeOptions, Server } from "./api.ts";
import { openAuthService } from "./auth.ts";
import { Connections } from "./connections.ts";
import { Entrance } from "./entrance.ts";
import { Monitoring, type ServerState } from "./monitoring.ts";
import { shownOptions } from "./shown_options.ts";
import { closingIfItFails, type OpenedStore, openStored, settledWithin } from "./stored.ts";
import { type OpenedWeb, openWeb } from "./web.ts";
import { checkOptions, DEFAULT_HOSTNAME, insecurityOf, randomSessionId } from "./options.ts";
import { SocketPoll } from "../net/poll.ts";
import { ReadScheduler } from "../net/read_scheduler.ts";
import { VERSION } from "../version.ts";
import type { WebHost } from "../web/web_server.ts";

/**
 * Starts a server in this program.
 *
 * @throws {ParleyError} `bad_argument` if an option is not known or out of range, if other machines could connect without
 * tokens and TLS and `insecure` is not set, or if keys, tokens or certificate cannot be read; `cannot_listen` on the
 * address
 *
 * @example A server and a client in one program
 * ```ts
 * import { connect, serve } from "@parley/parley";
 *
 * await using server = await serve({ port: 0 });
 * await using client = await connect({ url: server.url, name: "Ada" });
 * console.log(client.greeting);
 * ```
 */
export async function serve(options: ServeOptions = {}): Promise<Server> {
  const limits = checkOptions(options);
  const log = options.log ?? getLogger(["parley"]);
  const authService = options.auth ? await openAuthService(options, limits, log) : undefined;
  const source = certificateSource(options);
  const certificate = source && await inspect(await source.read());
  const openedWeb = await openWeb(options, limits, log, certificate);
  let server: Server;
  try {
    const opened = await openStored(options, limits, log);
    const config = options.config ?? (() => shownOptions(options, limits));
    const parts = { ...options, config, log, limits, authService, source, certificate, opened, openedWeb };
    server = await closingIfItFails(opened, () => new Assembly(parts));
  } catch (error) {
    await openedWeb?.close();
    throw error;
  }
  const insecurity = insecurityOf(options);
  if (insecurity !== undefined) log.warn(insecurity);
  return server;
}

function certificateSource(options: ServeOptions): CertificateSource | undefined {
  const { hostname = DEFAULT_HOSTNAME, tls = false, certs = "certs" } = options;
  if (tls === false) return undefined;
  if (tls !== true) return givenCertificate(tls.certificateFile, tls.keyFile);
  const hosts = options.hosts ?? [...new Set([hostname, "localhost", "127.0.0.1", "::1"])];
  return ownCertificates(new FolderStorage(certs), hosts, Date.now);
}

/** What {@linkcode serve} has made ready. */
interface Parts extends ServeOptions {
  readonly config: NonNullable<ServeOptions["config"]>;
  readonly log: Log;
  readonly limits: Limits;
  readonly authService: AuthService | undefined;
  readonly source: CertificateSource | undefined;
  readonly certificate: InspectedCertificate | undefined;
  readonly opened: OpenedStore | undefined;
  readonly openedWeb: OpenedWeb | undefined;
}

/** The parts of a server and what they say to each other. */
class Assembly implements Server {
  readonly #log: Log;
  readonly #limits: Readonly<Limits>;
  readonly #poll = new SocketPoll();
  readonly #scheduler = new ReadScheduler(undefined, this.#poll.after);
  readonly #context: SessionContext;
  readonly #entrance: Entrance;
  readonly #web: OpenedWeb | undefined;
  readonly authority: string | undefined;
  readonly #authService: AuthService | undefined;
  readonly #renewal: Renewal | undefined;
  readonly #timers: readonly ReturnType<typeof setInterval>[];
  #lateSweep: ReturnType<typeof setTimeout> | undefined;
  #tickedAt = performance.now();
  readonly #connections: Connections;
  readonly #monitoring: Monitoring;
  readonly #stored: StoredChannels | undefined;
  readonly #control: { close(): Promise<void> } | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    {
      hostname = DEFAULT_HOSTNAME,
      port = 0,
      opened,
      firstSessionId = opened?.durable?.log.state.firstSession ?? randomSessionId(),
      log,
      limits,
      authService,
      source,
      certificate,
      openedWeb,
      config,
    }: Parts,
  ) {
    this.#log = log;
    this.#limits = limits;
    this.#authService = authService;
    this.authority = certificate?.authority;
    const now = () => performance.now();
    const budget = new WorkBudget(
      (error) => this.#log.error("internal error", { error: loggable(error) }),
      WORK_PER_TURN,
      (turn) => this.#scheduler.afterPoll(turn),
    );
    const stored = opened?.makeChannels(budget, now);
    this.#stored = stored;
    const router = new Router(limits, now, budget, firstSessionId, stored);
    const uuid = () => crypto.randomUUID();
    this.#monitoring = new Monitoring({
      log,
      uuid,
      now,
      limits,
      router,
      stored,
      config,
      state: () => this.#state,
    });
    const { channels } = router;
    this.#context = {
      router,
      newStoredSession: stored &&
        ((peer, subject, resume) => opened!.newSession(peer, stored, subject, resume)),
      echo: new Echo(),
      serverChannels: new ServerChannels({ channels, budget, limits, answers: this.#monitoring }),
      budget,
      now,
      time: () => new Date().toISOString(),
      authenticator: authService?.authenticator,
      limits,
      log,
      server: { name: "parley", version: VERSION },
      uuid,
    };
    this.#connections = new Connections(this.#context, this.#scheduler);
    const { pool } = this.#connections;
    const accept: WebHost["accept"] = (connection) => this.#connections.accept(connection);
    this.#entrance = new Entrance({ hostname, port, certificate, limits, log, pool, accepted: accept });
    this.#control = this.#stored && opened?.control?.(this.#stored);
    this.#renewal = source && certificate && new Renewal(source, certificate, {
      renewed: (pair, details) => this.#renewed(pair, details),
      failed: (error) =>
        this.#log.error("cannot renew the certificate; the one from before stays", failure(error)),
      warned: (message, details) => this.#log.warn(message, details),
    }, Date.now);
    this.#timers = [
      setInterval(() => this.#tick(), SWEEP_MS),
      setInterval(() => this.#renewal?.check(), RENEWAL_CHECK_MS),
    ];
    const { addresses } = this.#entrance;
    this.#log.info("listening", {
      hostname: this.hostname,
      port: this.port,
      url: this.url,
      addresses: addresses.length > 1 ? addresses : undefined,
    });
    // Of a certificate made here there is nothing to say that is not as expected.
    if (this.#renewal && this.authority === undefined) this.#log.info("certificate", this.#renewal.details);
    this.#renewal?.warn();
    this.#web = openedWeb;
    openedWeb?.serve({
      accept,
      scheduler: this.#scheduler,
      storeProblem: () => this.#monitoring.storeProblem,
      certificateExpires: () => this.#renewal?.validUntil,
      stored: stored && opened?.makeAccess?.(router, stored),
    });
  }

  get hostname(): string {
    return this.#entrance.address.hostname;
  }

  get port(): number {
    return this.#entrance.address.port;
  }

  get url(): string {
    return `${this.#renewal === undefined ? "parley" : "parleys"}://${this.#entrance.target}`;
  }

  get webUrl(): string | undefined {
    return this.#web?.url;
  }

  get sessions(): number {
    return this.#connections.sessions.size;
  }

  async reload(): Promise<void> {
    await Promise.all([this.#authService?.reload(), this.#renewal?.check({ repeat: true })]);
  }

  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #state(): ServerState {
    const { sessions, size, pool } = this.#connections;
    return {
      sessions,
      connections: size,
      pendingBytes: pool.lentBytes,
      isDraining: this.#closing !== undefined,
      failedTlsHandshakes: this.#entrance.failedHandshakes + (this.#web?.failedHandshakes ?? 0),
    };
  }

  async #drain(): Promise<void> {
    this.#log.info("draining", { sessions: this.sessions, withinMs: this.#limits.drainMs });
    this.#web?.drain();
    this.#entrance.close();
    for (const timer of this.#timers) clearInterval(timer);
    clearTimeout(this.#lateSweep);
    this.#monitoring.close();
    await this.#storeWhatCame();
    for (const session of this.#connections.sessions) session.shutDown();
    await Promise.all([
      this.#entrance.closed,
      this.#connections.closed.then(() => this.#web?.close()),
      this.#authService?.close(this.#limits.drainMs),
    ]);
    await this.#poll.close();
    await this.#control?.close();
    await this.#stored?.close();
    this.#log.info("stopped");
  }

  /** Takes nothing more, and waits for at most the drain time until what was taken is stored, so that receipts go out. */
  async #storeWhatCame(): Promise<void> {
    if (this.#stored === undefined) return;
    for (const session of this.#connections.sessions) session.stopReceiving();
    await settledWithin(this.#stored, this.#limits.drainMs);
  }

  /** Calls `#sweep` once a second; after a time in which this process was stopped, once what came meanwhile is read. */
  #tick(): void {
    const late = performance.now() - this.#tickedAt > 2 * SWEEP_MS;
    this.#tickedAt = performance.now();
    if (late) this.#lateSweep = setTimeout(() => this.#sweep(), DEADLINE_CONFIRM_MS);
    else this.#sweep();
  }

  /** Deadlines, and what other processes did to the tokens. */
  #sweep(): void {
    this.#authService?.refresh();
    this.#context.router.settle();
    this.#connections.tick();
    this.#context.router.sweep();
    this.#monitoring.tick();
    this.#context.serverChannels.tick();
    this.#entrance.sweep();
    this.#web?.sweep();
  }

  #renewed(certificate: SourcedCertificate, details: CertificateDetails): void {
    this.#entrance.renew(certificate);
    this.#web?.renew(certificate);
    this.#log.info("certificate renewed; sessions go on", details);
  }
}
