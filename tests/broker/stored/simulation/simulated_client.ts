/**
 * A client over a simulated connection: it opens stored channels, publishes, reads at its own pace, and notes all that it
 * is told.
 *
 * @module
 */

import type { Transport } from "../../../../lib/broker/peer.ts";
import { Session } from "../../../../lib/broker/session.ts";
import { HEADER_BYTES, SEQUENCE_BYTES } from "../../../../lib/limits.ts";
import { encodeControl, type ErrorPayload, type Opened } from "../../../../lib/wire/control.ts";
import { encodeFrame, readHeader, Type, u16, u32 } from "../../../../lib/wire/header.ts";
import { typeName } from "../../../../lib/wire/type_name.ts";
import { u64 } from "../../../../lib/wire/sequences.ts";
import { readNumbered } from "../../../crash/numbered.ts";
import { isPattern } from "../../../../lib/wire/names.ts";
import { covers } from "../../../fuzz/model/open_state.ts";
import { concat, type OpenOptions } from "../../../harness/raw_client.ts";
import { Publication } from "./publication.ts";
import type { Records, Shared } from "./records.ts";
import { SimulatedOutbox } from "./simulated_outbox.ts";
import type { SimulatedServer } from "./simulated_server.ts";
import { Subscribed, type SubscriptionOptions } from "./subscribed.ts";

/** An OPEN or LEAVE that waits for its answer. */
interface Asked {
  readonly id: number;
  readonly channel: string;
  /** Of an OPEN. */
  readonly options?: ClientOpen;
}

/** What a client may ask for. */
export interface ClientOpen extends OpenOptions {
  /** Whether it will publish there. */
  publish?: boolean;
  /** The subscription that this one continues, from another session. */
  continues?: Subscribed;
  /** With `retry`: whether the next attempt begins with OPENED; if not, it has begun with OPEN. */
  begins?: boolean;
}

/** What is noted of an OPENED at the moment when it is sent. */
interface OpenedNote {
  /** The sequence after the last one of each channel. */
  readonly nexts: ReadonlyMap<string, number>;
  /** Higher than that of every one before. */
  readonly order: number;
  /** The group or consumer that the session is in from then on. */
  readonly shared: Shared | undefined;
}

/** See the module's comment. */
export class SimulatedClient {
  /** The session's number; 0 before WELCOME. */
  number = 0;
  isConnected = true;
  readonly server: SimulatedServer;
  /** By the number of the channel. */
  readonly publications = new Map<number, Publication>();
  /** By name or pattern. */
  readonly subscribed = new Map<string, Subscribed>();
  readonly #records: Records;
  readonly #session: Session;
  readonly #outbox: SimulatedOutbox;
  readonly #asked: Asked[] = [];
  readonly #names = new Map<number, string>();
  /** The sequence of the next message, by the number of the channel; and how often it was delivered before. */
  readonly #positions = new Map<number, { sequence: number; before: number }>();
  /** The groups and consumers that it is in, by channel, as far as the server has answered. */
  readonly #shared = new Map<string, Shared>();
  /** The writers that it is. */
  readonly #own = new Set<number>();
  #lastId = 0;
  #afterWelcome = () => {};
  /** What the session has not taken. */
  #input = new Uint8Array(0);

  /** @param room how much may wait to be read, in bytes */
  constructor(server: SimulatedServer, records: Records, room: number) {
    this.server = server;
    this.#records = records;
    this.#outbox = new SimulatedOutbox(room, (bytes) => this.#noteAt(bytes), records.violated);
    const transport: Transport = {
      outbox: this.#outbox,
      pause: () => {},
      resume: () => this.#give(),
      finish: (reason) => {
        if (reason === "shutting_down") this.#flushed();
        else if (reason !== "bye") records.violated(`session ${this.number} was ended: ${reason}`);
        this.disconnect();
      },
    };
    this.#session = new Session(server.context, transport, { address: "192.0.2.1", port: 1 }, () => {});
    server.sessions.add(this.#session);
    this.#send(encodeControl({ type: Type.HELLO }, { protocol: "parley/1" }));
  }

  /** Whether it is established. */
  get isReady(): boolean {
    return this.isConnected && this.number > 0;
  }

  /** OPENs, LEAVEs and receipts that are not answered. */
  get unanswered(): number {
    let count = this.#asked.length;
    for (const publication of this.publications.values()) count += publication.unanswered;
    return count;
  }

  /** Bytes that wait to be read. */
  get unread(): number {
    return this.#outbox.pending;
  }

  /** Whether an OPEN or LEAVE of this channel waits for its answer. */
  isAsking(channel: string): boolean {
    return this.#asked.some((asked) => asked.channel === channel);
  }

  /** Whether an OPEN of a pattern or in a group waits for its answer. */
  get isAskingToShare(): boolean {
    return this.#asked.some(({ channel, options }) =>
      isPattern(channel) || options?.group !== undefined || options?.consumer !== undefined
    );
  }

