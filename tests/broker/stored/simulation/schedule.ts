/**
 * Generates schedules: which channels, clients and failures there are, and what happens when. The seed determines all of
 * it.
 *
 * Each seed allows only some kinds of action, so that it repeats each of them often enough to reach what a schedule that
 * does a little of everything never does.
 *
 * @module
 */

import { type Random, seeded } from "../../../harness/seeded.ts";
import { dealWithAll, dealWithSome } from "./consuming.ts";
import { Simulation } from "./simulation.ts";
import type { ClientOpen, SimulatedClient } from "./simulated_client.ts";
import { TIME_OF_DAY } from "./simulated_server.ts";

/** See {@linkcode Simulation}: its policies cover each of these differently. */
const CHANNELS = ["d.a", "d.b", "trim.a", "last.a", "full.a", "old.a", "h.a", "h.b"];
const PATTERNS = ["*.a", "d.>", ">"];
const PRODUCERS = ["p1", "p2"];
const GROUPS = ["g1", "g2"];
const CONSUMERS = ["c1", "c2"];
const KEYS = ["k1", "k2", "k3"];
const MAX_CLIENTS = 8;

/** What an action may use. */
interface ActionContext {
  readonly simulation: Simulation;
  readonly random: Random;
  readonly client: SimulatedClient;
  /** The channels of this schedule. */
  readonly channels: readonly string[];
  /** The actions with which a client of this schedule may begin. */
  readonly roles: readonly string[];
}

type Action = (context: ActionContext) => void | Promise<void>;

const ACTIONS: Readonly<Record<string, Action>> = {
  connect,
  "open to publish": ({ client, random, channels }) => {
    const channel = random.pick(channels);
    if (client.isAsking(channel)) return;
    if (random.int(8) === 0) client.open(channel, { publish: true }); // and unsubscribe
    else client.openToPublish(channel);
  },
  "open as producer": ({ client, random, channels }) => {
    const channel = random.pick(channels);
    if (client.isAsking(channel) || channel.startsWith("h.")) return;
    const known = client.publicationOn(channel);
    const producer = random.pick(PRODUCERS);
    if (known === undefined || known.producer === producer) client.openToPublish(channel, { producer });
  },
  publish: (context) => publish(context, [1, 1, 3, 20, 100]),
  "publish with receipts": (context) => publish(context, [1, 5, 40], 1 + context.random.int(4)),
  "publish directly": ({ simulation, client, random, channels }) => {
    const channel = random.pick(channels);
    const key = channel.startsWith("h.") || random.int(3) === 0 ? undefined : random.pick(KEYS);
    for (let left = random.pick([1, 1, 2, 5]); left > 0; left--) {
      simulation.calls.publish(client, channel, key, random.pick([12, 30, 300]));
    }
  },
  "try again": ({ client, random }) => {
    for (const [, publication] of client.publications) {
      if (publication.isRefused && publication.isOpen && !client.isAsking(publication.channel)) {
        client.retry(publication, random.int(2) === 0);
      }
    }
  },
  subscribe: ({ client, random, channels, simulation }) => {
    const channel = random.pick(channels);
    if (client.isAsking(channel) || !mayOverlap(client)) return;
    client.open(channel, {
      subscribe: true,
      from: randomPlace(random, simulation),
      ...random.int(6) === 0 && { echo: false },
    });
  },
  "subscribe to a pattern": ({ client, random }) => {
    const pattern = random.pick(PATTERNS);
    if (client.subscribed.size > 0 || client.isAskingAny) return;
    client.open(pattern, { subscribe: true, ...random.int(2) === 0 && { from: "last" } });
  },
  "join a group": ({ client, random, channels }) => {
    const channel = random.pick(channels);
    if (client.isAskingAny || client.subscribed.size > 0) return;
    client.open(channel, { subscribe: true, group: random.pick(GROUPS) });
  },
  consume: ({ client, random, channels }) => {
    const channel = random.pick(channels);
    if (client.isAskingAny || client.subscribed.size > 0 || channel.startsWith("h.")) return;
    client.open(channel, {
      subscribe: true,
      consumer: random.pick(CONSUMERS),
      window: random.pick([1, 3, 20, 1024]),
      ackSeconds: random.pick([1, 3, 30]),
      deliveries: random.pick([0, 0, 3]),
      exclusive: random.int(6) === 0,
    });
  },
  "deal with some": ({ client, random }) => {
    for (const subscribed of client.subscribed.values()) {
      if (subscribed.kind === "consumer") dealWithSome(client, subscribed, random);
    }
  },
  "all deal with all": ({ simulation }) => simulation.clients.forEach(dealWithAll),
  leave: ({ client, random }) => {
    const [...open] = client.subscribed.keys();
    if (open.length === 0) return;
    const channel = random.pick(open);
    // What a producer has sent before it left is still counted: it would not know where to go on.
    if (!client.isAsking(channel) && client.publicationOn(channel)?.producer === undefined) {
      client.leave(channel);
    }
  },
  "read a little": ({ client, random }) => void client.read(random.pick([16, 100, 500, 3000])),
  "read all": ({ client }) => void client.read(Infinity),
  "all read": ({ simulation }) => void simulation.readAll(),
  disconnect: ({ client, simulation, random }) => {
    client.disconnect();
    comeBack(simulation, random, client);
  },
  damage: ({ simulation }) => void simulation.disk.damage(),
  "commit": ({ simulation, random }) =>
    simulation.server.durable.settleCommit(random.int(8) > 0 ? "succeed" : "fail"),
  "short time": ({ simulation, random }) => simulation.advance(random.int(100)),
  "long time": ({ simulation, random }) => simulation.advance(random.int(3_000)),
  stop: async ({ simulation, random }) => {
    const clients = simulation.clients.filter(({ isConnected }) => isConnected);
    await simulation.stop();
    for (const client of clients) comeBack(simulation, random, client);
  },
  crash: ({ simulation, random }) => {
    const clients = simulation.clients.filter(({ isConnected }) => isConnected);
    simulation.crash(random.int(2) === 0);
    for (const client of clients) comeBack(simulation, random, client);
  },
};

