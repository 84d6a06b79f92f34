/**
 * The broker and its connections without a network: real routers, sessions, outboxes and connections over simulated
 * sockets and a virtual clock, one turn of the event loop at a time.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { SessionContext } from "../../../lib/broker/context.ts";
import { Echo } from "../../../lib/broker/echo.ts";
import { Router } from "../../../lib/broker/router.ts";
import { Session } from "../../../lib/broker/session.ts";
import { WorkBudget } from "../../../lib/broker/work_budget.ts";
import { DEFAULT_LIMITS, type Limits, SWEEP_MS } from "../../../lib/limits.ts";
import type { Log } from "../../../lib/logging/log.ts";
import { Connection } from "../../../lib/net/connection.ts";
import { ConnectionLimiter } from "../../../lib/net/connection_limiter.ts";
import { CountingPool } from "../../net/fake_socket.ts";
import type { Random } from "../../harness/seeded.ts";
import { Instrumentation } from "./instrumentation.ts";
import { Expectations, type Finding } from "./invariants.ts";
import { type Reading, SimulatedClient } from "./simulated_client.ts";
import { SimulatedSocket } from "./simulated_socket.ts";
import { VirtualClock } from "./virtual_clock.ts";
import { newServerChannels } from "../../broker/test_broker.ts";

/** Small, so that a short schedule reaches each of them. */
export const MODEL_LIMITS: Limits = {
  ...DEFAULT_LIMITS,
  payloadBytes: 4 * 1024,
  pendingBytes: 16 * 1024,
  channels: 256,
  requests: 4_096,
  connections: 16,
  connectionsPerAddress: 16,
  handshakeMs: 500,
  slowConsumerTimeoutMs: 500,
  requestMs: 2_000,
  drainMs: 500,
};

/** The work budget of the model, so small that short schedules spend it. */
const MODEL_WORK_PER_TURN = 2_000;

const ADDRESS = "192.0.2.1";
/** Longer than every deadline of a session: when it is over, each request has ended and each slow consumer is closed. */
const SETTLE_MS = 2 * MODEL_LIMITS.requestMs + 5_000;
/** Turns in which sockets make progress while a millisecond passes; a machine has more. */
const TURNS_PER_MS = 5;
/** Turns without progress after which nothing is left to do: what the server defers comes in the next turn. */
const IDLE_TURNS = 3;
/** Turns after which a model that still makes progress counts as one that never stops. */
const MAX_SETTLE_TURNS = 20_000;

