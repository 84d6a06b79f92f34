/**
 * What one client has open: as the server has answered so far, and whether what it has asked for since changes that.
 *
 * Answers come in the order of what they answer, and messages in between. So what the answers so far say holds, at the
 * server, for every message that arrives after them and before the next one.
 *
 * @module
 */

import { overlaps } from "../../../lib/wire/names.ts";
import type { OpenOptions } from "../../harness/raw_client.ts";

/** What a client is subscribed to through one name or pattern. */
export interface Subscribed {
  /** Without a group: it receives each message. */
  readonly isPlain: boolean;
  /** Its own messages, too. */
  readonly hasEcho: boolean;
  readonly group: string | undefined;
}

/** Not subscribed. */
const NOTHING: Subscribed = { isPlain: false, hasEcho: false, group: undefined };

/** The options of an OPEN, or `undefined` for a LEAVE. */
type Asked = OpenOptions | undefined;

/** A name or pattern that the client has opened at some time. */
interface Entry {
  /** The options that the server has confirmed last; `undefined` if it is not open. */
  confirmed: Asked;
  /** What `confirmed` amounts to. */
  current: Subscribed;
  /** What of it no frame that is not answered yet can change. */
  lasting: Subscribed;
  /** How many frames about it are not answered, and how many of them subscribe in each way. */
  readonly unanswered: {
    all: number;
    plain: number;
    echo: number;
    leaves: number;
    groups: Map<string, number>;
  };
}

/** See the module's comment. */
export class OpenState {
  readonly #entries = new Map<string, Entry>();
  readonly #onLasting: (channel: string, before: Subscribed, after: Subscribed) => void;
  #unanswered: { readonly channel: string; readonly asked: Asked }[] = [];
  #at = 0;
  /** Results of `covering`. */
  readonly #covering = new Map<string, { isSubscribed: boolean; groups: ReadonlySet<string> }>();

  /** @param onLasting is told of each change of what the client is subscribed to for good */
  constructor(onLasting: (channel: string, before: Subscribed, after: Subscribed) => void) {
    this.#onLasting = onLasting;
  }

  /** The names and patterns that were ever opened, and what the client is subscribed to for good through them. */
  *lasting(): Iterable<[channel: string, Subscribed]> {
    for (const [channel, { lasting }] of this.#entries) yield [channel, lasting];
  }

  /** By the answers so far: whether the client is subscribed to the channel of that name, and in which groups. */
  covering(name: string): { isSubscribed: boolean; groups: ReadonlySet<string> } {
    let covering = this.#covering.get(name);
    if (covering !== undefined) return covering;
    const groups = new Set<string>();
    let isSubscribed = false;
    for (const [channel, { current: { isPlain, group } }] of this.#entries) {
      if (!isPlain && group === undefined || !covers(channel, name)) continue;
      isSubscribed = true;
      if (group !== undefined) groups.add(group);
    }
    this.#covering.set(name, covering = { isSubscribed, groups });
    return covering;
  }

  /** The options of the last OPEN of `channel` that the server confirmed, if it is open. */
  confirmed(channel: string): OpenOptions | undefined {
    return this.#entries.get(channel)?.confirmed;
  }

  /** Whether `channel` is open, and stays so whatever is answered next. */
  isOpen(channel: string): boolean {
    const entry = this.#entries.get(channel);
    return entry?.confirmed !== undefined && entry.unanswered.leaves === 0;
  }

  /** The client sends OPEN with `asked`, or LEAVE without. */
  ask(channel: string, asked: Asked): void {
    let entry = this.#entries.get(channel);
    if (entry === undefined) {
      const unanswered = { all: 0, plain: 0, echo: 0, leaves: 0, groups: new Map<string, number>() };
      entry = { confirmed: undefined, current: NOTHING, lasting: NOTHING, unanswered };
      this.#entries.set(channel, entry);
    }
    this.#unanswered.push({ channel, asked });
    count(entry, asked, 1);
    this.#update(channel, entry);
  }

  /** The server confirms or refuses the oldest frame that it has not answered yet. Returns the name or pattern. */
  answered(isConfirmed: boolean): string | undefined {
    if (this.#at === this.#unanswered.length) return undefined;
    const { channel, asked } = this.#unanswered[this.#at++];
    if (this.#at === this.#unanswered.length) {
      this.#unanswered = [];
      this.#at = 0;
    }
    const entry = this.#entries.get(channel)!;
    count(entry, asked, -1);
    if (isConfirmed) {
      entry.confirmed = asked;
      entry.current = subscribed(asked);
      this.#covering.clear();
    }
    this.#update(channel, entry);
    return channel;
  }

  #update(channel: string, entry: Entry): void {
    const { current, unanswered: { all, plain, echo, groups }, lasting: before } = entry;
    const isPlain = current.isPlain && plain === all;
    const hasEcho = isPlain && current.hasEcho && echo === all;
    const isGrouped = current.group !== undefined && (groups.get(current.group) ?? 0) === all;
    const group = isGrouped ? current.group : undefined;
    if (isPlain === before.isPlain && hasEcho === before.hasEcho && group === before.group) return;
    const after = isPlain || isGrouped ? { isPlain, hasEcho, group } : NOTHING;
    entry.lasting = after;
    this.#onLasting(channel, before, after);
  }
}

/** Whether a name or pattern covers the channel of that name. */
export function covers(pattern: string, name: string): boolean {
  return overlaps(pattern.split("."), name.split("."));
}

function subscribed(asked: Asked): Subscribed {
  if (asked?.subscribe !== true) return NOTHING;
  const { group, echo } = asked;
  return { isPlain: group === undefined, hasEcho: group === undefined && echo !== false, group };
}

function count({ unanswered }: Entry, asked: Asked, by: number): void {
  const { isPlain, hasEcho, group } = subscribed(asked);
  unanswered.all += by;
  if (asked === undefined) unanswered.leaves += by;
  if (isPlain) unanswered.plain += by;
  if (hasEcho) unanswered.echo += by;
  if (group !== undefined) unanswered.groups.set(group, (unanswered.groups.get(group) ?? 0) + by);
}
