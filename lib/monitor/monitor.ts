/**
 * Answers the requests on `$stats` and `$admin`.
 *
 * Lists are made one after the other, also for different sessions: each works in slices, and several at once would add up.
 *
 * @module
 */

import type { Ask, ServerRequest } from "../broker/server_channels.ts";
import { changeConsumer, dealWithSetAside, disconnect, type Done, setAsideMessages } from "./actions.ts";
import { listShape, readAsk, whyShape } from "./asks.ts";
import { CHANNEL_KEYS, listChannels } from "./channel_list.ts";
import { diagnose } from "./diagnosis.ts";
import { lastRefusals } from "./refusal_list.ts";
import type { MonitoredServer } from "./server.ts";
import { turn, walk } from "./selection.ts";
import { serverStats } from "./server_stats.ts";
import { listSessions, SESSION_KEYS } from "./session_list.ts";
import { diagnoseSlow } from "./slow.ts";

/** An answer: the reply as JSON, and what was done, if anything was. */
export interface Answer {
  readonly json: string;
  readonly done?: Readonly<Record<string, unknown>>;
}

type Answerer = (server: MonitoredServer, ask: Ask) => Promise<Answer>;

const sessionShape = listShape(SESSION_KEYS);
const channelShape = listShape(CHANNEL_KEYS);

const ANSWERS: Readonly<Record<ServerRequest, Answerer>> = {
  "$stats.now": async (server) => reply(await serverStats(server)),
  "$stats.history": (server) => at(reply(server.history)),
  "$stats.sessions": async (server, ask) => {
    const { count, entries } = await listSessions(server, readAsk(ask, sessionShape));
    return { json: `{"count":${count},"sessions":${entries}}` };
  },
  "$stats.channels": async (server, ask) => {
    const { count, entries } = await listChannels(server, readAsk(ask, channelShape));
    return { json: `{"count":${count},"channels":${entries}}` };
  },
  "$stats.why": async (server, ask) => reply(await diagnose(server, readAsk(ask, whyShape).channel)),
  "$stats.slow": async (server) => reply(await diagnoseSlow(server)),
  "$stats.refusals": (server) => at(reply({ refusals: lastRefusals(server.router.counters.refusals) })),
  "$stats.config": (server) => at(reply({ options: server.config })),
  "$stats.set_aside": async (server, ask) => reply(await setAsideMessages(server, ask)),
  "$admin.disconnect": async (server, ask) => done(await disconnect(server, ask)),
  "$admin.consumer": async (server, ask) => done(await changeConsumer(server, ask)),
  "$admin.set_aside": async (server, ask) => done(await dealWithSetAside(server, ask)),
};

/** Those that take long if there is much. */
const LISTS: ReadonlySet<ServerRequest> = Object.freeze(
  new Set<ServerRequest>(["$stats.now", "$stats.sessions", "$stats.channels", "$stats.why", "$stats.slow"]),
);

/** See the module's comment. */
export class Monitor {
  readonly #server: MonitoredServer;
  /** Settles when the lists that were asked for are made. */
  #lists: Promise<unknown> = Promise.resolve();

  constructor(server: MonitoredServer) {
    this.#server = server;
  }

  /**
   * Answers a request.
   *
   * @throws {ParleyError} if the request is malformed, or what it is about is not there
   */
  answer(channel: ServerRequest, ask: Ask): Promise<Answer> {
    if (!LISTS.has(channel)) return ANSWERS[channel](this.#server, ask);
    const answer = this.#lists.then(async () => {
      await turn(); // what came before, such as the first request by HTTP, may have taken its time, too
      await walk(this.#server.router.takeActive(), (active) => active.settle());
      return await ANSWERS[channel](this.#server, ask);
    });
    this.#lists = answer.catch(() => {});
    return answer;
  }
}

function reply(value: unknown): Answer {
  return { json: JSON.stringify(value) };
}

function done({ reply, what }: Done<unknown>): Answer {
  return { json: JSON.stringify(reply), done: what };
}

function at<T>(value: T): Promise<T> {
  return Promise.resolve(value);
}