/** Limits, clients and time of one simulated server. Only one may exist at a time. */
export class Model implements Disposable {
  readonly clients: SimulatedClient[] = [];
  readonly expectations = new Expectations(MODEL_LIMITS);
  readonly #random: Random;
  readonly #clock = new VirtualClock();
  readonly #instrumentation = new Instrumentation();
  readonly #pool = new CountingPool();
  readonly #limiter = new ConnectionLimiter(MODEL_LIMITS.connections, MODEL_LIMITS.connectionsPerAddress);
  readonly #budget = new WorkBudget(
    (error) => this.expectations.violated(String(error)),
    MODEL_WORK_PER_TURN,
  );
  readonly #router = new Router(MODEL_LIMITS, () => this.#clock.now, this.#budget);
  readonly #context: SessionContext;
  readonly #sessions = new Set<Session>();
  readonly #connections = new Set<Connection>();
  #nextSweep = SWEEP_MS;
  readonly #onUncaught = (event: ErrorEvent | PromiseRejectionEvent) => {
    event.preventDefault();
    this.expectations.violated(String("reason" in event ? event.reason : event.error));
  };

  constructor(random: Random) {
    this.#random = random;
    globalThis.addEventListener("error", this.#onUncaught);
    globalThis.addEventListener("unhandledrejection", this.#onUncaught);
    this.#context = {
      router: this.#router,
      serverChannels: newServerChannels(this.#router, this.#budget, MODEL_LIMITS),
      echo: new Echo(),
      budget: this.#budget,
      now: () => this.#clock.now,
      time: () => new Date(this.#clock.now).toISOString(),
      authenticator: undefined,
      limits: MODEL_LIMITS,
      log: this.#log(),
      server: { name: "parley", version: "model" },
      uuid: () => "00000000-0000-4000-8000-000000000000",
    };
  }

  [Symbol.dispose](): void {
    globalThis.removeEventListener("error", this.#onUncaught);
    globalThis.removeEventListener("unhandledrejection", this.#onUncaught);
    this.#instrumentation[Symbol.dispose]();
    this.#clock[Symbol.dispose]();
  }

  /** Connects a client, as `lib/server/serve.ts` accepts one; `undefined` at the limit of connections. */
  connect(reading: Reading, maxRead: number): SimulatedClient | undefined {
    if (this.#limiter.acquire(ADDRESS) !== undefined) return undefined;
    const socket = new SimulatedSocket(maxRead);
    let session!: Session;
    const connection = new Connection(socket, this.#pool, MODEL_LIMITS, (transport) => {
      const remote = { address: ADDRESS, port: 1 };
      session = new Session(this.#context, transport, remote, () => this.#sessions.delete(session));
      return session;
    });
    this.#sessions.add(session);
    this.#connections.add(connection);
    connection.closed.then(() => {
      this.#connections.delete(connection);
      this.#limiter.release(ADDRESS);
    });
    const client = new SimulatedClient(this.clients.length, socket, reading, this.expectations);
    this.clients.push(client);
    this.expectations.deliveries.add(client);
    connection.start();
    return client;
  }

  /** One turn of the event loop: operations complete on some sockets, in random order. Whether any made progress. */
  async turn(): Promise<boolean> {
    const { clients } = this;
    const offset = this.#random.int(clients.length);
    let hasProgress = false;
    await this.#measure(() => {
      for (let i = 0; i < clients.length; i++) {
        if (clients[(i + offset) % clients.length].socket.progress()) hasProgress = true;
      }
    });
    for (const client of clients) client.receive();
    return hasProgress;
  }

  /** Lets `ms` milliseconds pass, in which sockets make progress. Each timer that is due is a turn of its own. */
  async advance(ms: number): Promise<void> {
    const end = this.#clock.now + ms;
    while (this.#clock.now < end) {
      const next = Math.min(end, this.#nextSweep, this.#clock.nextAt);
      // Deadlines are for clients that do not read, not for sockets that had no turn to move what was written.
      await this.#quiesce((next - this.#clock.now) * TURNS_PER_MS);
      const callback = this.#clock.next(next);
      if (callback !== undefined) {
        await this.#measure(callback);
      } else if (next === this.#nextSweep) {
        this.#nextSweep += SWEEP_MS;
        await this.#measure(() => {
          for (const session of this.#sessions) session.tick();
          this.#router.sweep();
        });
      }
      await this.turn();
    }
  }

  /**
   * Ends the schedule and returns all findings. Either every client reads, every deadline passes and every session ends
   * in order; or the clients disconnect one after the other, in the middle of what they were doing.
   */
  async finish({ isAbrupt = false }: { isAbrupt?: boolean } = {}): Promise<readonly Finding[]> {
    const { clients, expectations } = this;
    if (isAbrupt) {
      for (const { socket } of clients) {
        socket.reset();
        await this.turn();
      }
    } else {
      for (const { socket } of clients) socket.isRead = true;
      for (let passed = 0; passed < SETTLE_MS; passed += 500) await this.advance(500);
      await this.#mustQuiesce();
      expectations.settled(clients);
      for (const client of clients) {
        if (client.isReady && this.#random.int(2) === 0) client.bye();
        client.socket.end();
        await this.turn();
      }
    }
    await this.advance(10 * MODEL_LIMITS.drainMs + MODEL_LIMITS.handshakeMs);
    await this.#mustQuiesce();
    expectations.ended({
      "connections": this.#connections.size,
      "sessions": this.#sessions.size,
      "places of the connection limit": this.#limiter.open,
      "buffers": this.#pool.lent.size,
    });
    return expectations.findings;
  }

  /** Runs turns until nothing makes progress, or `turns` are over. Whether it came to rest. */
  async #quiesce(turns: number): Promise<boolean> {
    let idle = 0;
    for (let left = turns; left > 0; left--) {
      idle = await this.turn() ? 0 : idle + 1;
      if (idle === IDLE_TURNS) return true;
    }
    return false;
  }

  async #mustQuiesce(): Promise<void> {
    if (!await this.#quiesce(MAX_SETTLE_TURNS)) this.expectations.violated("the server never comes to rest");
  }

  /** Runs `events` and everything that follows from them in this turn, and checks its invariants. */
  async #measure(events: () => void): Promise<void> {
    const instrumentation = this.#instrumentation;
    const sessions = this.#sessions.size;
    // Microtasks run before this is over. What the events defer runs after it, because it is registered later.
    const turnOver = new Promise<void>((resolve) => setImmediate(resolve));
    instrumentation.start();
    try {
      events();
    } catch (error) {
      this.expectations.violated(String(error));
    }
    await turnOver;
    instrumentation.stop();
    this.expectations.turn({
      work: instrumentation.work,
      mostWork: instrumentation.mostWork,
      frames: instrumentation.frames,
      receiveDepth: instrumentation.maxReceiveDepth,
      pending: Array.from(this.#connections, ({ outbox }) => outbox.pending),
      sessions,
    });
  }

  /** A log that reports errors and drops the rest. */
  #log(): Log {
    const ignore = () => {};
    const log: Log = {
      with: () => log,
      debug: ignore,
      info: ignore,
      warn: ignore,
      error: (message, properties) => {
        const { error } = properties ?? {};
        this.expectations.violated(`${message}: ${error instanceof Error ? error.stack : error}`);
      },
    };
    return log;
  }
}
