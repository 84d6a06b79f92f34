/**
 * A server under attack, and two witnesses who came before: a message goes from one to the other all the while, and
 * must arrive as ever.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { TokenRequest } from "../../lib/auth/tokens.ts";
import { Type } from "../../lib/wire/header.ts";
import { RawClient, text } from "../harness/raw_client.ts";
import { MAY_INSPECT, MAY_USE_FILES } from "../harness/permissions.ts";
import type { Programs } from "../harness/program.ts";
import { type Host, type HostOptions, InProcessHost, ProcessHost, PROGRAMS } from "./host.ts";
import { greet, Held, TCP, TLS, type Transport } from "./transport.ts";

/** How often the witnesses pass a message. */
const BEAT_MS = 5;

/** No message of theirs may take longer, on a machine that does much else at the same time. */
const MAX_BEAT_MS = 3000;

/** How long descriptors may take to come back once they should, on such a machine. */
const PATIENCE_MS = 10_000;

/** Everything may be done with this token. */
const EVERYTHING: TokenRequest = {
  name: "Witness",
  publish: [">"],
  subscribe: [">"],
  respond: [">"],
  direct: true,
  expiresInSeconds: 3600,
};

/** Two sessions that were there first. */
class Witnesses {
  /** How long each message took, in milliseconds. */
  readonly tookMs: number[] = [];
  readonly #from: RawClient;
  readonly #to: RawClient;
  readonly #channel: number;
  #last: Promise<void> = Promise.resolve();

  private constructor(from: RawClient, to: RawClient, channel: number) {
    this.#from = from;
    this.#to = to;
    this.#channel = channel;
  }

  static async come(connect: () => Promise<RawClient>): Promise<Witnesses> {
    const [from, to] = [await connect(), await connect()];
    const { number } = await to.open("witnesses");
    await from.openToPublish("witnesses");
    return new Witnesses(from, to, number);
  }

  /** Passes a message from one to the other, after those that are on their way. */
  turn(): Promise<void> {
    this.#last = this.#last.then(() => this.#pass());
    return this.#last;
  }

  async #pass(): Promise<void> {
    const start = performance.now();
    const payload = `${this.tookMs.length}`;
    await this.#from.send(this.#from.message(this.#channel, payload));
    let frame = await this.#to.next();
    for (; frame.type === Type.PING; frame = await this.#to.next()) {
      await this.#to.send(this.#to.frame(Type.PONG, { id: frame.id }));
    }
    assertEquals([frame.type, text(frame)], [Type.MESSAGE, payload]);
    this.tookMs.push(performance.now() - start);
  }

  /** Passes messages until `attack` is over. */
  async during<T>(attack: Promise<T>, isEnded: () => boolean): Promise<T> {
    let isOver = false;
    const over = attack.finally(() => isOver = true);
    over.catch(() => {}); // reported below, or by who fails first
    while (!isOver && !isEnded()) {
      await this.turn().catch((error) => {
        if (!isEnded()) throw error;
      });
      await new Promise((resolve) => setTimeout(resolve, BEAT_MS));
    }
    const result = await over;
    if (!isEnded()) await this.turn();
    return result;
  }

  /** The round trip that only one in a hundred exceeds, in milliseconds. */
  p99(): number {
    return this.tookMs.toSorted((a, b) => a - b)[Math.floor(this.tookMs.length * 0.99)];
  }

  leave(): void {
    this.#from.close();
    this.#to.close();
  }
}

/** One attack: the server, its witnesses, and whoever comes to harm it. */
export class Harness<H extends Host = Host> {
  readonly host: H;
  readonly transport: Transport;
  readonly witnesses: Witnesses;
  /** Whether the attack ended the server, as it should. */
  isEnded = false;
  readonly #strangers = new Set<{ [Symbol.dispose](): void }>();

  private constructor(host: H, transport: Transport, witnesses: Witnesses) {
    this.host = host;
    this.transport = transport;
    this.witnesses = witnesses;
  }

  static async set<H extends Host>(host: H, transport: Transport): Promise<Harness<H>> {
    const token = await host.tokens?.issue(EVERYTHING);
    const witnesses = await Witnesses.come(async () =>
      greet(await transport.connect(host), { token: token?.token })
    );
    return new Harness(host, transport, witnesses);
  }

  /** Somebody connects, over TLS where the server wants that, and says nothing. */
  async connect(): Promise<RawClient> {
    return this.#follow(await this.transport.connect(this.host));
  }

  /** Somebody connects over plain TCP, whatever the server wants, and says nothing. */
  async knock(): Promise<RawClient> {
    return this.#follow(await RawClient.connect(this.host));
  }

  /** Somebody connects and is welcomed. */
  async greet(hello?: { name?: string; token?: string }): Promise<RawClient> {
    return await greet(await this.connect(), hello);
  }

