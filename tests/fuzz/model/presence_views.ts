/**
 * The members of a channel, as each client that watches it has been told: those in OPENED, and JOINED and PARTED since.
 *
 * @module
 */

import { Type } from "../../../lib/wire/header.ts";
import { typeName } from "../../../lib/wire/type_name.ts";
import { ECHO } from "../../../lib/wire/names.ts";
import type { Member, Opened } from "../../../lib/wire/control.ts";
import type { SimulatedClient } from "./simulated_client.ts";

/** The session numbers that one client takes for the members of a channel. */
interface View {
  readonly name: string;
  readonly members: Set<number>;
}

/** See the module's comment. */
export class PresenceViews {
  readonly #violated: (detail: string) => void;
  /** By client and number of the channel. */
  readonly #views = new Map<SimulatedClient, Map<number, View>>();

  constructor(violated: (detail: string) => void) {
    this.#violated = violated;
  }

  /** A client has been answered OPENED. Without `members` it no longer watches. */
  opened(client: SimulatedClient, { channel, number, members, count }: Opened): void {
    const views = this.#viewsOf(client);
    // On $echo each session is alone.
    if (members === undefined || channel === ECHO) return void views.delete(number);
    views.set(number, { name: channel, members: new Set(members.map((member) => member.number)) });
    if (count !== members.length) {
      this.#violated(`${count} members of ${channel}, and ${members.length} listed`);
    }
  }

  /** A client has been answered LEFT. */
  left(client: SimulatedClient, channel: number): void {
    this.#viewsOf(client).delete(channel);
  }

  /** A client is told that a session has come or gone. */
  changed(client: SimulatedClient, type: number, channel: number, { number }: Member): void {
    const members = this.#viewsOf(client).get(channel)?.members;
    const what = `${typeName(type)} of ${number} to session ${client.number}`;
    if (members === undefined) this.#violated(`${what}, which does not watch`);
    else if (members.has(number) === (type === Type.JOINED)) this.#violated(`${what}, which knew it already`);
    else if (type === Type.JOINED) members.add(number);
    else members.delete(number);
  }

  /** Every client reads, and nothing is on its way. */
  settled(clients: readonly SimulatedClient[]): void {
    const ready = clients.filter(({ isReady }) => isReady);
    for (const client of ready) {
      for (const { name, members } of this.#viewsOf(client).values()) {
        const there = ready.filter(({ openState }) => openState.confirmed(name)?.subscribe === true)
          .map(({ number }) => number).sort((one, other) => one - other);
        const known = [...members].sort((one, other) => one - other);
        if (there.join() === known.join()) continue;
        this.#violated(`session ${client.number} knows ${known} on ${name}; there are ${there}`);
      }
    }
  }

  #viewsOf(client: SimulatedClient): Map<number, View> {
    let views = this.#views.get(client);
    if (views === undefined) this.#views.set(client, views = new Map());
    return views;
  }
}
