/**
 * Sessions whose connections are the test.
 *
 * @module
 */

import { assert } from "@std/assert";
import { ALL_PERMISSIONS, type Authenticator, type Permissions } from "../../lib/broker/authenticator.ts";
import type { SessionContext } from "../../lib/broker/context.ts";
import { Echo } from "../../lib/broker/echo.ts";
import type { Transport } from "../../lib/broker/peer.ts";
import { Router } from "../../lib/broker/router.ts";
import type { ServerAnswers } from "../../lib/broker/server_channels.ts";
import { Session } from "../../lib/broker/session.ts";
import type { ChannelLog } from "../../lib/broker/stored/log.ts";
import { StoredChannels } from "../../lib/broker/stored/stored_channels.ts";
import { StoredSession } from "../../lib/broker/stored/stored_session.ts";
import type { WorkBudget } from "../../lib/broker/work_budget.ts";
import type { Log } from "../../lib/logging/log.ts";
import { DEFAULT_LIMITS, type Limits } from "../../lib/limits.ts";
import { encodeControl, PROTOCOL } from "../../lib/wire/control.ts";
import { encodeFrame, Type } from "../../lib/wire/header.ts";
import { concat } from "../harness/raw_client.ts";
import { RecordedLog } from "../harness/recorded_log.ts";
import { FakePeer } from "./fake_peer.ts";
import { newBudget, newServerChannels } from "./test_broker.ts";

/** What the sessions of a test share; session numbers begin at 17. */
export function newContext(
  options: {
    limits?: Partial<Limits>;
    perTurn?: number;
    authenticator?: Authenticator;
    answers?: ServerAnswers;
    /** The log of the channels `d.>`. */
    durable?: ChannelLog;
  } = {},
): SessionContext & { recorded: RecordedLog } {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const budget = newBudget(options.perTurn);
  const recorded = new RecordedLog();
  let uuids = 0;
  const stored = options.durable && durableChannels(options.durable, budget, recorded.log);
  const router = new Router(limits, () => 0, budget, 17, stored);
  return {
    router,
    newStoredSession: stored && ((peer, subject, resume) => new StoredSession(peer, stored, subject, resume)),
    serverChannels: newServerChannels(router, budget, limits, options.answers),
    echo: new Echo(),
    budget,
    limits,
    authenticator: options.authenticator,
    now: () => performance.now(),
    time: () => "2026-11-25T12:00:00.000Z",
    server: { name: "parley", version: "0" },
    uuid: () => `uuid-${++uuids}`,
    log: recorded.log,
    recorded,
  };
}

function durableChannels(log: ChannelLog, budget: WorkBudget, recorded: Log): StoredChannels {
  const policy = { pattern: "d.>", storage: "durable", full: "refuse" } as const;
  return new StoredChannels({
    policies: [{ ...policy, maxAgeMs: Infinity, maxBytes: Infinity, maxMessages: Infinity }],
    durable: { log, maxBytes: Infinity },
    history: undefined,
    budget,
    now: () => performance.now(),
    time: Date.now,
    log: recorded,
  });
}

/** Accepts every client as Ada, with these permissions. */
export function acceptWith(permissions: Partial<Permissions>): Authenticator {
  const accepted = {
    id: "5f0c",
    name: "Ada",
    subject: "Ada",
    grants: { ...ALL_PERMISSIONS, ...permissions },
  };
  return { verify: () => Promise.resolve({ accepted }), check: () => undefined };
}

/** See the module's comment. What was not taken is offered again when the session resumes. */
export class TestConnection implements Disposable {
  readonly outbox = new FakePeer(0);
  /** What the session asked of its connection. */
  readonly calls: string[] = [];
  readonly session: Session;
  /** Resolves when the session next resumes. */
  resumed = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  /** Resolves when the session has ended. */
  readonly ended = this.#ended.promise;
  #waiting: Uint8Array = new Uint8Array(0);

  /** @param agoMs how long ago the client connected */
  constructor(context: SessionContext, agoMs: number = 0) {
    const transport: Transport = {
      outbox: this.outbox,
      pause: () => this.calls.push("pause"),
      resume: () => {
        this.calls.push("resume");
        this.resumed.resolve();
        this.resumed = Promise.withResolvers();
        this.give();
      },
      finish: (reason) => {
        this.calls.push(`finish ${reason}`);
        this.session.ended(reason);
      },
    };
    const remote = { address: "192.0.2.1", port: 4711, agoMs };
    this.session = new Session(context, transport, remote, () => {
      this.calls.push("ended");
      this.#ended.resolve();
    });
  }

  /** Gives the session these frames, behind those that it has not taken. Returns whether it took all. */
  give(...frames: Uint8Array[]): boolean {
    const bytes = concat([this.#waiting, ...frames]);
    this.#waiting = new Uint8Array(0); // a session that resumes at once must not get them twice
    const taken = this.session.receive(bytes, bytes.length);
    this.#waiting = concat([bytes.slice(taken), this.#waiting]);
    return this.#waiting.length === 0;
  }

  /** Gives the session its HELLO, and forgets WELCOME. */
  async greet(hello: { name?: string; token?: string } = {}): Promise<this> {
    if (!this.give(encodeControl({ type: Type.HELLO }, { protocol: PROTOCOL, ...hello }))) {
      await this.resumed.promise;
    }
    assert(this.outbox.control(Type.WELCOME).length === 1);
    this.outbox.frames.length = 0;
    this.calls.length = 0;
    return this;
  }

  /** The session's number, once it is greeted. */
  number = 17;

  /** Gives the session an OPEN, LEAVE or BYE. */
  control(type: number, payload: Record<string, unknown>, id = type === Type.BYE ? 0 : 1): boolean {
    return this.give(encodeControl({ type, id, sender: this.number }, payload));
  }

  /** Gives the session a frame with this content. */
  send(type: number, channel: number, text = "", { id = 0, flags = 0 } = {}): boolean {
    const payload = new TextEncoder().encode(text);
    return this.give(encodeFrame({ type, flags, id, channel, sender: this.number }, payload));
  }

  /** The errors that the session was sent: `code id channel`. */
  get errors(): string[] {
    return this.outbox.frames.filter(({ type }) => type === Type.ERROR)
      .map(({ id, channel, text }) => `${JSON.parse(text).code} ${id} ${channel}`);
  }

  /** Lets `seconds` pass. */
  tick(seconds: number): void {
    for (let i = 0; i < seconds; i++) this.session.tick();
  }

  [Symbol.dispose](): void {
    this.session.ended("reset"); // a session that is not greeted has a timer
  }
}