  /** Whether any OPEN or LEAVE waits for its answer. */
  get isAskingAny(): boolean {
    return this.#asked.length > 0;
  }

  /** A writer is this session, too. */
  owns(writer: number): void {
    this.#own.add(writer);
  }

  /** The publication on the channel of that name. */
  publicationOn(channel: string): Publication | undefined {
    for (const publication of this.publications.values()) {
      if (publication.channel === channel) return publication;
    }
    return undefined;
  }

  /** Sends OPEN. */
  open(channel: string, options: ClientOpen): void {
    const id = this.nextId();
    const { publish: _, continues: __, begins: ___, ...open } = options;
    this.#asked.push({ id, channel, options });
    this.#send(encodeControl({ type: Type.OPEN, id, sender: this.number }, { channel, ...open }));
  }

  /** Sends OPEN to publish; what it is subscribed to by the same name stays as it is. */
  openToPublish(channel: string, options: ClientOpen = {}): void {
    const { from: _, ...subscription } = this.subscribed.get(channel)?.open ?? {};
    this.open(channel, { ...subscription, publish: true, ...options });
  }

  /** Sends LEAVE. */
  leave(channel: string): void {
    const id = this.nextId();
    this.#asked.push({ id, channel });
    this.#send(encodeControl({ type: Type.LEAVE, id, sender: this.number }, { channel }));
  }

  /** Has what was refused tried again: a later attempt, which begins at once or with OPENED. */
  retry(publication: Publication, isAtOnce: boolean): void {
    const { channel, producer } = publication;
    const begins = producer !== undefined || !isAtOnce;
    this.openToPublish(channel, { retry: true, begins, ...producer !== undefined && { producer } });
    if (!begins) publication.begin();
  }

  /** Calls back once it is established. */
  afterWelcome(call: () => void): void {
    this.#afterWelcome = call;
  }

  /** Sends messages, all in one piece. */
  publish(messages: readonly Uint8Array[]): void {
    this.#send(concat([...messages]));
  }

  /** Sends a frame of this session's about sequences: ACK, NAK or RENEW. */
  settle(type: number, channel: number, payload: Uint8Array): void {
    for (const subscribed of this.subscribed.values()) subscribed.answeredAt = this.server.context.now();
    this.#send(encodeFrame({ type, channel, sender: this.number }, payload));
  }

  /** An id that nothing waits under. */
  nextId(): number {
    this.#lastId = this.#lastId % 65_535 + 1;
    return this.#lastId;
  }

  /** Reads frames until at least `bytes` are read. Returns whether there was one that is not a PING. */
  read(bytes: number): boolean {
    let isAny = false;
    while (bytes > 0 && this.isConnected) {
      const frame = this.#outbox.take();
      if (frame === undefined) break;
      bytes -= frame.bytes.length;
      isAny ||= frame.bytes[0] !== Type.PING;
      this.#received(frame.bytes, frame.note);
    }
    return isAny;
  }

