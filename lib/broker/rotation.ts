/**
 * The order in which the members of a group, or the responders of a channel, take turns.
 *
 * A turn belongs to the member, not to the channel: next is the member whose last turn is longest ago, whatever channel
 * it was on. So members share the load evenly even if each channel carries a single message.
 *
 * @module
 */

import type { Peer, Turn } from "./peer.ts";
import type { WorkBudget } from "./work_budget.ts";

/** In place of a number of bytes: a member is given its turn even if it has no room. */
export const EVEN_IF_FULL = -1;

/** Counts the turns of one group, or of all responders of a server. */
export interface TurnCounter {
  count: number;
}

/** A member of a rotation. */
export interface Member {
  readonly peer: Peer;
  readonly turn: Turn;
  /** Whether the member receives what its own session sends. */
  readonly echo: boolean;
  /** What its session wants, if a pattern made it a member: it may not know the number of the channel yet. */
  readonly wants?: Wants;
}

/** What a session that a pattern brings to a channel does there. */
export interface Wants {
  readonly subscribe: boolean;
  readonly respond: boolean;
}

/** The members of one group, or the responders, on one channel or on several that are covered alike. */
export class Rotation {
  /** The group; empty for responders. */
  readonly name: string;
  readonly #counter: TurnCounter;
  readonly #members: Member[];
  readonly #budget: WorkBudget;
  /** Whether a member may be given something, apart from having room. */
  readonly accepts: (peer: Peer) => boolean;
  /** The member to begin with; from here on, once around, members stand in the order of their last turns. */
  #first = 0;
  /** The counter when that order was last made or kept; if it has moved since, members had turns elsewhere. */
  #inOrderAt = -1;

  constructor(
    name: string,
    counter: TurnCounter,
    members: Member[],
    budget: WorkBudget,
    accepts: (peer: Peer) => boolean = () => true,
  ) {
    this.name = name;
    this.accepts = accepts;
    this.#counter = counter;
    this.#members = members;
    this.#budget = budget;
  }

  /** How many members there are. */
  get size(): number {
    return this.#members.length;
  }

  /** The members, in no particular order. */
  get members(): readonly Member[] {
    return this.#members;
  }

  /** The members in the order of their turns, the next one first. Costs sorting them. */
  get inTurn(): Member[] {
    return this.#members.toSorted((one, other) => one.turn.last - other.turn.last);
  }

  /** Whether some member that `from` can reach has room for `bytes`, or there is no such member. */
  hasRoom(from: Peer | undefined, bytes: number): boolean {
    let isEmpty = true;
    for (let i = 0; i < this.#members.length; i++) {
      if (!receives(this.#members[i], from)) continue;
      if (this.#members[i].peer.outbox.hasRoom(bytes)) return true;
      isEmpty = false;
    }
    return isEmpty;
  }

  /** Registers `waiter` with every member that `from` can reach and that lacks room: the first to have some will do. */
  whenRoom(from: Peer | undefined, bytes: number, waiter: () => void, isPatient: boolean): void {
    for (const member of this.#members) {
      const { outbox } = member.peer;
      if (receives(member, from) && !outbox.hasRoom(bytes)) outbox.whenRoom(waiter, isPatient);
    }
  }

  /**
   * Gives the turn to the next member that `from` can reach and that has room for `bytes`.
   *
   * Costs a comparison while all have room and no turns were given elsewhere; otherwise once a look at every member.
   */
  next(from: Peer | undefined, bytes: number): Member | undefined {
    const members = this.#members;
    if (this.#counter.count !== this.#inOrderAt) {
      members.sort((one, other) => one.turn.last - other.turn.last);
      this.#first = 0;
      this.#inOrderAt = this.#counter.count;
      this.#budget.spend(members.length);
    }
    for (let i = 0; i < members.length; i++) {
      const at = (this.#first + i) % members.length;
      const member = members[at];
      if (!receives(member, from) || !this.accepts(member.peer)) continue;
      if (bytes !== EVEN_IF_FULL && !member.peer.outbox.hasRoom(bytes)) continue;
      member.turn.last = ++this.#counter.count;
      if (i === 0) {
        this.#first = at + 1 === members.length ? 0 : at + 1;
        this.#inOrderAt = this.#counter.count;
      }
      return member;
    }
    this.#budget.spend(members.length);
    return undefined;
  }
}

function receives({ peer, echo }: Member, from: Peer | undefined): boolean {
  return !peer.isEnded && (echo || peer !== from);
}
