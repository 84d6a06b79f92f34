/**
 * The channels of a chat and what happens on them: their members, their messages, and what a broken
 * connection changes.
 *
 * @module
 */

import type { Client, Subscription } from "../../../client/api.ts";
import type { ClientEvent } from "../../../client/events.ts";
import type { PresenceChange, SendOptions } from "../../../client/options.ts";
import { ParleyError } from "../../../errors.ts";
import { isPattern } from "../../../wire/names.ts";
import { decodeText } from "../payload.ts";
import { visible } from "../../terminal.ts";
import { Announcements, listNames } from "./announcements.ts";
import { People } from "./people.ts";
import type { ReceivedMessage, ReceivedType, Screen } from "./screen.ts";
import { StoredMessages } from "./stored_messages.ts";

/** How a conversation is held, and what it tells its owner. */
export interface ConversationOptions {
  /**
   * Whether a person sees it. What this client says is then shown too, and messages that may be lost are only shown:
   * otherwise they also make the end of the chat a failure.
   */
  readonly isInteractive: boolean;
  /** A channel was joined or asked. */
  seen(channel: string): void;
  /** Another channel is talked on, or the connection broke or came back. */
  changed(): void;
  /** Nothing is received on a channel any more, although the client is still connected. */
  lost(channel: string, error: unknown): void;
}

/** How long `/join` and `/leave` wait for the server, in milliseconds. */
const ANSWER_MS = 10_000;

/** Names listed when a channel is joined, which fit a line, and by `/who`. */
const [FEW_NAMES, MANY_NAMES] = [10, 200];

const VERBS = { joined: "joined", parted: "left" } as const;