/** With these a client begins. */
const ROLES = [
  "open to publish",
  "open as producer",
  "subscribe",
  "subscribe to a pattern",
  "join a group",
  "consume",
];
/** How many bytes may wait for a client to read them. */
const ROOMS = [500, 3_000, 20_000];
const ALWAYS = ["connect", "open to publish", "publish", "subscribe", "read all", "short time", "commit"];

/** What one schedule has found. */
export interface ScheduleResult {
  readonly problems: readonly string[];
  /** The steps. */
  readonly trace: readonly string[];
  /** Messages that were delivered. */
  readonly delivered: number;
}

/** Runs the schedule of `seed`. */
export async function runSchedule(seed: number): Promise<ScheduleResult> {
  const random = seeded(seed);
  using simulation = new Simulation(random);
  const channels = Array.from({ length: 1 + random.int(3) }, () => random.pick(CHANNELS));
  const allowed = Object.keys(ACTIONS).filter((name) => ALWAYS.includes(name) || random.int(2) === 0);
  const weighted = allowed.flatMap((name) => new Array<string>(random.pick([1, 1, 2, 5])).fill(name));
  const roles = ROLES.filter((name) => allowed.includes(name));
  const context = { simulation, random, channels, roles };
  for (let i = 1 + random.int(4); i > 0; i--) connect(context);
  await simulation.turn();
  const trace: string[] = [];
  const steps = 10 + random.int(80);
  for (let step = 0; step < steps && simulation.problems.length === 0; step++) {
    simulation.readWelcomes();
    const ready = simulation.clients.filter(({ isReady }) => isReady);
    if (ready.length === 0) connect(context);
    else {
      const [client, name] = [random.pick(ready), random.pick(weighted)];
      trace.push(`${client.number} ${name}`);
      await ACTIONS[name]({ ...context, client });
    }
    for (let turns = random.int(3); turns > 0; turns--) await simulation.turn();
  }
  await simulation.finish();
  const { counts, problems } = simulation.records.outcome();
  return { problems: [...simulation.problems, ...problems], trace, delivered: counts.delivered };
}

/** A session in a group or with a pattern has nothing else, so that it is known which subscription a message is for. */
function mayOverlap(client: SimulatedClient): boolean {
  return !client.isAskingToShare &&
    [...client.subscribed.values()].every(({ kind, isPattern }) => kind === "subscriber" && !isPattern);
}

/** One more client, which most likely has something to do at once. */
function connect({ simulation, random, channels, roles }: Omit<ActionContext, "client">): void {
  if (simulation.clients.length >= MAX_CLIENTS) return;
  const client = simulation.connect(random.pick(ROOMS));
  const role = random.pick(roles);
  if (random.int(4) === 0) return;
  client.afterWelcome(() => ACTIONS[role]({ simulation, random, channels, roles, client }));
}

/** A client whose connection broke goes on in another session where it was. */
function comeBack(simulation: Simulation, random: Random, client: SimulatedClient): void {
  if (random.int(4) === 0) return;
  const next = simulation.connect(random.pick(ROOMS));
  next.afterWelcome(() => {
    for (const before of client.subscribed.values()) {
      const { channel, kind, open, place: from } = before;
      if (kind === "subscriber" && !before.isPattern) {
        next.open(channel, { ...open, from, continues: before });
      } else if (kind === "consumer") next.open(channel, open);
    }
    for (const { channel, producer } of client.publications.values()) {
      if (!next.isAsking(channel)) next.openToPublish(channel, producer === undefined ? {} : { producer });
    }
  });
}

/** One of the clients publishes; every so many messages want a receipt. */
function publish({ simulation, random }: ActionContext, counts: readonly number[], every = 0): void {
  const publications = simulation.clients.flatMap((client) =>
    [...client.publications.values()].map((publication) => ({ client, publication }))
  ).filter(({ client, publication: { isOpen, isFenced, channel } }) =>
    isOpen && !client.isAsking(channel) && (!isFenced || random.int(4) === 0)
  );
  if (publications.length === 0) return;
  const { client, publication } = random.pick(publications);
  const messages: Uint8Array[] = [];
  const size = random.pick([12, 12, 30, 300]);
  for (let left = random.pick(counts); left > 0; left--) {
    const id = every > 0 && publication.isDurable && left % every === 0 ? client.nextId() : 0;
    messages.push(publication.message(id, size));
  }
  client.publish(messages);
}

function randomPlace(random: Random, simulation: Simulation): ClientOpen["from"] {
  switch (random.int(6)) {
    case 0:
      return { sequence: 1 + random.int(60) };
    case 1:
      return { time: new Date(TIME_OF_DAY + random.int(Math.ceil(simulation.now) + 1)).toISOString() };
    default:
      return random.pick(["new", "all", "all", "last"] as const);
  }
}
