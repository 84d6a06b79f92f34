/**
 * What an administrator has the server do: `$admin`.
 *
 * @module
 */

import type { Ask } from "../broker/server_channels.ts";
import type { StoreOperator } from "../broker/stored/operator.ts";
import { ParleyError } from "../errors.ts";
import type { AdminRequests, SetAsideEntry } from "../wire/stats.ts";
import { consumerShape, disconnectShape, giveBackShape, readAsk, setAsideShape } from "./asks.ts";
import type { MonitoredServer } from "./server.ts";
import { isEstablished } from "./session_list.ts";
import { take } from "./stored_entry.ts";

/** What was done, for the log. */
export interface Done<T> {
  readonly reply: T;
  readonly what: Readonly<Record<string, unknown>>;
}

type Reply<C extends keyof AdminRequests> = Promise<Done<AdminRequests[C]["reply"]>>;

/** Ends a session. */
export function disconnect(server: MonitoredServer, ask: Ask): Reply<"$admin.disconnect"> {
  const { session: number } = readAsk(ask, disconnectShape);
  for (const session of server.sessions) {
    if (!isEstablished(session) || session.active.number !== number) continue;
    session.disconnect();
    return Promise.resolve({ reply: {}, what: { session: number, name: session.active.name } });
  }
  throw new ParleyError("no_such_session", `there is no session ${number}`);
}

/** Pauses, resumes or resets a consumer. */
export async function changeConsumer(server: MonitoredServer, ask: Ask): Reply<"$admin.consumer"> {
  const { action, position, ...name } = readAsk(ask, consumerShape);
  const operator = await operatorOf(server);
  if (action === "reset") {
    if (position === undefined) {
      throw new ParleyError(
        "bad_payload",
        'the request lacks "position", the sequence after which the consumer goes on',
      );
    }
    await operator.reset(name, position);
  } else {
    if (position !== undefined) {
      throw new ParleyError("bad_payload", `"position" has no place beside "${action}"`);
    }
    await (action === "pause" ? operator.pause(name) : operator.resume(name));
  }
  return { reply: {}, what: { ...name, action, position } };
}

/** Has messages delivered again that were set aside, or gives them up. */
export async function dealWithSetAside(server: MonitoredServer, ask: Ask): Reply<"$admin.set_aside"> {
  const { action, sequence, ...name } = readAsk(ask, giveBackShape);
  const operator = await operatorOf(server);
  const which = sequence ?? "all";
  const count = await (action === "retry" ? operator.giveBack(name, which) : operator.drop(name, which));
  return { reply: { count }, what: { ...name, action, which, count } };
}

/** The messages of a consumer that are set aside. */
export async function setAsideMessages(
  server: MonitoredServer,
  ask: Ask,
): Promise<{ count: number; messages: SetAsideEntry[] }> {
  const { after, limit, ...name } = readAsk(ask, setAsideShape);
  const all = (await operatorOf(server)).setAside(name);
  const later = after === 0 ? all : all.filter(({ sequence }) => sequence > after);
  const messages = [...take(later, limit)].map(({ sequence, deliveries, since }) => (
    { sequence, deliveries, since: new Date(since).toISOString() }
  ));
  return { count: all.length, messages };
}

async function operatorOf(server: MonitoredServer): Promise<StoreOperator> {
  const operator = await server.operator();
  if (operator !== undefined) return operator;
  throw new ParleyError("bad_argument", "this server stores no channels, so it has no consumers");
}