/** One client's part in the channels it has joined. */
export class Conversation implements Disposable {
  readonly people: People = new People(() => this.#joined.values());

  readonly #client: Client;
  readonly #screen: Screen;
  readonly #options: ConversationOptions;
  readonly #announcements: Announcements;
  readonly #joined = new Map<string, Subscription>();
  readonly #known = new Set<string>();
  readonly #stored: StoredMessages;
  #current: string | undefined;
  /** Counts broken connections. Until the members are known again, changes of presence are only their renewal. */
  #breaks = 0;
  #isRenewed = true;

  constructor(client: Client, screen: Screen, options: ConversationOptions) {
    this.#client = client;
    this.#screen = screen;
    this.#options = options;
    this.#stored = new StoredMessages(client);
    this.#announcements = new Announcements((text) => screen.notice(text));
    this.#showInbox().catch(() => {}); // the client is over, which ends the chat
  }

  /** The channel that is talked on; undefined if all were left. */
  get current(): string | undefined {
    return this.#current;
  }

  /** The joined channels. */
  get joined(): string[] {
    return [...this.#joined.keys()];
  }

  /** The channels that were joined or asked, also earlier. */
  get known(): string[] {
    return [...this.#known];
  }

  /** Adds channels that were known before. */
  addKnown(channels: Iterable<string>): void {
    for (const channel of channels) this.#known.add(channel);
  }

  /** Whether there is a connection. */
  get isConnected(): boolean {
    return this.#client.isConnected;
  }

  /** The id of this client's session. */
  get own(): number {
    return this.#client.sessionId;
  }

  /** Joins a channel, or goes back to one. `hint` is shown behind the list of its members. */
  async join(channel: string, hint = ""): Promise<void> {
    if (isPattern(channel)) throw wrong(`${channel} is a pattern; join a channel, such as chat.lobby`);
    if (!this.#joined.has(channel)) {
      const subscription = await this.#client.subscribe(channel, {
        echo: false,
        timeoutMs: ANSWER_MS,
        presence: (change) => this.#presenceChanged(channel, change),
      });
      this.#joined.set(channel, subscription);
      this.#seen(channel);
      this.#rememberMembers();
      this.#showMessages(subscription).catch((error) => this.#lost(subscription, error));
    }
    this.#talkOn(channel);
    this.#showMembers(channel, FEW_NAMES, hint);
  }

  /** Leaves a channel, by default the current one, and talks on the one joined before it. */
  async leave(given: string): Promise<void> {
    const channel = this.#joinedOne(given);
    const subscription = this.#joined.get(channel)!;
    this.#joined.delete(channel);
    this.people.changed();
    this.#screen.notice(`you left ${channel}`);
    if (channel === this.#current) this.#talkOn(this.joined.at(-1));
    if (this.#current !== undefined) this.#showMembers(this.#current, FEW_NAMES);
    await subscription.end();
  }

  /** Lists the members of a channel, by default the current one. */
  who(given: string): void {
    this.#showMembers(this.#joinedOne(given), MANY_NAMES);
  }

  /** Shows the last messages that are stored of the current channel. `given` says how many. */
  async history(given: string): Promise<void> {
    const channel = this.#joinedOne("");
    const messages = await this.#stored.last(channel, this.#joined.get(channel)!.stored, given);
    this.#screen.notice(`${channel}: the last ${messages.length} stored messages`);
    for (const message of messages) await this.#showReceived("stored", message);
  }

  /** Sends a message, by default on the current channel. Resolves when there is room for more. */
  async say(
    payload: string | Uint8Array,
    options: SendOptions = { kind: "text" },
    channel = this.#current,
  ): Promise<void> {
    if (channel === undefined) throw wrong("there is no channel to talk on; /join CHANNEL joins one");
    const sent = this.#client.publish(channel, payload, options);
    if (this.#options.isInteractive) this.#showOwn("", String(payload))?.catch(() => {});
    await sent;
  }

  /** Sends `NAME TEXT` to the session of that name. */
  async tell(argument: string): Promise<void> {
    const { id, rest, name } = this.people.findOne(argument);
    if (rest === "") throw wrong(`there is no text for ${name}: /msg NAME TEXT`);
    const label = this.people.label(id);
    await this.#client.sendTo(id, rest);
    await this.#showOwn(` (to ${visible(label)})`, rest);
  }

  /** Sends `CHANNEL TEXT` as a request, and shows the reply. */
  async ask(argument: string): Promise<void> {
    const [, channel, text] = /^(\S+)\s+(.*)$/s.exec(argument) ?? [];
    if (channel === undefined) throw wrong("/ask needs a channel and a text: /ask CHANNEL TEXT");
    const reply = this.#client.request(channel, text);
    reply.then(() => this.#seen(channel), () => {});
    await this.#showOwn(` (asks ${visible(channel)})`, text);
    await this.#showReceived("reply", await reply, ` (replies on ${visible(channel)})`);
  }

  /** Takes a change of the connection's state. */
  connectionChanged({ type }: ClientEvent): void {
    if (type === "interrupted") {
      this.#breaks++;
      this.#isRenewed = false;
    } else if (type === "resumed") {
      this.people.forget();
      this.#stored.forget();
      void this.#renew(this.#breaks);
    }
    this.#options.changed();
  }

  [Symbol.dispose](): void {
    this.#announcements[Symbol.dispose]();
  }

  /** Waits until the members are known again: a PONG comes behind the answers to all that was renewed. */
  async #renew(breaks: number): Promise<void> {
    await this.#client.ping().catch(() => {});
    if (breaks !== this.#breaks) return;
    if (this.#options.isInteractive) this.#client.flush().catch(() => {}); // which fails once if there are any
    this.#isRenewed = true;
    this.#rememberMembers();
    for (const channel of this.#joined.keys()) this.#showMembers(channel, FEW_NAMES);
    this.#options.changed();
  }

  #seen(channel: string): void {
    this.#known.add(channel);
    this.#options.seen(channel);
  }

  #presenceChanged(channel: string, change: PresenceChange): void {
    const { type, sessionId, name } = change;
    if (!this.#isRenewed) return; // what has left are the sessions of before, whose ids are stale
    this.people.remember(sessionId, name);
    if (sessionId === this.#client.sessionId || this.#stored.isOwn(change)) return;
    if (this.#screen.presence !== undefined) return this.#screen.presence(channel, change);
    const where = this.#joined.size > 1 ? channel : "";
    const label = this.people.hasAnother(name, sessionId) ? `${name}#${sessionId}` : name;
    this.#announcements.add({ name: label, verb: VERBS[type], where });
  }

  async #showMessages(subscription: Subscription): Promise<void> {
    const { channel } = subscription;
    for await (const message of subscription) {
      this.#stored.received(channel, message.sequence);
      const shown = this.#showReceived("message", message);
      if (shown !== undefined) await shown;
    }
  }

  async #showInbox(): Promise<void> {
    for await (const message of this.#client.inbox) {
      await this.#showReceived("direct", message, " (to you)");
    }
  }

  #showReceived(type: ReceivedType, message: ReceivedMessage, note = ""): Promise<void> | undefined {
    const { sender, payload, channel } = message;
    const isElsewhere = type === "message" && channel !== this.#current;
    const text = decodeText(payload) ?? `(${payload.length} bytes that are not text)`;
    const name = this.people.label(sender);
    const received = { type, message };
    return this.#screen.message({ name, note, channel: isElsewhere ? channel : undefined, text, received });
  }

  #showOwn(note: string, text: string): Promise<void> | undefined {
    return this.#screen.message({ name: this.#client.name, note, channel: undefined, text });
  }

  #lost({ channel }: Subscription, error: unknown): void {
    if (!this.isConnected || !this.#joined.delete(channel)) return; // the client is over, which ends the chat
    this.people.changed();
    if (channel === this.#current) this.#talkOn(this.joined.at(-1));
    this.#options.lost(channel, error);
  }

  #talkOn(channel: string | undefined): void {
    this.#current = channel;
    this.#options.changed();
  }

  #joinedOne(given: string): string {
    const channel = given === "" ? this.#current : given;
    if (channel === undefined) throw wrong("there is no channel; /join CHANNEL joins one");
    if (!this.#joined.has(channel)) throw wrong(`you have not joined ${visible(channel)}`);
    return channel;
  }

  #rememberMembers(): void {
    for (const [id, name] of this.people.present) this.people.remember(id, name);
  }

  /** Lists the members: `chat.lobby: you (Ada), Grace and 28 more`. */
  #showMembers(channel: string, maxNames: number, hint = ""): void {
    const { members, memberCount } = this.#joined.get(channel)!;
    if (this.#screen.members !== undefined) return this.#screen.members(channel, members, memberCount);
    const own = this.#client.sessionId;
    const others = [...members.keys()].filter((id) => id !== own).map((id) => visible(this.people.label(id)));
    const names = [`you (${visible(this.#client.name)})`, ...others];
    const list = memberCount > 1 ? listNames(names, memberCount, maxNames) : `${names[0]} alone`;
    this.#screen.notice(`${channel}: ${list}${hint}`);
  }
}

function wrong(text: string): ParleyError {
  return new ParleyError("bad_argument", text);
}