  /** Somebody connects whose connection can be cut at will. */
  async held(): Promise<Held> {
    return this.#follow(await Held.connect(this.transport, this.host));
  }

  /** A token of the server's, to do everything but for `changes`. */
  async token(changes: Partial<TokenRequest> = {}): Promise<string> {
    return (await this.host.tokens!.issue({ ...EVERYTHING, name: "Mallory", ...changes })).token;
  }

  /** Does what ends the server: from now on the witnesses have nobody to serve them, and nothing is left to look at. */
  async ends(action: () => Promise<void>): Promise<void> {
    this.isEnded = true;
    await action();
  }

  /** Closes whatever the strangers left open. */
  dismiss(): void {
    for (const stranger of this.#strangers) stranger[Symbol.dispose]();
    this.#strangers.clear();
  }

  /** Waits until `isSo`, looking after each message of the witnesses; fails with `what()` otherwise. */
  async until(isSo: () => boolean, what: () => string, ms: number = PATIENCE_MS): Promise<void> {
    const deadline = performance.now() + ms;
    while (!isSo()) {
      assert(performance.now() < deadline, `after ${ms} ms: ${what()}`);
      await this.witnesses.turn();
      await new Promise((resolve) => setTimeout(resolve, BEAT_MS));
    }
  }

  #follow<T extends { [Symbol.dispose](): void }>(stranger: T): T {
    this.#strangers.add(stranger);
    return stranger;
  }
}

/** What happens on a scene while the witnesses look on. */
type Attack<H extends Host> = (harness: Harness<H>) => Promise<void>;

/** Plays `attack`, and afterwards holds that nothing of it is left and that the witnesses did not suffer. */
async function play<H extends Host>(
  host: H,
  transport: Transport,
  attack: Attack<H>,
): Promise<void> {
  const harness = await Harness.set(host, transport);
  try {
    const before = host.descriptors?.() ?? 0;
    await harness.witnesses.during(attack(harness), () => harness.isEnded);
    if (harness.isEnded) return;
    harness.dismiss();
    await harness.until(
      () => (host.descriptors?.() ?? 0) <= before,
      () => `${host.descriptors?.()} descriptors are open, not ${before} as before`,
    );
    const slowest = Math.round(Math.max(...harness.witnesses.tookMs));
    assert(slowest < MAX_BEAT_MS, `a message of the witnesses took ${slowest} ms`);
  } finally {
    harness.dismiss();
    harness.witnesses.leave();
  }
}

/**
 * Registers an attack over TCP and over TLS: on a server in this process, which can be done with network permission
 * alone, and on every program.
 */
export function attack(name: string, options: HostOptions, attack: Attack<Host>): void {
  for (const transport of [TCP, TLS]) {
    Deno.test({
      name: `${transport.name}: ${name}`,
      ignore: (transport.isTls || options.auth === true) && !MAY_USE_FILES,
      fn: async () => {
        await using host = await InProcessHost.start(transport, options);
        await play(host, transport, async (harness) => {
          await attack(harness);
          harness.dismiss();
          await harness.until(
            () => host.server.sessions === 2,
            () => `${host.server.sessions} sessions are left`,
          );
        });
      },
    });
  }
  processAttack(`${name}; the programs`, options, attack);
}

/**
 * Registers an attack on a server in a process of its own, over TCP and over TLS. Every program is attacked, all at the
 * same time, because most of the time goes by with waiting.
 */
export function processAttack(
  name: string,
  options: HostOptions,
  attack: (harness: Harness<ProcessHost>, programs: Programs) => Promise<void>,
): void {
  const attackProgram = async (programs: Programs, transport: Transport) => {
    try {
      await using host = await ProcessHost.start(programs, transport, options);
      await play(host, transport, (harness) => attack(harness, programs));
    } catch (error) {
      throw new Error(`${programs.name}: ${error instanceof Error ? error.message : error}`, {
        cause: error,
      });
    }
  };
  for (const transport of [TCP, TLS]) {
    Deno.test({
      name: `${transport.name}: ${name}`,
      ignore: !MAY_INSPECT,
      fn: async () => {
        const results = await Promise.allSettled(
          PROGRAMS.map((programs) => attackProgram(programs, transport)),
        );
        for (const result of results) if (result.status === "rejected") throw result.reason;
      },
    });
  }
}

/** Of a process: waits until as many descriptors are open as `before`, whatever the strangers still hold. */
export async function freed(
  harness: Harness<ProcessHost>,
  before: number,
  ms: number = PATIENCE_MS,
): Promise<void> {
  const { host } = harness;
  await harness.until(
    () => host.descriptors() <= before,
    () => `${host.descriptors()} descriptors are open, not ${before} as before, and the strangers hold on`,
    ms,
  );
}
