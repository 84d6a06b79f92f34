/**
 * A router with sessions that have no connections.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { ALL_PERMISSIONS } from "../../lib/broker/authenticator.ts";
import type { Channel } from "../../lib/broker/channel.ts";
import { Router } from "../../lib/broker/router.ts";
import { type ServerAnswers, ServerChannels } from "../../lib/broker/server_channels.ts";
import { Subscriptions } from "../../lib/broker/subscriptions.ts";
import { WorkBudget } from "../../lib/broker/work_budget.ts";
import { DEFAULT_LIMITS, type Limits, WORK_PER_TURN } from "../../lib/limits.ts";
import type { Open } from "../../lib/wire/control.ts";
import { countFrames, encodeFrame, INBOX, Type } from "../../lib/wire/header.ts";
import { concat } from "../harness/raw_client.ts";
import { FakePeer } from "./fake_peer.ts";

/** A budget that rethrows what a call throws. */
export function newBudget(perTurn: number = WORK_PER_TURN): WorkBudget {
  return new WorkBudget((error) => {
    throw error;
  }, perTurn);
}

/** Answers every request to the server with what it asks and where, and fails those to `$stats.config`. */
const ECHOES: ServerAnswers = {
  answer: (channel, ask) =>
    channel === "$stats.config"
      ? Promise.reject(new Error("a bug"))
      : Promise.resolve(JSON.stringify({ channel, ask })),
  failed: () => "the-reference",
};

/** The server's own channels of a router. */
export function newServerChannels(
  { channels }: Router,
  budget: WorkBudget,
  limits: Pick<Limits, "payloadBytes">,
  answers: ServerAnswers = ECHOES,
): ServerChannels {
  return new ServerChannels({ channels, budget, limits, answers });
}

/** Resolves in the next turn, once the budget is whole again and what waited before has had its chance. */
export function nextTurn(budget: WorkBudget): Promise<void> {
  return new Promise((resolve) => budget.later(resolve));
}

/** One turn of the event loop. */
export function turnOfLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** What a test may choose. */
export interface Options {
  readonly sessions: number;
  readonly perTurn?: number;
  readonly requests?: number;
  readonly requestMs?: number;
}

const CONSUMER_DEFAULTS = { exclusive: false, window: 1024, ackSeconds: 30, deliveries: 0, retry: false };

/** A session of the test. */
export class TestSession extends FakePeer {
  readonly subscriptions: Subscriptions;
  readonly #router: Router;

  constructor(number: number, router: Router, budget: WorkBudget, channels: number) {
    super(number);
    this.#router = router;
    this.subscriptions = new Subscriptions(this, router.channels, channels, ALL_PERMISSIONS, budget);
    this.knows = (number) => this.subscriptions.knows(number);
    this.told = (number) => this.subscriptions.told(number);
    router.join(this);
  }

  /** Sends OPEN, by default with `"subscribe":true`. Returns the error that answered it, if one did. */
  open(channel: string, options: Partial<Open> = {}): string | undefined {
    const before = this.refused.length;
    const defaults = { subscribe: true, respond: false, echo: true, presence: false, ...CONSUMER_DEFAULTS };
    this.subscriptions.open({ channel, ...defaults, ...options }, 1);
    return this.refused[before];
  }

  /** Sends LEAVE. */
  leave(channel: string): void {
    this.subscriptions.leave(channel, 1);
  }

  /** Ends as `ActiveSession` does. */
  end(): void {
    this.isEnded = true;
    this.#router.leave(this);
    this.subscriptions.leaveAll();
  }
}

/** See the module's comment. */
export class TestBroker {
  now = 0;
  readonly budget: WorkBudget;
  readonly router: Router;
  readonly sessions: TestSession[];
  /** How often a session that had to wait was called. */
  calls = 0;
  readonly #waiter = () => void this.calls++;

  constructor({ sessions, perTurn, requests = DEFAULT_LIMITS.requests, requestMs = 1000 }: Options) {
    this.budget = newBudget(perTurn);
    this.router = new Router({ requests, requestMs }, () => this.now, this.budget);
    this.sessions = Array.from(
      { length: sessions },
      () => new TestSession(this.router.nextNumber(), this.router, this.budget, 10_000),
    );
  }

  /** The channel of that name, which some session must have open. */
  channel(name: string): Channel {
    const channel = this.router.channels.find(name);
    if (channel === undefined) throw new Error(`no session has ${name} open`);
    return channel;
  }

  /** Publishes a run of messages. Returns how many of them were passed on. */
  publish(from: FakePeer, name: string, ...texts: string[]): number {
    const channel = this.channel(name);
    const run = concat(texts.map((text) => frame(Type.MESSAGE, channel.number, from, text)));
    const end = this.router.publish(channel, from, run, 0, run.length, texts.length, this.#waiter);
    return countFrames(run, 0, end);
  }

  /** Publishes all of `texts`, in as many turns as that takes. Returns how often it was cut. */
  async publishAll(from: FakePeer, name: string, ...texts: string[]): Promise<number> {
    let cuts = 0;
    for (let at = 0; at < texts.length;) {
      const passed = this.publish(from, name, ...texts.slice(at));
      if (passed === 0) throw new Error("a receiver has no room");
      at += passed;
      if (at === texts.length) break;
      cuts++;
      await nextTurn(this.budget);
    }
    return cuts;
  }

  /** Sends a message to an inbox. Returns false if the sender must wait. */
  direct(from: FakePeer, to: number, text: string): boolean {
    const bytes = frame(Type.MESSAGE, (to | INBOX) >>> 0, from, text);
    return this.router.direct(to, from, bytes, 0, bytes.length, 1, this.#waiter);
  }

  /** Sends a request. Returns false if the requester must wait. */
  request(from: FakePeer, name: string, id: number, text = "what"): boolean {
    const channel = this.channel(name);
    const bytes = frame(Type.REQUEST, channel.number, from, text, id);
    return this.router.requests.request(channel, from, id, bytes, 0, bytes.length, this.#waiter);
  }

  /** Replies to a request; refused, as a session would refuse it, if it was not sent to `from`. */
  reply(from: FakePeer, to: number, id: number, text = "that"): void {
    const bytes = frame(Type.REPLY, (to | INBOX) >>> 0, from, text, id);
    const requester = this.router.find(to);
    if (requester === undefined || !this.router.requests.reply(requester, from, id, bytes, 0, bytes.length)) {
      from.refuse(requester === undefined ? "no_such_session" : "forbidden", "", id);
    }
  }

  /** The numbers of the sessions that others wait for. */
  get waitedFor(): number[] {
    return this.sessions.filter(({ waiters }) => waiters.size > 0).map(({ number }) => number);
  }

  /** The texts that each session was sent. */
  get sent(): string[][] {
    return this.sessions.map(({ sent }) => sent);
  }
}

/** A message, request or reply. */
export function frame(type: number, channel: number, from: FakePeer, text: string, id = 0): Uint8Array {
  return encodeFrame({ type, id, channel, sender: from.number }, new TextEncoder().encode(text));
}
