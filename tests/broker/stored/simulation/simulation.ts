/**
 * Servers with stored channels, one after the other on one disk, and their clients, without I/O and on a virtual clock.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { policyOf, type StoragePolicy } from "../../../../lib/broker/stored/policy.ts";
import type { Random } from "../../../harness/seeded.ts";
import { VirtualClock } from "../../../fuzz/model/virtual_clock.ts";
import { dealWithAll } from "./consuming.ts";
import { DirectCalls } from "./direct_calls.ts";
import { Disk, type FaultyLog } from "./faulty_log.ts";
import { Records } from "./records.ts";
import { SimulatedClient } from "./simulated_client.ts";
import { SimulatedServer } from "./simulated_server.ts";

const SWEEP_MS = 1000;
/** Turns without progress after which nothing is left to do. */
const IDLE_TURNS = 3;
/** The same for consumers: each lets a second pass, and a message may be due again only after 30. */
const CONSUMER_IDLE_TURNS = 34;
/** Turns after which a simulation that still makes progress counts as one that never stops. */
const MAX_SETTLE_TURNS = 5_000;

const KEEP_ALL = { maxAgeMs: Infinity, maxBytes: Infinity, maxMessages: Infinity, full: "drop-old" } as const;
const POLICIES: readonly StoragePolicy[] = [
  { ...KEEP_ALL, pattern: "d.*", storage: "durable" },
  { ...KEEP_ALL, pattern: "trim.*", storage: "durable", maxBytes: 3_000, maxMessages: 60 },
  { ...KEEP_ALL, pattern: "last.*", storage: "durable", maxMessages: 1 },
  { ...KEEP_ALL, pattern: "full.*", storage: "durable", maxMessages: 40, full: "refuse" },
  { ...KEEP_ALL, pattern: "old.*", storage: "durable", maxAgeMs: 2_000 },
  { ...KEEP_ALL, pattern: "h.*", storage: "history", maxMessages: 50 },
];