  /** The connection breaks; what was not read is lost. */
  disconnect(): void {
    if (!this.isConnected) return;
    this.isConnected = false;
    this.#outbox.close();
    this.server.sessions.delete(this.#session);
    this.#session.ended("reset");
    for (const shared of this.#shared.values()) this.#records.leave(shared);
    for (const subscribed of this.subscribed.values()) subscribed.end();
  }

  /** The server is gone. */
  serverCrashed(): void {
    if (!this.isConnected) return;
    this.isConnected = false;
    for (const shared of this.#shared.values()) this.#records.leave(shared);
    for (const subscribed of this.subscribed.values()) subscribed.end();
  }

  /** The server has stopped in order: everything that it took of this session is answered. */
  #flushed(): void {
    this.read(Infinity);
    if (this.#input.length > 0 || this.unanswered === 0) return;
    this.#records.violated(`${this.unanswered} frames of session ${this.number} have no answer at the end`);
  }

  #send(bytes: Uint8Array): void {
    if (!this.isConnected) return;
    this.#input = concat([this.#input, bytes]);
    this.#give();
  }

  /** Offers the session what it has not taken. */
  #give(): void {
    if (!this.isConnected || this.#input.length === 0) return;
    const bytes = this.#input;
    this.#input = new Uint8Array(0); // a session that resumes at once must not get it twice
    const taken = this.#session.receive(bytes, bytes.length);
    const rest = bytes.slice(taken);
    bytes.fill(0xee); // a connection uses its buffer again
    this.#input = concat([rest, this.#input]);
  }

  /** What is so at the moment when the server sends a frame. */
  #noteAt(bytes: Uint8Array): OpenedNote | number | undefined {
    const [type, id] = [bytes[0], u16(bytes, 2)];
    if (type === Type.MESSAGE) return this.server.context.now();
    if (type !== Type.OPENED && type !== Type.LEFT) return undefined;
    const asked = this.#asked.find((asked) => asked.id === id);
    const nexts = this.server.nexts();
    const shared = asked && this.#share(asked, nexts.get(asked.channel) ?? 1);
    return { nexts, order: this.#records.nextOrder(), shared };
  }

  /** The group or consumer that the session is in, now that the server has handled what it asked for. */
  #share({ channel, options }: Asked, next: number): Shared | undefined {
    const before = this.#shared.get(channel);
    const { subscribe, group, consumer } = options ?? {};
    if (!subscribe || group === undefined && consumer === undefined) {
      if (before !== undefined) this.#records.leave(before);
      this.#shared.delete(channel);
      return undefined;
    }
    if (before !== undefined) return before;
    const key = group === undefined
      ? `consumer ${channel} ${consumer}`
      : `group ${this.server.life} ${channel} ${group}`;
    const shared = this.#records.join(key, next);
    this.#shared.set(channel, shared);
    return shared;
  }

  #received(bytes: Uint8Array, note: unknown): void {
    const { type, id, channel, length } = readHeader(bytes);
    switch (type) {
      case Type.WELCOME:
        this.number = (json(bytes) as { number: number }).number;
        return this.#afterWelcome();
      case Type.OPENED:
        return this.#opened(id, json(bytes) as Opened, note as OpenedNote);
      case Type.LEFT:
        return this.#left(id);
      case Type.POSITION: {
        const before = length > SEQUENCE_BYTES ? u32(bytes, HEADER_BYTES + SEQUENCE_BYTES) : 0;
        this.#positions.set(channel, { sequence: u64(bytes, HEADER_BYTES), before });
        return;
      }
      case Type.MESSAGE:
        return this.#message(bytes, channel, note as number);
      case Type.ACK:
        this.publications.get(channel)?.acknowledged(id, u64(bytes, HEADER_BYTES));
        return;
      case Type.ERROR:
        return this.#error(id, channel, json(bytes) as ErrorPayload);
      case Type.PING:
        return this.#send(encodeFrame({ type: Type.PONG, id, sender: this.number }));
      case Type.BYE:
        return;
      default:
        this.#records.violated(`the server sent ${typeName(type)}`);
    }
  }

