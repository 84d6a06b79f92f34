/**
 * The names of the sessions in a chat, also of those that have left.
 *
 * @module
 */

import type { Subscription } from "../../../client/api.ts";
import { ParleyError } from "../../../errors.ts";
import { visible } from "../../terminal.ts";

/** Names remembered. A message may arrive after its sender has left, but not after thousands of other changes. */
const MAX_NAMES = 10_000;

/** What is found for a name that is typed. */
export type Found =
  | { readonly kind: "one"; readonly id: number; readonly name: string; readonly rest: string }
  /** Several sessions have this name: the texts that tell them apart. */
  | { readonly kind: "several"; readonly labels: readonly string[] }
  | { readonly kind: "left"; readonly name: string }
  | { readonly kind: "unknown" };

/** The sessions that are subscribed to the same channels, and the names of those that were. */
export class People {
  /** The subscriptions, whose members the library keeps up to date. */
  readonly #subscriptions: () => Iterable<Pick<Subscription, "members">>;
  /** Names of sessions that may have left. */
  readonly #known = new Map<number, string>();
  /** How many sessions have each name; undefined after a change. */
  #counts: Map<string, number> | undefined;

  constructor(subscriptions: () => Iterable<Pick<Subscription, "members">>) {
    this.#subscriptions = subscriptions;
  }

  /** The sessions that are there have changed. */
  changed(): void {
    this.#counts = undefined;
  }

  /** Remembers the name of a session, so that it can still be told when it has left. */
  remember(id: number, name: string): void {
    this.changed();
    this.#known.delete(id); // the map keeps insertion order, so the oldest entry stays first
    this.#known.set(id, name);
    if (this.#known.size > MAX_NAMES) this.#known.delete(this.#known.keys().next().value!);
  }

  /** The session ids of before are stale, because the connection was renewed: another session may have one of them. */
  forget(): void {
    this.#known.clear();
    this.changed();
  }

  /** The sessions that are there now, id to name. */
  get present(): Map<number, string> {
    const present = new Map<number, string>();
    for (const { members } of this.#subscriptions()) for (const [id, name] of members) present.set(id, name);
    return present;
  }

  /** Whether another session than `id` is there under `name`. */
  hasAnother(name: string, id: number): boolean {
    for (const { members } of this.#subscriptions()) {
      for (const [other, its] of members) if (its === name && other !== id) return true;
    }
    return false;
  }

  /** The name of a session; if others have the same one, also its id. */
  label(id: number): string {
    const name = this.#nameOf(id);
    if (name === undefined) return id === 0 ? "the server" : `session ${id}`;
    this.#counts ??= this.#count();
    return (this.#counts.get(name) ?? 0) > 1 ? `${name}#${id}` : name;
  }

  /**
   * Finds the session whose name or label `text` begins with; behind it is the rest of the text. `#17` is a session that
   * is known by its id only.
   */
  find(text: string): Found {
    const present = this.present;
    const { name: typed = "", id, rest = "" } =
      /^(?<name>.*?)#(?<id>\d+)(?<rest>\s.*|)$/su.exec(text)?.groups ?? {};
    if (id !== undefined && (typed === "" || typed === present.get(Number(id)))) {
      return { kind: "one", id: Number(id), name: this.label(Number(id)), rest: rest.trim() };
    }
    const matches = [...present].filter(([, name]) => beginsWithName(text, name));
    const longest = Math.max(0, ...matches.map(([, { length }]) => length));
    const named = matches.filter(([, { length }]) => length === longest);
    if (named.length > 1) return { kind: "several", labels: named.map(([id, name]) => `${name}#${id}`) };
    if (named.length === 1) {
      const [[id, name]] = named;
      return { kind: "one", id, name, rest: text.slice(name.length).trim() };
    }
    const left = [...this.#known.values()].find((name) => beginsWithName(text, name));
    return left === undefined ? { kind: "unknown" } : { kind: "left", name: left };
  }

  /**
   * As {@linkcode find}.
   *
   * @throws {ParleyError} `bad_argument` if that is not one session
   */
  findOne(text: string): Found & { readonly kind: "one" } {
    const found = this.find(text);
    if (found.kind === "one") return found;
    throw new ParleyError("bad_argument", describeMiss(found, text));
  }

  #nameOf(id: number): string | undefined {
    for (const { members } of this.#subscriptions()) {
      const name = members.get(id);
      if (name !== undefined) return name;
    }
    return this.#known.get(id);
  }

  #count(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const name of this.present.values()) counts.set(name, (counts.get(name) ?? 0) + 1);
    return counts;
  }
}

/** Whether `text` is `name`, or begins with it and a space, in any case of letters. */
function beginsWithName(text: string, name: string): boolean {
  const start = text.slice(0, name.length);
  return start.toLowerCase() === name.toLowerCase() && /^(\s|$)/.test(text.slice(name.length));
}

function describeMiss(found: Exclude<Found, { kind: "one" }>, text: string): string {
  if (found.kind === "several") {
    return `several sessions have that name; choose one: ${found.labels.map(visible).join(", ")}`;
  }
  if (found.kind === "left") return `${visible(found.name)} has left`;
  return text === ""
    ? "/msg needs a name and a text: /msg NAME TEXT"
    : "no session here has that name; /who lists them";
}
