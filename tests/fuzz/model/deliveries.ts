/**
 * Which messages each client was promised, and which it received.
 *
 * A client that is subscribed to a channel, and has asked for nothing that changes it, is promised every message that is
 * published from then on. All clients are in one process and one thread, so "from then on" is exact: whatever another
 * client sends after this one has read its OPENED, the server handles after the OPEN.
 *
 * @module
 */

import { INBOX } from "../../../lib/wire/header.ts";
import { ECHO } from "../../../lib/wire/names.ts";
import { covers, type Subscribed } from "./open_state.ts";
import type { SimulatedClient } from "./simulated_client.ts";

/** A message, as its payload describes it. */
export interface Numbered {
  /** Its number among all messages of its sender on its channel, from 1. */
  readonly sequence: number;
  /** How many of those, itself included, the server must have accepted. */
  readonly accepted: number;
  /** Whether it must have accepted this one. */
  readonly isAccepted: boolean;
}

/** The messages that one client is promised of one name, by channel and sender: how many have come, or are excused. */
type Seen = Map<string, number>;

/** What a client is promised of one name. */
interface Promised {
  /** Subscriptions without a group that cover the name, and how many of them want the client's own messages. */
  plain: number;
  echo: number;
  /** Of other sessions; `undefined` if it is promised nothing. */
  others: Seen | undefined;
  own: Seen | undefined;
}

/** What one group is promised of one name. */
interface Group {
  /** The members that stay, and since which message. */
  readonly members: Map<SimulatedClient, { subscriptions: number; since: number }>;
  /** Each session that was ever a member. */
  readonly ever: Set<SimulatedClient>;
  /** What was published while there were members: by channel and sender, the numbers, and when. */
  readonly expected: Map<string, { readonly accepted: number; readonly at: number }[]>;
  readonly received: Map<string, Set<number>>;
}

type Violated = (detail: string, kind: "lost message" | "order" | "unexpected message") => void;

/** See the module's comment. */
export class Deliveries {
  readonly #violated: Violated;
  /** Of each channel number, the name. */
  readonly #names = new Map<number, string>();
  /** By channel and sender, how many messages the server must have accepted. */
  readonly #accepted = new Map<string, number>();
  readonly #promised = new Map<SimulatedClient, Map<string, Promised>>();
  /** By name of the channel, then by name of the group. */
  readonly #groups = new Map<string, Map<string, Group>>();
  /** Messages published so far. */
  #published = 0;

  constructor(violated: Violated) {
    this.#violated = violated;
  }