  #message(bytes: Uint8Array, channel: number, sentAt: number): void {
    const position = this.#positions.get(channel);
    const name = this.#names.get(channel);
    if (position === undefined || name === undefined) {
      const what = position === undefined ? "has had no POSITION" : "was not announced";
      return this.#records.violated(`a message on channel ${channel}, which ${what}`);
    }
    const { sequence, before } = position;
    this.#positions.set(channel, { sequence: sequence + 1, before: 0 });
    const subscribed = this.#subscriptionOf(name);
    if (subscribed === undefined) return this.#records.violated(`a message of ${name} after it was left`);
    subscribed.receive(channel, name, { ...readNumbered(bytes, 0), sequence, isAgain: before > 0 }, sentAt);
  }

  /** The subscription by name decides, if there is one. */
  #subscriptionOf(name: string): Subscribed | undefined {
    const byName = this.subscribed.get(name);
    if (byName !== undefined) return byName;
    for (const [pattern, subscribed] of this.subscribed) if (covers(pattern, name)) return subscribed;
    return undefined;
  }

  #answered(id: number): Asked | undefined {
    const at = this.#asked.findIndex((asked) => asked.id === id);
    return at < 0 ? undefined : this.#asked.splice(at, 1)[0];
  }

  #opened(id: number, opened: Opened, { nexts, order, shared }: OpenedNote): void {
    const { channel, number, epoch = "" } = opened;
    if (number > 0) this.#names.set(number, channel);
    if (id === 0) return this.#announced(opened);
    const asked = this.#answered(id);
    if (asked?.options === undefined || asked.channel !== channel) {
      return this.#records.violated(`OPENED ${id} answers no OPEN`);
    }
    const { options } = asked;
    if (options.publish) this.#publishes(opened, options, order);
    const before = this.subscribed.get(channel);
    if (!options.subscribe) {
      before?.end();
      return void this.subscribed.delete(channel);
    }
    if (before !== undefined && options.from === undefined) return; // it goes on where it is
    before?.end();
    const subscription: SubscriptionOptions = {
      records: this.#records,
      life: this.server.life,
      opened,
      open: options,
      shared,
      nexts,
      epochOf: (name) => name === channel ? epoch : this.server.epochOf(name),
      placeOfTime: (name, time) => this.server.placeOfTime(name, time),
      own: this.#own,
    };
    this.subscribed.set(channel, options.continues?.continue(subscription) ?? new Subscribed(subscription));
  }

  #announced({ channel, publish }: Opened): void {
    if (publish) this.#records.violated(`the announcement of ${channel} allows to publish`);
  }

  #publishes(opened: Opened, { producer, retry, begins }: ClientOpen, order: number): void {
    const { channel, number, epoch = "", stored, durable = false } = opened;
    const before = this.publications.get(number);
    const records = this.#records;
    if (producer === undefined && before !== undefined) {
      if (retry && begins || !before.isOpen) before.begin();
      before.isOpen = true;
      return;
    }
    const history = records.historyOf(channel, epoch);
    let [writer, attempt, next] = [0, 1, 1];
    if (producer === undefined) writer = records.newWriter();
    else {
      writer = records.producer(channel, producer);
      attempt = order;
      if (stored === undefined) return records.violated(`OPENED of producer ${producer} has no "stored"`);
      next = stored + 1;
    }
    if (before !== undefined) {
      if (before.unanswered > 0) records.violated("OPENED of a producer before what it sent is answered");
      before.isFenced = false;
      before.isOpen = true;
      return before.begin(attempt, next);
    }
    const { violated } = records;
    const place = { name: channel, channel: number, isDurable: durable, sender: this.number };
    this.#own.add(writer);
    this.publications.set(
      number,
      new Publication({ history, ...place, producer, writer, attempt, next, violated }),
    );
  }

  #left(id: number): void {
    const asked = this.#answered(id);
    if (asked === undefined) return this.#records.violated(`LEFT ${id} answers no LEAVE`);
    this.subscribed.get(asked.channel)?.end();
    this.subscribed.delete(asked.channel);
    for (const [number, name] of this.#names) {
      if (name !== asked.channel) continue;
      const publication = this.publications.get(number);
      if (publication !== undefined) publication.isOpen = false; // answers may still come
      this.#positions.delete(number);
    }
  }

  #error(id: number, channel: number, { code, message }: ErrorPayload): void {
    if (code === "not_stored" || code === "fenced") {
      const publication = this.publications.get(channel);
      if (publication !== undefined) return publication.refused(id, code);
    }
    const asked = this.#answered(id);
    const from = asked?.options?.from;
    // A history begins anew with the server.
    const hasNewEpoch = code === "epoch_changed" && typeof from === "object" && "epoch" in from &&
      from.epoch !== this.server.epochOf(asked!.channel);
    if (!hasNewEpoch) this.#records.violated(`ERROR ${code} ${id} on ${channel}: ${message}`);
  }
}

function json(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(bytes.subarray(HEADER_BYTES)));
}