/** See the module's comment. Only one may exist at a time. */
export class Simulation implements Disposable {
  readonly records = new Records();
  readonly disk: Disk;
  clients: SimulatedClient[] = [];
  server: SimulatedServer;
  calls: DirectCalls;
  readonly #random: Random;
  readonly #clock = new VirtualClock();
  readonly #storeBytes: number;
  /** How often a read and a commit of history are settled in a turn, of eight times; and a commit on disk. */
  readonly #readiness: number;
  readonly #commitReadiness: number;
  readonly #failures: number;
  #nextSweep = SWEEP_MS;
  #life = 0;
  readonly #onUncaught = (event: ErrorEvent | PromiseRejectionEvent) => {
    event.preventDefault();
    const error = "reason" in event ? event.reason : event.error;
    this.records.violated(error instanceof Error ? error.stack ?? error.message : String(error));
  };

  constructor(random: Random) {
    globalThis.addEventListener("error", this.#onUncaught);
    globalThis.addEventListener("unhandledrejection", this.#onUncaught);
    this.#random = random;
    this.disk = new Disk(random, "disk", this.records, maxMessagesOf);
    this.#storeBytes = random.int(4) === 0 ? 10_000 : Infinity;
    this.#readiness = random.pick([1, 4, 8]);
    this.#commitReadiness = random.pick([0, 1, 4, 8]);
    this.#failures = random.pick([0, 0, 1, 3]);
    this.server = this.#newServer();
    this.calls = new DirectCalls(this.server, this.records);
  }

  [Symbol.dispose](): void {
    this.#clock[Symbol.dispose]();
    globalThis.removeEventListener("error", this.#onUncaught);
    globalThis.removeEventListener("unhandledrejection", this.#onUncaught);
  }

  /** What broke a rule so far. */
  get problems(): readonly string[] {
    return this.records.problems;
  }

  /** Milliseconds since it began. */
  get now(): number {
    return this.#clock.now;
  }

  /** Connects a client that lets `room` bytes wait. */
  connect(room: number): SimulatedClient {
    const client = new SimulatedClient(this.server, this.records, room);
    this.clients.push(client);
    return client;
  }

  /** The server is killed, and started again. */
  crash(isStored: boolean): void {
    this.server.crash(isStored);
    for (const client of this.clients) client.serverCrashed();
    this.#restart();
  }

  /** The server stops in order, and is started again. */
  async stop(): Promise<void> {
    let turns = 0;
    await this.server.stop(async () => {
      for (const log of this.server.logs) this.#settleLog(log);
      this.#clock.next(this.#clock.now + 1)?.(); // a commit may wait for publishers
      await turnOfLoop();
      if (++turns < MAX_SETTLE_TURNS) return true;
      this.records.violated("the server never stops");
      return false;
    });
    this.#restart();
  }

  #restart(): void {
    this.clients = [];
    this.server = this.#newServer();
    this.calls = new DirectCalls(this.server, this.records);
  }

  /** One turn of the event loop, in which some of what the logs do is done. */
  async turn(): Promise<void> {
    const random = this.#random;
    for (const log of this.server.logs) {
      const readiness = log === this.server.durable ? this.#commitReadiness : this.#readiness;
      if (log.isCommitting && random.int(8) < readiness) log.settleCommit(this.#how());
      if (log.isReading && random.int(8) < this.#readiness) log.settleRead(this.#how(), random.int(4) === 0);
    }
    await turnOfLoop();
    this.clients = this.clients.filter(({ isConnected }) => isConnected);
  }

  /** Lets `ms` milliseconds pass. */
  async advance(ms: number): Promise<void> {
    const end = this.#clock.now + ms;
    while (this.#clock.now < end) {
      const next = Math.min(end, this.#nextSweep, this.#clock.nextAt);
      const callback = this.#clock.next(next);
      if (callback !== undefined) callback();
      else if (next === this.#nextSweep) {
        this.#nextSweep += SWEEP_MS;
        this.server.tick();
      }
      await this.turn();
    }
  }

  /** Clients that connected read that they are welcome. */
  readWelcomes(): void {
    for (const client of this.clients) if (!client.isReady) client.read(1);
  }

  /** Every client reads all that it was sent. Returns whether there was anything. */
  readAll(): boolean {
    let isAny = false;
    for (const client of this.clients) if (client.read(Infinity)) isAny = true;
    return isAny;
  }

  /**
   * Everything that is under way comes to its end, without failures. Then each answer must have come, and each reader must
   * have had what it is owed; and after one more start everything must be as it was.
   */
  async finish(): Promise<void> {
    if (this.problems.length > 0) return;
    await this.#settle();
    await this.#finishConsumers();
    for (const client of this.clients.filter(({ isConnected }) => isConnected)) {
      if (client.unanswered > 0) {
        this.records.violated(`${client.unanswered} frames of session ${client.number} have no answer`);
      }
    }
    if (this.calls.unanswered > 0) this.records.violated(`${this.calls.unanswered} calls have no answer`);
    this.#complete();
    this.#checkRetention();
    if (this.problems.length > 0) return;
    this.crash(false);
    for (const channel of this.server.nexts().keys()) {
      const client = this.connect(3_000);
      client.afterWelcome(() => client.open(channel, { subscribe: true, from: "all" }));
    }
    await this.#settle();
    this.#complete();
  }

  /** Every consumer has a session that deals with all that is left for it. */
  async #finishConsumers(): Promise<void> {
    const { consumers } = this.records;
    if (consumers.length === 0 || this.problems.length > 0) return;
    for (const { channel, name } of consumers) {
      const client = this.connect(3_000);
      client.afterWelcome(() => client.open(channel, { subscribe: true, consumer: name, ackSeconds: 1 }));
    }
    await this.#settle(CONSUMER_IDLE_TURNS);
    const nexts = this.server.nexts();
    for (const { channel, name, reader } of consumers) {
      reader.to = nexts.get(channel) ?? 1;
      const kept = this.disk.consumers.find((kept) =>
        kept.channel === channel && kept.state.consumer === `/${name}`
      );
      for (const { sequence } of kept?.state.setAside ?? []) reader.settled.add(sequence, sequence + 1);
      const position = kept?.state.position ?? 0;
      const { dropped } = this.records.historyOf(channel, this.server.epochOf(channel));
      if (dropped.missing(position + 1, reader.to).length === 0) continue;
      const what = `the position of consumer ${name} of ${channel} is ${position}`;
      this.records.violated(`${what}, though everything up to ${reader.to - 1} is dealt with`);
    }
  }

  /** Everything that was to be dropped is; after a crash it may be so with the next message only. */
  #checkRetention(): void {
    if (this.#life > 1) return;
    for (const { state: { name }, first, last, bytes, rows } of this.disk.channels.values()) {
      const { maxMessages, maxBytes } = policyOf(POLICIES, name)!;
      const count = last - first + 1;
      if (count > maxMessages) this.records.violated(`${count} messages of ${name} are stored`);
      if (bytes > maxBytes && rows.length > 1) this.records.violated(`${bytes} bytes of ${name} are stored`);
    }
  }

  #complete(): void {
    const nexts = this.server.nexts();
    for (const client of this.clients) {
      for (const publication of client.publications.values()) publication.confirm();
      for (const subscribed of client.subscribed.values()) subscribed.complete(nexts);
    }
  }

  /** Runs turns in which all succeeds and everyone reads, until nothing is left to do. */
  async #settle(idleTurns: number = IDLE_TURNS): Promise<void> {
    let idle = 0;
    for (let turns = 0; idle < idleTurns && this.problems.length === 0; turns++) {
      if (turns === MAX_SETTLE_TURNS) return this.records.violated("the server never comes to rest");
      let hasProgress = false;
      for (const log of this.server.logs) {
        hasProgress ||= log.isCommitting || log.isReading;
        this.#settleLog(log);
      }
      await turnOfLoop();
      if (this.readAll()) hasProgress = true;
      this.clients.forEach(dealWithAll);
      idle = hasProgress ? 0 : idle + 1;
      // Some wait for the time to pass: what failed is tried again once a second.
      if (idle > 0) await this.#passSecond();
    }
  }

  /** Everything that the log has begun succeeds. */
  #settleLog(log: FaultyLog): void {
    log.settleCommit("succeed");
    while (log.isReading) log.settleRead("succeed", false);
  }

  async #passSecond(): Promise<void> {
    const end = this.#nextSweep;
    for (let callback; (callback = this.#clock.next(end)) !== undefined;) callback();
    this.#nextSweep += SWEEP_MS;
    this.server.tick();
    await turnOfLoop();
  }

  #how(): "succeed" | "fail" {
    return this.#random.int(16) < this.#failures ? "fail" : "succeed";
  }

  #newServer(): SimulatedServer {
    return new SimulatedServer({
      random: this.#random,
      records: this.records,
      disk: this.disk,
      policies: POLICIES,
      maxMessagesOf,
      storeBytes: this.#storeBytes,
      life: ++this.#life,
      now: () => this.#clock.now,
    });
  }
}

function maxMessagesOf(channel: string): number {
  return policyOf(POLICIES, channel)!.maxMessages;
}

function turnOfLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