  /** A client connects. */
  add(client: SimulatedClient): void {
    this.#promised.set(client, new Map());
    for (const name of this.#groups.keys()) this.#promised.get(client)!.set(name, nothing());
  }

  /** A client has been told its number: from now on it is promised every message to its inbox. */
  welcomed(client: SimulatedClient): void {
    const inbox = (INBOX | client.number) >>> 0;
    for (const [key, accepted] of this.#accepted) {
      if (parseInt(key) === inbox) client.seenDirect.set(key, accepted);
    }
  }

  /** A client has been told the number of a channel. */
  named(channel: number, name: string): void {
    const known = this.#names.get(channel);
    if (known === name) return;
    if (known !== undefined) {
      return this.#violated(`number ${channel} is ${known}'s, and now ${name}'s`, "unexpected message");
    }
    this.#names.set(channel, name);
    // A name with another number than before is no news; on $echo each session is alone.
    if (name === ECHO || this.#groups.has(name)) return;
    this.#groups.set(name, new Map());
    for (const [client, promised] of this.#promised) {
      promised.set(name, nothing());
      for (const [pattern, lasting] of client.openState.lasting()) {
        if (covers(pattern, name)) this.#change(client, name, 1, lasting);
      }
    }
  }

  /** A client's subscription through a name or pattern lasts, or no longer does. */
  changed(client: SimulatedClient, pattern: string, before: Subscribed, after: Subscribed): void {
    for (const name of this.#groups.keys()) {
      if (!covers(pattern, name)) continue;
      // The new one first: a promise that both give does not begin anew.
      this.#change(client, name, 1, after);
      this.#change(client, name, -1, before);
    }
  }

  /** A client publishes on a channel, or to an inbox. Returns {@linkcode Numbered.accepted}. */
  published(client: SimulatedClient, channel: number, isAccepted: boolean): number {
    const key = `${channel} ${client.number}`;
    const accepted = (this.#accepted.get(key) ?? 0) + (isAccepted ? 1 : 0);
    this.#accepted.set(key, accepted);
    if (!isAccepted) return accepted;
    this.#published++;
    for (const group of this.#groups.get(this.#names.get(channel) ?? "")?.values() ?? []) {
      if (group.members.size === 0) continue;
      const expected = group.expected.get(key);
      const entry = { accepted, at: this.#published };
      if (expected === undefined) group.expected.set(key, [entry]);
      else expected.push(entry);
    }
    return accepted;
  }

  /** A client receives a message. */
  received(client: SimulatedClient, channel: number, sender: number, message: Numbered): void {
    const name = this.#names.get(channel);
    const key = `${channel} ${sender}`;
    if (name === undefined || name === ECHO) return this.#check(client, client.seenDirect, key, message);
    const promised = this.#promised.get(client)!.get(name)!;
    const seen = sender === client.number ? promised.own : promised.others;
    if (seen !== undefined) this.#check(client, seen, key, message);
    const { isSubscribed, groups } = client.openState.covering(name);
    if (!isSubscribed) {
      this.#violated(`session ${client.number} is not subscribed to ${name}`, "unexpected message");
    }
    if (message.isAccepted) { for (const group of groups) this.#receivedInGroup(name, group, key, message); }
  }

  /** Every client reads, and every deadline has passed: what was promised must have come. */
  settled(clients: readonly SimulatedClient[]): void {
    const ready = new Map(clients.filter(({ isReady }) => isReady).map((client) => [client.number, client]));
    for (const client of ready.values()) this.#settled(client, ready);
    for (const [name, groups] of this.#groups) {
      for (const [group, state] of groups) this.#settledGroup(`group ${group} on ${name}`, state, ready);
    }
  }

  #settled(client: SimulatedClient, ready: ReadonlyMap<number, SimulatedClient>): void {
    for (const [key, accepted] of this.#accepted) {
      const [channel, sender] = key.split(" ").map(Number);
      if (!ready.has(sender)) continue; // some of it may never have reached the server
      const name = this.#names.get(channel);
      const promised = name === undefined ? undefined : this.#promised.get(client)!.get(name);
      const isDirect = channel === (INBOX | client.number) >>> 0 ||
        (name === ECHO && sender === client.number);
      const seen = isDirect ? client.seenDirect : sender === client.number ? promised?.own : promised?.others;
      const missing = seen === undefined ? 0 : accepted - (seen.get(key) ?? 0);
      if (missing > 0) {
        this.#violated(
          `the last ${missing} of ${accepted} messages of ${sender} on ${
            name ?? "its inbox"
          } never came to ` +
            `session ${client.number}`,
          "lost message",
        );
      }
    }
  }

  #settledGroup(what: string, group: Group, ready: ReadonlyMap<number, SimulatedClient>): void {
    // A member that has ended may have taken messages with it.
    for (const member of group.ever) if (!member.isReady) return;
    for (const [key, expected] of group.expected) {
      const sender = Number(key.split(" ")[1]);
      if (!ready.has(sender)) continue;
      const since = [...group.members].filter(([member]) => member.number !== sender)
        .reduce((least, [, { since }]) => Math.min(least, since), Infinity);
      const received = group.received.get(key);
      const lost = expected.filter(({ accepted, at }) => at > since && !received?.has(accepted));
      if (lost.length === 0) continue;
      this.#violated(
        `${lost.length} of ${expected.length} messages of ${sender} came to no member of ${what}`,
        "lost message",
      );
    }
  }

  /** Nothing between the last message and this one may be missing. */
  #check(client: SimulatedClient, seen: Seen, key: string, { accepted, isAccepted }: Numbered): void {
    const had = seen.get(key) ?? 0;
    const needs = isAccepted ? accepted - 1 : accepted;
    if (needs > had) {
      this.#violated(
        `session ${client.number} received message ${accepted} of ${key} after ${had}; ${
          needs - had
        } are missing`,
        "lost message",
      );
    }
    seen.set(key, Math.max(had, accepted));
  }

  #receivedInGroup(name: string, group: string, key: string, { accepted }: Numbered): void {
    const { received } = this.#group(name, group);
    let numbers = received.get(key);
    if (numbers === undefined) received.set(key, numbers = new Set());
    if (numbers.has(accepted)) {
      this.#violated(`message ${accepted} of ${key} came to two members of group ${group}`, "order");
    }
    numbers.add(accepted);
  }

  #change(client: SimulatedClient, name: string, by: 1 | -1, { isPlain, hasEcho, group }: Subscribed): void {
    const promised = this.#promised.get(client)!.get(name)!;
    if (isPlain) promised.plain += by;
    if (hasEcho) promised.echo += by;
    if (promised.plain === 0) promised.others = undefined;
    else promised.others ??= this.#soFar(name);
    if (promised.echo === 0) promised.own = undefined;
    else promised.own ??= this.#soFar(name);
    if (group === undefined) return;
    const { members, ever } = this.#group(name, group);
    ever.add(client);
    const member = members.get(client);
    if (member === undefined) members.set(client, { subscriptions: 1, since: this.#published });
    else if ((member.subscriptions += by) === 0) members.delete(client);
  }

  #group(name: string, group: string): Group {
    const groups = this.#groups.get(name)!;
    let known = groups.get(group);
    if (known === undefined) {
      known = { members: new Map(), ever: new Set(), expected: new Map(), received: new Map() };
      groups.set(group, known);
    }
    return known;
  }

  /** What was published on the channels of that name so far, which is not promised. */
  #soFar(name: string): Seen {
    return new Map([...this.#accepted].filter(([key]) => this.#names.get(parseInt(key)) === name));
  }
}

function nothing(): Promised {
  return { plain: 0, echo: 0, others: undefined, own: undefined };
}
