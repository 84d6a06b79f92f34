/**
 * Generates schedules: which clients there are, and what each of them does when. The seed determines all of it.
 *
 * Each seed allows only some kinds of action. A schedule with few kinds repeats each of them often enough to reach the
 * limits, which one that does a little of everything never does.
 *
 * @module
 */

import { inbox, type OpenOptions } from "../../harness/raw_client.ts";
import { type Random, seeded } from "../../harness/seeded.ts";
import type { Finding } from "./invariants.ts";
import { Model, MODEL_LIMITS } from "./model.ts";
import type { Reading, SimulatedClient } from "./simulated_client.ts";

/** Names that all clients use, so that they meet. The long one is covered by many patterns. */
const LONG = "a.b.c.d.e.f.g.h.i.j";
const NAMES: readonly string[] = ["x", "x.y", "z", LONG, "$echo"];
const PATTERNS: readonly string[] = ["x.*", "x.>", "*", "a.>"];
const GROUPS: readonly string[] = ["one", "two"];

/** A client sends no more once the server has so many bytes, or so many reads of small pieces, left to read. */
const MAX_UNREAD_BYTES = 1024 * 1024;
const MAX_UNREAD_PIECES = 256;

/** What an action may use. */
interface ActionContext {
  readonly model: Model;
  readonly random: Random;
  readonly client: SimulatedClient;
  /** How new clients read. */
  readonly readings: readonly Reading[];
  /** Channel numbers by name, of all clients: they tell each other. */
  readonly channels: ReadonlyMap<string, number>;
}

type Action = (context: ActionContext) => void | Promise<void>;

/** All kinds of action. */
const ACTIONS: Readonly<Record<string, Action>> = {
  open: ({ client, random }) => client.open(randomOpen(random)),
  leave: ({ client, random }) => client.leave(random.pick([...NAMES, ...PATTERNS])),
  publish: (context) => {
    const channel = randomChannel(context);
    const size = context.random.pick([8, 8, 100, 1_000, MODEL_LIMITS.payloadBytes]);
    repeat(context, [1, 5, 50, 500], () => context.client.publish(channel, size));
  },
  "publish on channels in turn": (context) => {
    repeat(context, [4, 50, 500], () => context.client.publish(randomChannel(context), 8));
  },
  direct: (context) => {
    const { client, random, model } = context;
    const target = inbox(random.pick(model.clients).number || 1);
    const size = random.pick([8, 100, MODEL_LIMITS.payloadBytes]);
    repeat(context, [1, 5, 50], () => client.publish(target, size));
  },
  request: (context) => {
    const channel = randomChannel(context);
    repeat(context, [1, 10, 100, 100, 2_000], () => context.client.request(channel));
  },
  reply: (context) => {
    const size = context.random.pick([0, 100, MODEL_LIMITS.payloadBytes]);
    repeat(context, [1, 10, 100], () => context.client.reply(size));
  },
  "open patterns": (context) => {
    const { client, random } = context;
    const hasGroups = random.int(2) === 0;
    let index = random.int(1_000);
    repeat(context, [1, 4, 30, 250], () => {
      client.open({
        channel: randomPattern(random),
        subscribe: true,
        respond: random.int(2) === 0,
        ...hasGroups ? { group: `group-${index++}` } : {},
      });
    });
  },
  "join and leave": (context) => {
    const { client, random } = context;
    const channel = random.pick(NAMES);
    repeat(context, [1, 20, 20, 200, 5_000], () => {
      client.open({ channel, subscribe: true });
      client.leave(channel);
    });
  },
  ping: (context) => repeat(context, [1, 100], () => context.client.ping()),
  pause: ({ client }) => {
    if (client.reading === "sometimes") client.socket.isRead = false;
  },
  unpause: ({ client }) => {
    if (client.reading === "sometimes") client.socket.isRead = true;
  },
  bye: (context) => {
    context.client.bye();
    connect(context);
  },
  "bad frame": (context) => {
    const { client, model, random } = context;
    // Rather a session that does not read: others may be waiting for it.
    const unread = model.clients.filter(({ isReady, socket }) => isReady && !socket.isRead);
    (unread.length > 0 ? random.pick(unread) : client).badFrame();
    connect(context);
  },
  disconnect: (context) => {
    const { client, model, random } = context;
    // Rather the session that owes most replies: their requesters are waiting for it.
    const ready = model.clients.filter(({ isReady }) => isReady);
    ready.sort((one, other) => other.receivedRequests.length - one.receivedRequests.length);
    const { socket } = random.int(2) === 0 ? ready[0] : client;
    if (random.int(2) === 0) socket.end();
    else socket.reset();
    connect(context);
  },
  "short time": ({ model, random }) => model.advance(random.int(100)),
  "long time": ({ model, random }) => model.advance(random.int(1_500)),
};

