/**
 * A session without a connection. The test decides how much room it has, and reads what it was sent.
 *
 * @module
 */

import type { Outbox, Peer, Subscription, Turn } from "../../lib/broker/peer.ts";
import { PendingRequests } from "../../lib/broker/pending_requests.ts";
import type { ErrorCode } from "../../lib/errors.ts";
import { HEADER_BYTES } from "../../lib/limits.ts";
import { readHeader, RULES, Type } from "../../lib/wire/header.ts";

/** A frame that a session was sent. */
export interface Sent {
  readonly type: number;
  readonly id: number;
  readonly channel: number;
  readonly text: string;
}

/** See the module's comment. */
export class FakePeer implements Peer, Outbox {
  readonly number: number;
  readonly name: string;
  readonly outbox: Outbox = this;
  readonly pendingRequests = new PendingRequests<Peer>();
  readonly requestTurn: Turn = { last: 0 };
  messagesOut = 0;
  isEnded = false;
  /** The numbers of the channels it knows: has open by name, or was told. */
  knows: (number: number) => boolean = (number) => this.#told.has(number);
  told: (number: number) => void = (number) => void this.#told.add(number);
  readonly #told = new Set<number>();
  /** Every frame it was sent. */
  readonly frames: Sent[] = [];
  /** How many slices the frames came in. */
  slices = 0;
  /** The errors it got: `code id`. */
  readonly refused: string[] = [];
  /** The message of the last of them. */
  lastRefusal = "";
  /** How many bytes it has room for. */
  room = Infinity;
  readonly waiters = new Set<() => void>();
  /** Whether every waiter so far was patient, so that no slow consumer timeout runs. */
  isPatient = true;
  #partial = new Uint8Array(0);

  constructor(number: number) {
    this.number = number;
    this.name = `guest-${number}`;
  }

  /** The texts of the messages, requests and replies it was sent. */
  get sent(): string[] {
    return this.frames.filter(({ type }) => RULES[type]?.payload === "content").map(({ text }) => text);
  }

  /** The control payloads of this type that it was sent. */
  control(type: number): Record<string, unknown>[] {
    return this.frames.filter((frame) => frame.type === type).map(({ text }) => JSON.parse(text));
  }

  /** The channels that were announced to it. */
  get announced(): string[] {
    return this.frames.filter(({ type, id }) => type === Type.OPENED && id === 0)
      .map(({ text }) => JSON.parse(text).channel);
  }

  hasRoom(bytes: number): boolean {
    return bytes <= this.room;
  }

  whenRoom(waiter: () => void, isPatient: boolean = false): void {
    this.isPatient &&= isPatient;
    this.waiters.add(waiter);
  }

  /** How many bytes it was sent. */
  pending = 0;
  /** It reads nothing by itself. */
  readonly taken = 0;
  /** How many of them answered its own frames. */
  answers = 0;

  hasRoomForAnswer(bytes: number): boolean {
    return this.hasRoom(bytes);
  }

  whenRoomForAnswer(waiter: () => void): void {
    this.whenRoom(waiter, true);
  }

  answered(bytes: number): void {
    this.answers += bytes;
  }

  send(bytes: Uint8Array, from: number, to: number): void {
    this.slices++;
    this.pending += to - from;
    this.room -= to - from;
    const stream = new Uint8Array(this.#partial.length + to - from); // a frame may come in several slices
    stream.set(this.#partial);
    stream.set(bytes.subarray(from, to), this.#partial.length);
    let at = 0;
    while (stream.length - at >= HEADER_BYTES) {
      const { type, id, channel, length } = readHeader(stream, at);
      const end = at + HEADER_BYTES + length;
      if (end > stream.length) break;
      const text = new TextDecoder().decode(stream.subarray(at + HEADER_BYTES, end));
      this.frames.push({ type, id, channel, text });
      at = end;
    }
    this.#partial = stream.slice(at);
  }

  /** How often unread frames were dropped. */
  dropped = 0;

  tick(): void {}

  dropFrames(): void {
    this.dropped++;
  }

  refuse(code: ErrorCode, message: string, id: number): void {
    this.refused.push(`${code} ${id}`);
    this.lastRefusal = message;
  }

  /** Reads what it was sent: has `room` again, and calls the sessions that wait for it. */
  drain(room: number = Infinity): void {
    this.room = room;
    const waiters = [...this.waiters];
    this.waiters.clear();
    for (const waiter of waiters) waiter();
  }
}

/** What a subscription asks for; subscribes, without a group and with its own messages, unless it says otherwise. */
export type Wants = Partial<Pick<Subscription, "subscribe" | "respond" | "group" | "echo">>;

/** A subscription of `peer` to a name or pattern. */
export function subscriptionOf(peer: Peer, channel: string, wants: Wants = {}): Subscription {
  const { subscribe = true, respond = false, group, echo = true } = wants;
  const isPattern = /[*>]/.test(channel);
  return { peer, segments: channel.split("."), isPattern, subscribe, respond, group, echo, since: 0 };
}

/** So many sessions, numbered from 1. */
export function peers(count: number): FakePeer[] {
  return Array.from({ length: count }, (_, i) => new FakePeer(i + 1));
}
