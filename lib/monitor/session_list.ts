/**
 * Sessions, as they are shown.
 *
 * @module
 */

import type { ActiveSession } from "../broker/active_session.ts";
import type { Session } from "../broker/session.ts";
import type { SessionEntry } from "../wire/stats.ts";
import type { ListAsk } from "./asks.ts";
import { type JsonList, jsonList } from "./json_list.ts";
import { Largest, walk } from "./selection.ts";
import type { MonitoredServer } from "./server.ts";
import { take } from "./stored_entry.ts";

/** Names and patterns that are shown of one session. */
const MOST_OPEN = 20;

/** A session that is established. */
export type Established = Session & { readonly active: ActiveSession };

/** What sessions can be sorted by. */
export const SESSION_KEYS: Readonly<Record<string, (session: Established) => number>> = {
  session: ({ active }) => active.number,
  port: ({ remote }) => remote.port,
  openCount: ({ active }) => active.openCount,
  messagesIn: ({ active }) => active.messagesIn,
  messagesOut: ({ active }) => active.messagesOut,
  bytesIn: ({ bytesIn }) => bytesIn,
  bytesOut: ({ bytesOut }) => bytesOut,
  rate: ({ active }) => active.rate,
  pendingBytes: ({ active }) => active.outbox.pending,
};

/** Whether a session is established. */
export function isEstablished(session: Session): session is Established {
  return session.active !== undefined && !session.active.isEnded;
}

/** Describes the sessions that `ask` is about. */
export async function listSessions(server: MonitoredServer, ask: ListAsk): Promise<JsonList> {
  const largest = new Largest<Established>(ask.limit, SESSION_KEYS[ask.sort]);
  let count = 0;
  await walk(server.sessions, (session) => {
    if (!isEstablished(session) || !matches(session, ask.search)) return;
    count++;
    largest.add(session);
  });
  return await jsonList(count, largest.items, (session) => sessionEntry(session), server.limits);
}

/** Describes one session. */
export function sessionEntry({ uuid, remote, since, active, bytesIn, bytesOut }: Established): SessionEntry {
  const { number, name, outbox, identity, messagesIn, messagesOut, rate } = active;
  return {
    session: number,
    uuid,
    name,
    address: remote.address,
    port: remote.port,
    transport: remote.transport ?? "tcp",
    since,
    ...identity && { token: identity.id },
    open: [...take(active.open, MOST_OPEN)],
    openCount: active.openCount,
    messagesIn,
    messagesOut,
    bytesIn,
    bytesOut,
    rate,
    pendingBytes: outbox.pending,
    isHeldBack: active.heldOn !== undefined,
    isSlow: !outbox.hasRoom(1),
  };
}

function matches({ uuid, remote, active }: Established, search: string): boolean {
  if (search === "") return true;
  const { number, name, identity } = active;
  return name.toLowerCase().includes(search) || String(number).includes(search) ||
    `${remote.address}:${remote.port}`.includes(search) || uuid.startsWith(search) ||
    identity?.id.startsWith(search) === true;
}