/** How the clients of one schedule read: one of these rows, each client one of its values. */
const READINGS: readonly (readonly Reading[])[] = [
  ["always"],
  ["always", "always", "sometimes"],
  ["always", "sometimes", "never"],
  ["sometimes", "never"],
];

/** Actions that every schedule has: without them nothing else has an effect. */
const ALWAYS = ["open", "publish", "short time"];

/** The result of one schedule. */
export interface ScheduleResult {
  readonly findings: readonly Finding[];
  /** The steps: the number of a session and what it did. */
  readonly trace: readonly string[];
  /** The largest share of the allowed work that a turn has used. */
  readonly maxLoad: number;
}

/** Runs the schedule of `seed`. */
export async function runSchedule(seed: number): Promise<ScheduleResult> {
  const random = seeded(seed);
  using model = new Model(random);
  const allowed = Object.keys(ACTIONS).filter((name) => ALWAYS.includes(name) || random.int(2) === 0);
  const weighted = allowed.flatMap((name) => new Array<string>(random.pick([1, 1, 3, 8])).fill(name));
  const readings = random.pick(READINGS);
  const clientCount = 2 + random.int(random.pick([2, 4, 10]));
  for (let i = 0; i < clientCount; i++) connect({ model, random, readings });
  await model.turn();
  await model.turn();
  const trace: string[] = [];
  const steps = 20 + random.int(150);
  for (let step = 0; step < steps && model.expectations.findings.length === 0; step++) {
    const ready = model.clients.filter((client) => client.isReady && hasRoom(client));
    const channels = new Map(model.clients.flatMap(({ opened }) => [...opened]));
    if (ready.length > 0) {
      const [client, name] = [random.pick(ready), random.pick(weighted)];
      trace.push(`${client.number} ${name}`);
      await ACTIONS[name]({ model, random, readings, client, channels });
    }
    for (let turns = random.int(4); turns > 0; turns--) await model.turn();
  }
  const findings = await model.finish({ isAbrupt: random.int(3) === 0 });
  return { findings, trace, maxLoad: model.expectations.maxLoad };
}

/** Connects one more client, unless the limit of connections is reached. */
function connect({ model, random, readings }: Pick<ActionContext, "model" | "random" | "readings">): void {
  const client = model.connect(random.pick(readings), random.pick([64, 4_096, Infinity]));
  // Long names make JOINED and PARTED much larger than the OPEN and LEAVE that cause them.
  client?.hello(random.pick(["short", "\u{1f600}".repeat(64)]));
}

function repeat({ random, client }: ActionContext, counts: readonly number[], action: () => void): void {
  for (let left = random.pick(counts); left > 0 && hasRoom(client); left--) {
    action();
  }
}

function hasRoom({ socket: { unreadBytes, maxRead } }: SimulatedClient): boolean {
  return unreadBytes < Math.min(MAX_UNREAD_BYTES, MAX_UNREAD_PIECES * maxRead);
}

function randomOpen(random: Random): OpenOptions & { channel: string } {
  const isPattern = random.int(4) === 0;
  const open: OpenOptions & { channel: string } = { channel: random.pick(isPattern ? PATTERNS : NAMES) };
  open.subscribe = random.int(4) > 0;
  open.respond = random.int(2) === 0;
  if (random.int(4) === 0) open.group = random.pick(GROUPS);
  if (random.int(4) === 0) open.echo = false;
  if (!isPattern && open.subscribe && random.int(2) === 0) open.presence = true;
  return open;
}

/** A pattern that covers the long name: each of its segments or a `*`. */
function randomPattern(random: Random): string {
  return LONG.split(".").map((segment) => random.int(2) === 0 ? "*" : segment).join(".");
}

/** Usually a channel that the client has open, sometimes one that only another has. */
function randomChannel({ client, channels, random }: ActionContext): number {
  const own = [...client.opened.values()];
  if (own.length > 0 && random.int(8) > 0) return random.pick(own);
  return channels.size > 0 ? random.pick([...channels.values()]) : 1;
}
