/**
 * The sessions that receive what is sent on a channel, in the form in which the router needs them.
 *
 * @module
 */

import { MAX_RECEIVED_REQUESTS } from "../limits.ts";
import type { Outbox, Peer, Subscription, Turn } from "./peer.ts";
import { type Member, Rotation, type TurnCounter } from "./rotation.ts";
import { Work, type WorkBudget } from "./work_budget.ts";

/** A subscription whose session receives each message. */
export interface Receiver {
  readonly peer: Peer;
  /** Whether the session receives its own messages. */
  readonly echo: boolean;
}

/** A session that must be told the number of a channel before its next message, and the frame that does. */
export interface Announcement {
  readonly peer: Peer;
  readonly frame: Uint8Array;
}

/** Where the messages and requests of a channel go. */
export interface Route {
  /** Where each message goes, if it goes to one session alone, also that session's own. */
  readonly only: Outbox | undefined;
  /** Each of them receives each message. */
  readonly all: readonly Receiver[];
  /** One member of each group receives a message. */
  readonly groups: readonly Rotation[];
  /** One of them is sent a request. */
  readonly responders: Rotation;
}

/** A group as the whole server knows it: its members keep their turns whatever channels come and go. */
interface Group {
  readonly counter: TurnCounter;
  readonly turns: Map<Peer, { readonly turn: Turn; subscriptions: number }>;
}

/** Makes routes, and knows the turns of every group and responder. */
export class Routes {
  readonly #budget: WorkBudget;
  readonly #groups = new Map<string, Group>();
  readonly #requests: TurnCounter = { count: 0 };

  constructor(budget: WorkBudget) {
    this.#budget = budget;
  }

  /** A subscription begins. */
  add({ peer, group, subscribe }: Subscription): void {
    if (group === undefined || !subscribe) return;
    let known = this.#groups.get(group);
    if (known === undefined) this.#groups.set(group, known = { counter: { count: 0 }, turns: new Map() });
    const member = known.turns.get(peer);
    if (member === undefined) known.turns.set(peer, { turn: { last: 0 }, subscriptions: 1 });
    else member.subscriptions++;
  }

  /** A subscription ends. */
  remove({ peer, group, subscribe }: Subscription): void {
    if (group === undefined || !subscribe) return;
    const known = this.#groups.get(group)!;
    const member = known.turns.get(peer)!;
    if (--member.subscriptions > 0) return;
    known.turns.delete(peer);
    if (known.turns.size === 0) this.#groups.delete(group);
  }

  /** Makes the route of a channel that `subscriptions` match. Costs a look at each of them. */
  make(subscriptions: readonly Subscription[]): Route {
    this.#budget.spend(subscriptions.length * Work.SUBSCRIPTION);
    const all = new Map<Peer, Receiver>();
    const groups = new Map<string, Member[]>();
    const responders = new Map<Peer, Member>();
    for (const { peer, subscribe, group, consumer, echo } of subscriptions) {
      // A session that matches twice receives once; its own messages too, if one of the two wants them.
      if (subscribe && group === undefined && consumer === undefined && !all.get(peer)?.echo) {
        all.set(peer, { peer, echo });
      }
    }
    for (const subscription of subscriptions) {
      const { peer, subscribe, respond, group, echo, isPattern } = subscription;
      // Plain subscribers are told the number before the first message, all of them at once.
      const wants = isPattern && !all.has(peer) ? { subscribe, respond } : undefined;
      if (respond) responders.set(peer, { peer, turn: peer.requestTurn, echo: true, wants });
      if (!subscribe || group === undefined) continue;
      let members = groups.get(group);
      if (members === undefined) groups.set(group, members = []);
      members.push({ peer, echo, turn: this.#groups.get(group)!.turns.get(peer)!.turn, wants });
    }
    const [first] = all.values();
    const isOnly = all.size === 1 && first.echo && groups.size === 0;
    return {
      only: isOnly ? first.peer.outbox : undefined,
      all: [...all.values()],
      groups: [...groups].map(([name, members]) =>
        new Rotation(name, this.#groups.get(name)!.counter, members, this.#budget)
      ),
      responders: new Rotation("", this.#requests, [...responders.values()], this.#budget, mayAnswerMore),
    };
  }
}

function mayAnswerMore(responder: Peer): boolean {
  return responder.pendingRequests.received < MAX_RECEIVED_REQUESTS;
}
