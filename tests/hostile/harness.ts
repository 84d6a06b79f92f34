/**
 * A server under attack, and two control clients that connected before the attack. They pass messages to each other all
 * the while, and these must arrive as ever.
 *
 * @module
 */

import { assert } from "@std/assert";
import type { TokenRequest } from "../../lib/auth/tokens.ts";
import { ControlPair } from "../harness/control_pair.ts";
import { MAY_INSPECT, MAY_USE_FILES } from "../harness/permissions.ts";
import { type Programs, SOURCE } from "../harness/program.ts";
import { RawClient } from "../harness/raw_client.ts";
import { ALL_PROGRAMS, type Host, type HostOptions, InProcessHost, ProcessHost } from "./host.ts";
import { RelayedClient, TCP, TLS, type Transport } from "./transport.ts";

/** How often the control clients pass a message. */
const PASS_MS = 5;

/** The longest that a message of theirs may take, on a machine that is busy. */
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

/** One attack: the server, its control clients, and the clients that attack it. */
export class Harness<H extends Host = Host> {
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
    });
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
    const deadline = performance.now() + ms;
    while (!isSo()) {
      assert(performance.now() < deadline, `after ${ms} ms: ${what()}`);
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

  #keep<T extends Disposable>(client: T): T {
    this.#clients.add(client);
    return client;
  }
}

/** An attack on a server. */
type Attack<H extends Host> = (harness: Harness<H>) => Promise<void>;

/** Runs `attack`, and then asserts that nothing of it is left and that the control clients were served. */
async function run<H extends Host>(host: H, transport: Transport, attack: Attack<H>): Promise<void> {
  const harness = await Harness.start(host, transport);
  try {
    const before = host.descriptors() ?? 0;
    await harness.duringAttack(attack(harness));
    if (harness.isEnded) return;
    harness.closeClients();
    await harness.until(
      () => (host.descriptors() ?? 0) <= before,
      () => `${host.descriptors()} descriptors are open, not ${before} as before`,
    );
    const slowest = Math.round(Math.max(...harness.control.tookMs));
    assert(slowest < MAX_PASS_MS, `a message of the control clients took ${slowest} ms`);
  } finally {
    harness.closeClients();
    harness.control[Symbol.dispose]();
  }
}

/**
 * Registers an attack on a server in this process, over TCP and over TLS. It shows all but what the attack costs in
 * memory and descriptors.
 */
export function attack(name: string, options: HostOptions, attack: Attack<Host>): void {
  for (const transport of options.transports ?? [TCP, TLS]) {
    Deno.test({
      name: `${transport.name}: ${name}`,
      ignore: (transport.isTls || options.auth === true) && !MAY_USE_FILES,
      fn: async () => {
        await using host = await InProcessHost.start(transport, options);
        await run(host, transport, async (harness) => {
          await attack(harness);
          harness.closeClients();
          await harness.until(
            () => host.server.sessions === 2,
            () => `${host.server.sessions} sessions are left`,
          );
        });
      },
    });
  }
}

/** Registers an attack on a server in a process of its own, run from its source, over TCP and over TLS. */
export function processAttack(
  name: string,
  options: HostOptions,
  attack: (harness: Harness<ProcessHost>, programs: Programs) => Promise<void>,
): void {
  attackPrograms(name, options, attack, [SOURCE]);
}

/**
 * Registers an attack as {@linkcode processAttack} does, and also on the executable if it has been compiled: for what
 * depends on the runtime, such as descriptors. All programs are attacked at the same time, because most of the time is
 * spent waiting.
 */
export function everyProgramAttack(
  name: string,
  options: HostOptions,
  attack: (harness: Harness<ProcessHost>, programs: Programs) => Promise<void>,
): void {
  attackPrograms(name, options, attack, ALL_PROGRAMS);
}

function attackPrograms(
  name: string,
  options: HostOptions,
  attack: (harness: Harness<ProcessHost>, programs: Programs) => Promise<void>,
  all: readonly Programs[],
): void {
  const attackOne = async (programs: Programs, transport: Transport) => {
    try {
      await using host = await ProcessHost.start(programs, transport, options);
      await run(host, transport, (harness) => attack(harness, programs));
    } catch (error) {
      throw new Error(`${programs.name}: ${error instanceof Error ? error.message : error}`, {
        cause: error,
      });
    }
  };
  for (const transport of options.transports ?? [TCP, TLS]) {
    Deno.test({
      name: `${transport.name}: ${name}`,
      ignore: !MAY_INSPECT,
      fn: async () => {
        const results = await Promise.allSettled(all.map((programs) => attackOne(programs, transport)));
        for (const result of results) if (result.status === "rejected") throw result.reason;
      },
    });
  }
}

/** Waits until no more than `before` descriptors are open, although the attacking clients hold on to their ends. */
export async function freed(harness: Harness<ProcessHost>, before: number): Promise<void> {
  const { host } = harness;
  await harness.until(
    () => host.descriptors() <= before,
    () => `${host.descriptors()} descriptors are open, not ${before} as before, and the clients hold on`,
  );
}
