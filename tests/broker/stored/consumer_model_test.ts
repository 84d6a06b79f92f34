/** Consumers under random schedules: nothing is forgotten, and nothing is in two hands at once. */

import { assert, assertEquals } from "@std/assert";
import { REDELIVERY_GRAIN_MS } from "../../../lib/limits.ts";
import { SET_ASIDE_NOW } from "../../../lib/wire/sequences.ts";
import { type Random, seeded, seedFrom } from "../../harness/seeded.ts";
import { ConsumerHarness, ConsumerPeer, type Delivered } from "./consumer_harness.ts";

/** What the model knows of one message. */
interface Message {
  deliveries: number;
  /** The session whose ACK counts. */
  holder: ConsumerPeer | undefined;
  /** Whether that session was its first. */
  isFirst: boolean;
  /** When it may be given to another session. */
  until: number;
  /** Whether it is certain to be due. */
  isDue: boolean;
  isDealtWith: boolean;
  isLost: boolean;
  isSetAside: boolean;
}

const NEW = { deliveries: 0, holder: undefined, isFirst: false, until: 0, isDue: false, isSetAside: false };

/** One schedule, and what must hold in it. */
class Schedule {
  readonly harness = new ConsumerHarness();
  readonly random: Random;
  /** By sequence, of which there is no 0. */
  readonly messages: Message[] = [{ ...NEW, isDealtWith: true, isLost: false }];
  /** In the order in which they opened the channel. */
  readonly sessions: ConsumerPeer[] = [];
  readonly windows = new Map<ConsumerPeer, number>();
  readonly lastFirsts = new Map<ConsumerPeer, number>();
  isExclusive = false;
  isPaused = false;
  isRestarted = false;
  ackMs = 0;
  #number = 0;

  constructor(random: Random) {
    this.random = random;
  }

  /** A session was sent a message: checks everything that the page promises of it. */
  delivered(peer: ConsumerPeer, { sequence, before }: Delivered): void {
    this.look();
    const { now } = this.harness;
    const message = this.messages[sequence];
    const what = `${sequence} to ${peer.name}`;
    assert(this.sessions.includes(peer) && !this.isPaused, what);
    assert(
      !message.isDealtWith && !message.isLost && !message.isSetAside,
      `${what}: ${JSON.stringify(message.isLost)}`,
    );
    assert(message.until <= now, `${what}: too early, or in two hands`);
    assertEquals(before, message.deliveries === 0 ? undefined : message.deliveries, what);
    if (this.isExclusive) assertEquals(peer, this.sessions[0], what);
    const due = this.messages.findIndex(({ isDue }) => isDue);
    if (before === undefined) {
      assertEquals(due, -1, `${what}: what is due goes first`);
      assert(sequence > (this.lastFirsts.get(peer) ?? 0), `${what}: out of order`);
      this.lastFirsts.set(peer, sequence);
    } else assert(due < 0 || due >= sequence, `${what}: ${due} is lower`);
    const isFirst = before === undefined;
    Object.assign(message, { holder: peer, isFirst, until: now + this.ackMs, isDue: false });
    message.deliveries++;
    const held = this.messages.filter(({ holder, until }) => holder === peer && until > now).length;
    assert(held <= this.windows.get(peer)!, `${what}: window`);
  }

  /** Does one thing at random. */
  async step(): Promise<void> {
    const { harness, random, sessions } = this;
    const { consumer, source } = harness;
    const peer = sessions.length > 0 ? random.pick(sessions) : undefined;
    const from = 1 + random.int(source.last + 1);
    const to = from + random.int(6);
    switch (random.int(14)) {
      case 0:
      case 1:
        this.append(1 + random.int(8));
        break;
      case 2:
        return await this.open(peer !== undefined && random.int(3) === 0 ? peer : this.newPeer());
      case 3:
        if (peer !== undefined && random.int(2) === 0) this.leave(peer);
        break;
      case 4:
      case 5:
        if (peer !== undefined) this.ack(peer, to);
        break;
      case 6:
        if (peer !== undefined) this.ackRange(peer, from, to);
        break;
      case 7:
        if (peer !== undefined) this.nak(peer, from, random.pick([0, 0, 200, 3_000, SET_ASIDE_NOW]));
        break;
      case 8:
        if (peer !== undefined) this.renew(peer, from, to);
        break;
      case 9:
        await harness.pass(random.pick([10, 300, 1_200]));
        break;
      case 10:
        if (random.int(6) === 0) this.trim(from);
        break;
      case 11:
        this.operate();
        break;
      case 12:
        if (random.int(8) === 0) this.restart();
        break;
      case 13:
        if (peer !== undefined) {
          if (peer.room === 0) peer.drain();
          else peer.room = 0;
        }
    }
    await harness.settle();
    this.look(consumer);
  }

