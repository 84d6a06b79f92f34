/**
 * A server under attack, and two control clients that connected before the attack. They pass messages to each other all
 * the while, and these must arrive as ever.
 *
 * An attack runs once, at the cheapest level that can show what it does:
 *
 * - `attack`: a server in this process, over TCP. What the broker does with the frames of a session is the same code in
 *   every build and over every transport.
 * - `processAttack`, and `stallAttack` in `stalls.ts`: a server in a process of its own, run from its source, over TCP.
 *   For what the attack costs in memory, descriptors or time.
 * - either of these with `transports: BOTH`: if the outcome depends on how bytes are read, buffered or written, or on how
 *   a connection begins or ends.
 * - `everyProgramAttack`: the server run from its source and the executable, over TCP and TLS. For what depends on the
 *   runtime: descriptors that it must free, sockets that it must close, signals, cryptography.
 *
 * @module
 */

import { assert } from "@std/assert";
import type { TokenRequest } from "../../lib/auth/tokens.ts";
import { AwakeClock } from "../harness/awake_clock.ts";
import { ControlPair } from "../harness/control_pair.ts";
import { MAY_INSPECT, MAY_USE_FILES } from "../harness/permissions.ts";
import { type Programs, SOURCE } from "../harness/program.ts";
import { RawClient } from "../harness/raw_client.ts";
import { ALL_PROGRAMS, type Host, type HostOptions, InProcessHost, ProcessHost } from "./host.ts";
import { BOTH, RelayedClient, TCP, type Transport } from "./transport.ts";

/** How often the control clients pass a message. */
const PASS_MS = 5;

/** The longest that a message of theirs may take. Far more than it does, because the test itself is busy, too. */
const MAX_PASS_MS = 3000;

/** How long descriptors may take to be freed once they should be, on a machine that is busy. */
const FREED_MS = 10_000;

/** A token for everything. */
const EVERYTHING: TokenRequest = {
  name: "Control",
  publish: [">"],
  subscribe: [">"],
  respond: [">"],
  direct: true,
  expiresInSeconds: 3600,
};

/** The server, its control clients, and the clients that attack it. */
export class Harness<H extends Host = Host> implements Disposable {
  readonly host: H;
  readonly transport: Transport;
  readonly control: ControlPair;
  /** Whether the attack ended the server, as it should. */
  isEnded = false;
  readonly #clients = new Set<Disposable>();

  private constructor(host: H, transport: Transport, control: ControlPair) {
    this.host = host;
    this.transport = transport;
    this.control = control;
  }

  static async start<H extends Host>(host: H, transport: Transport): Promise<Harness<H>> {
    const token = await host.tokens?.issue(EVERYTHING);
    const control = await ControlPair.open(async () => {
      const client = await transport.connect(host);
      await client.hello({ token: token?.token });
      return client;
    }, host.pid);
    return new Harness(host, transport, control);
  }

  /** Connects a client, with the TLS handshake if the server uses TLS. It sends nothing more. */
  async connect(): Promise<RawClient> {
    return this.#keep(await this.transport.connect(this.host));
  }

  /** Connects a client that speaks plain TCP, whatever the server uses. It sends nothing. */
  async connectTcp(): Promise<RawClient> {
    return this.#keep(await RawClient.connect(this.host));
  }

  /** Connects a client and completes the Parley handshake. */
  async greet(hello?: { name?: string; token?: string }): Promise<RawClient> {
    const client = await this.connect();
    await client.hello(hello);
    return client;
  }

  /** Connects a client whose connection can be cut anywhere. */
  async relayed(): Promise<RelayedClient> {
    return this.#keep(await RelayedClient.connect(this.transport, this.host));
  }

  /** Issues a token for everything but for `changes`. */
  async token(changes: Partial<TokenRequest> = {}): Promise<string> {
    return (await this.host.tokens!.issue({ ...EVERYTHING, name: "Mallory", ...changes })).token;
  }

  /** Does what ends the server: from now on the control clients are not served, and nothing is left to check. */
  async ends(action: () => Promise<void>): Promise<void> {
    this.isEnded = true;
    await action();
  }

  /** Closes what the attacking clients left open. */
  closeClients(): void {
    for (const client of this.#clients) client[Symbol.dispose]();
    this.#clients.clear();
  }

  /** Waits until `isSo`, looking after each message of the control clients; fails with `what()` otherwise. */
  async until(isSo: () => boolean, what: () => string, ms: number = FREED_MS): Promise<void> {
    using clock = new AwakeClock();
    while (!isSo()) {
      assert(clock.now() < ms, `after ${ms} ms: ${what()}`);
      await this.control.pass();
      await new Promise((resolve) => setTimeout(resolve, PASS_MS));
    }
  }

  /** Has the control clients pass messages until `attack` is over. */
  async duringAttack(attack: Promise<void>): Promise<void> {
    let isOver = false;
    const over = attack.finally(() => isOver = true);
    over.catch(() => {}); // reported below, unless the control clients fail first
    while (!isOver && !this.isEnded) {
      await this.control.pass().catch((error) => {
        if (!this.isEnded) throw error;
      });
      await new Promise((resolve) => setTimeout(resolve, PASS_MS));
    }
    await over;
    if (!this.isEnded) await this.control.pass();
  }

  [Symbol.dispose](): void {
    this.closeClients();
    this.control[Symbol.dispose]();
  }

  #keep<T extends Disposable>(client: T): T {
    this.#clients.add(client);
    return client;
  }
}