  append(count: number): void {
    for (let i = 0; i < count; i++) {
      this.messages[this.harness.source.last + 1 + i] = { ...NEW, isDealtWith: false, isLost: false };
    }
    this.harness.source.append(count);
  }

  newPeer(): ConsumerPeer {
    const peer = new ConsumerPeer(++this.#number);
    peer.onMessage = (message) => this.delivered(peer, message);
    return peer;
  }

  async open(peer: ConsumerPeer, window = 1 + this.random.int(6)): Promise<void> {
    const { random } = this;
    if (!this.sessions.includes(peer)) this.sessions.push(peer);
    this.windows.set(peer, window);
    this.isExclusive = random.int(5) === 0;
    const ackSeconds = 1 + random.int(3);
    this.ackMs = ackSeconds * 1000;
    const exclusive = this.isExclusive;
    await this.harness.open(peer, { window, exclusive, ackSeconds, deliveries: random.pick([0, 0, 2, 3]) });
    this.look();
  }

  leave(peer: ConsumerPeer): void {
    peer.isEnded = true;
    this.sessions.splice(this.sessions.indexOf(peer), 1);
    for (const message of this.#heldBy(peer)) {
      Object.assign(message, { holder: undefined, until: 0, isDue: !message.isLost });
    }
    this.harness.consumer.leave(peer);
    this.look(); // what was delivered too often is not due
  }

  ack(peer: ConsumerPeer, to: number): void {
    for (const message of this.#heldBy(peer, 1, to)) {
      if (message.isFirst && !message.isSetAside) this.#dealtWith(message);
    }
    this.harness.consumer.ack(peer, to);
  }

  ackRange(peer: ConsumerPeer, from: number, to: number): void {
    for (const message of this.#heldBy(peer, from, to)) this.#dealtWith(message);
    this.harness.consumer.ackRange(peer, from, to);
  }

  nak(peer: ConsumerPeer, sequence: number, delay: number): void {
    for (const message of this.#heldBy(peer, sequence, sequence)) {
      if (message.isSetAside) continue;
      const until = delay === SET_ASIDE_NOW ? 0 : this.harness.now + delay;
      Object.assign(message, { holder: undefined, until, isDue: delay === 0 && !message.isLost });
    }
    this.harness.consumer.nak(peer, sequence, delay);
    this.look();
  }

  renew(peer: ConsumerPeer, from: number, to: number): void {
    const { now, consumer } = this.harness;
    const isRange = this.random.int(2) === 0;
    for (const message of this.#heldBy(peer, isRange ? from : 1, to)) {
      if (message.until > now && (isRange || message.isFirst)) message.until = now + this.ackMs;
    }
    if (isRange) consumer.renewRange(peer, from, to);
    else consumer.renew(peer, to);
  }

  trim(first: number): void {
    const { source, consumer } = this.harness;
    if (first <= source.first || first > source.last) return;
    for (let sequence = source.first; sequence < first; sequence++) {
      const message = this.messages[sequence];
      if (!message.isDealtWith) Object.assign(message, { isLost: true, isDue: false, isSetAside: false });
    }
    source.trim(first);
    consumer.trimmed(first);
  }

  operate(): void {
    const { consumer } = this.harness;
    switch (this.random.int(4)) {
      case 0:
        this.isPaused = !this.isPaused;
        return this.isPaused ? consumer.pause() : consumer.resume();
      case 1: {
        const before = consumer.setAsideMessages();
        const { next } = consumer.stats;
        for (const { sequence } of before) {
          const message = this.messages[sequence];
          const isDue = sequence < next;
          Object.assign(message, { isSetAside: false, holder: undefined, until: 0, isDue });
          if (!isDue) message.deliveries = 0; // not delivered since a restart: counts may not survive one
        }
        assertEquals(consumer.giveBack("all"), before.length);
        return;
      }
      case 2: {
        const [one] = consumer.setAsideMessages();
        if (one === undefined) return;
        assertEquals(consumer.drop(one.sequence), 1);
        this.#dealtWith(this.messages[one.sequence]);
      }
    }
  }

  restart(): void {
    this.isRestarted = true;
    for (const peer of this.sessions) peer.isEnded = true;
    this.sessions.splice(0);
    const { position, setAside } = this.harness.restart();
    const kept = new Map(setAside.map((entry) => [entry.sequence, entry]));
    this.messages.forEach((message, sequence) => {
      const { isDealtWith, isLost } = message;
      const its = kept.get(sequence);
      if (sequence > position) {
        assert(!isLost);
        Object.assign(message, NEW, { isDealtWith: false });
      } else {assert(
          isDealtWith || isLost || its !== undefined,
          `${sequence} is forgotten, position ${position}`,
        );}
      Object.assign(message, { isSetAside: its !== undefined, holder: undefined, isDue: false, until: 0 });
      if (its !== undefined) assert(!isLost && (!isDealtWith || sequence > position));
      message.deliveries = its?.deliveries ?? message.deliveries;
    });
  }

  /** Learns what is set aside, and checks it. */
  look(consumer = this.harness.consumer): void {
    for (const { sequence, deliveries } of consumer.setAsideMessages()) {
      const message = this.messages[sequence];
      assert(!message.isDealtWith && !message.isLost, `${sequence} is set aside`);
      const isHeld = message.holder !== undefined && message.until > this.harness.now + REDELIVERY_GRAIN_MS;
      assert(!isHeld, `${sequence} is set aside while a session has it`);
      assertEquals(deliveries, message.deliveries);
      Object.assign(message, { isSetAside: true, isDue: false, until: 0 });
    }
  }

  /** Everything that is left is dealt with, by one session. */
  async finish(): Promise<void> {
    const { harness } = this;
    if (this.isPaused) {
      this.isPaused = false;
      harness.consumer.resume();
    }
    for (const peer of [...this.sessions]) this.leave(peer);
    const peer = this.newPeer();
    await this.open(peer, 1_000);
    for (let i = 0; i < 5; i++) {
      this.ackRange(peer, 1, harness.source.last);
      await harness.pass(1_000);
      this.look();
    }
    this.messages.forEach(({ isDealtWith, isLost, isSetAside }, sequence) => {
      assert(isDealtWith || isLost || isSetAside, `${sequence} is forgotten`);
    });
    const { position, lost, ...rest } = harness.consumer.stats;
    assertEquals(position, harness.source.last);
    assertEquals([rest.outstanding, rest.due, rest.delayed], [0, 0, 0]);
    const losses = this.messages.filter(({ isLost }) => isLost).length;
    // Since a restart, those that were lost before are not counted, and those that were given up are not known.
    if (!this.isRestarted) assertEquals(lost, losses);
    harness.consumer.end();
    assertEquals([harness.timers, harness.context.readAhead.bytes], [0, 0]);
  }

  #dealtWith(message: Message): void {
    message.isDue = message.isSetAside = false;
    message.holder = undefined;
    message.until = 0;
    if (!message.isLost) message.isDealtWith = true;
  }

  /** The messages from `from` to `to` that were delivered to `peer` last. */
  #heldBy(peer: ConsumerPeer, from = 1, to = Infinity): Message[] {
    return this.messages.filter(({ holder }, sequence) =>
      holder === peer && sequence >= from && sequence <= to
    );
  }
}

Deno.test("under random schedules every message is dealt with, set aside or lost, and in one hand at a time", async () => {
  const seed = seedFrom();
  for (let i = 0; i < 100; i++) {
    const schedule = new Schedule(seeded(seed + i));
    try {
      for (let step = 0; step < 80; step++) await schedule.step();
      await schedule.finish();
    } catch (error) {
      throw new Error(`schedule ${i} of seed ${seed}`, { cause: error });
    }
  }
});