/** An attack on a server. */
type Attack<H extends Host> = (harness: Harness<H>, programs: Programs) => Promise<void>;

/** Runs `attack`, and then asserts that nothing of it is left and that the control clients were served. */
async function run<H extends Host>(harness: Harness<H>, attack: () => Promise<void>): Promise<void> {
  const { host, control } = harness;
  try {
    control.tookMs.length = 0;
    const before = host.descriptors() ?? 0;
    await harness.duringAttack(attack());
    if (harness.isEnded) return;
    harness.closeClients();
    await harness.until(
      () => (host.descriptors() ?? 0) <= before,
      () => `${host.descriptors()} descriptors are open, not ${before} as before`,
    );
    const slowest = Math.round(Math.max(...control.tookMs));
    assert(slowest < MAX_PASS_MS, `a message of the control clients took ${slowest} ms`);
  } finally {
    harness.closeClients();
  }
}

/** Does `one` for each of `targets` at the same time; fails with what failed, after all have ended. */
async function sideBySide<T>(
  targets: readonly T[],
  nameOf: (target: T) => string,
  one: (target: T) => Promise<void>,
): Promise<void> {
  const results = await Promise.allSettled(targets.map(one));
  const failed = results.flatMap((result, i) => {
    if (result.status === "fulfilled") return [];
    const { reason } = result;
    return [`${nameOf(targets[i])}: ${reason instanceof Error ? reason.stack : reason}`];
  });
  if (failed.length > 0) throw new Error(failed.join("\n"));
}

/** Registers an attack on a server in this process, over each of `options.transports` at the same time. */
export function attack(name: string, options: HostOptions, attack: Attack<InProcessHost>): void {
  const { transports = [TCP], auth = false } = options;
  const possible = transports.filter(({ isTls }) => MAY_USE_FILES || !isTls && !auth);
  Deno.test({
    name,
    ignore: possible.length === 0,
    fn: () =>
      sideBySide(possible, ({ name }) => name, async (transport) => {
        await using host = await InProcessHost.start(transport, options);
        using harness = await Harness.start(host, transport);
        await run(harness, async () => {
          await attack(harness, SOURCE);
          harness.closeClients();
          await harness.until(
            () => host.server.sessions === 2,
            () => `${host.server.sessions} sessions are left`,
          );
        });
      }),
  });
}

/** Registers an attack on a server in a process of its own, run from its source, over each of `options.transports`. */
export function processAttack(name: string, options: HostOptions, attack: Attack<ProcessHost>): void {
  for (const transport of options.transports ?? [TCP]) {
    Deno.test({
      name: `${transport.name}: ${name}`,
      ignore: !MAY_INSPECT,
      fn: async () => {
        await using host = await ProcessHost.start(SOURCE, transport, options);
        using harness = await Harness.start(host, transport);
        await run(harness, () => attack(harness, SOURCE));
      },
    });
  }
}

/**
 * Registers attacks on each program, over TCP and TLS unless `options` names the transports. The programs are started
 * once and attacked at the same time, because most of the time is spent waiting; one attack comes after the other.
 */
export function everyProgramAttack(
  name: string,
  options: HostOptions,
  attacks: Attack<ProcessHost> | Readonly<Record<string, Attack<ProcessHost>>>,
): void {
  Deno.test({
    name,
    ignore: !MAY_INSPECT,
    fn: async (t) => {
      await using hosts = new AsyncDisposableStack();
      const harnesses: { harness: Harness<ProcessHost>; programs: Programs }[] = [];
      for (const transport of options.transports ?? BOTH) {
        for (const programs of ALL_PROGRAMS) {
          const host = hosts.use(await ProcessHost.start(programs, transport, options));
          harnesses.push({ harness: hosts.use(await Harness.start(host, transport)), programs });
        }
      }
      const runAll = (attack: Attack<ProcessHost>) =>
        sideBySide(
          harnesses,
          ({ harness: { transport }, programs }) => `${programs.name}, ${transport.name}`,
          ({ harness, programs }) => run(harness, () => attack(harness, programs)),
        );
      if (typeof attacks === "function") return await runAll(attacks);
      for (const [name, attack] of Object.entries(attacks)) await t.step(name, () => runAll(attack));
    },
  });
}

/** Waits until no more than `before` descriptors are open, although the attacking clients hold on to their ends. */
export async function freed(harness: Harness<ProcessHost>, before: number): Promise<void> {
  const { host } = harness;
  await harness.until(
    () => host.descriptors() <= before,
    () => `${host.descriptors()} descriptors are open, not ${before} as before, and the clients hold on`,
  );
}
