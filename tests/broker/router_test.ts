import { assertEquals } from "@std/assert";
import type { Channel } from "../../lib/broker/channels.ts";
import { Router } from "../../lib/broker/router.ts";
import { encodeFrame, INBOX, Type } from "../../lib/wire/header.ts";
import { concat } from "../harness/raw_client.ts";
import { FakePeer } from "./fake_peer.ts";

/** A message of 16 + 4 bytes. */
const MESSAGE_BYTES = 20;

/** A router, a channel on it, and some peers that have joined. */
class Bench {
  now = 0;
  readonly router = new Router({ requests: 2, requestMs: 1000 }, () => this.now);
  readonly channel: Channel = this.router.channels.open("chat");
  readonly peers: FakePeer[];
  waits = 0;
  readonly #waiter = () => this.waits++;

  constructor(peers: number) {
    this.peers = Array.from({ length: peers }, (_, i) => new FakePeer(i + 1));
    for (const peer of this.peers) this.router.join(peer);
  }

  subscribe(peer: FakePeer, group?: string, echo = true): void {
    this.channel.subscribe({ peer, group, echo });
  }

  /** Publishes a run of messages, four characters each. */
  publish(from: FakePeer, ...texts: string[]): boolean {
    const run = concat(texts.map((text) => frame(Type.MESSAGE, this.channel.number, from, text)));
    return this.router.publish(this.channel, from, run, 0, run.length, this.#waiter);
  }

  direct(from: FakePeer, to: number, text: string): boolean {
    const bytes = frame(Type.MESSAGE, (to | INBOX) >>> 0, from, text);
    return this.router.direct(to, from, bytes, 0, bytes.length, this.#waiter);
  }

  ask(from: FakePeer, id: number, text: string): boolean {
    const bytes = frame(Type.REQUEST, this.channel.number, from, text);
    return this.router.ask(this.channel, from, id, bytes, 0, bytes.length, this.#waiter);
  }

  answer(from: FakePeer, to: number, id: number, text: string): boolean {
    const bytes = frame(Type.REPLY, (to | INBOX) >>> 0, from, text);
    return this.router.answer(to, from, id, bytes, 0, bytes.length, this.#waiter);
  }

  /** Who is waited for now. */
  get waitedFor(): number[] {
    return this.peers.filter(({ waiters }) => waiters.length > 0).map(({ number }) => number);
  }
}

function frame(type: number, channel: number, from: FakePeer, text: string): Uint8Array {
  return encodeFrame({ type, channel, sender: from.number }, new TextEncoder().encode(text));
}

Deno.test("a run is sent as one slice, which may lie anywhere in the chunk", () => {
  for (const subscribers of [1, 2, 3]) {
    const bench = new Bench(4);
    for (const peer of bench.peers.slice(0, subscribers)) bench.subscribe(peer);
    const run = frame(Type.MESSAGE, bench.channel.number, bench.peers[3], "text");
    const chunk = concat([new Uint8Array(7), run, new Uint8Array(9)]);
    bench.router.publish(bench.channel, bench.peers[3], chunk, 7, 7 + run.length, () => {});
    const sent = bench.peers.map(({ sent }) => sent);
    assertEquals(sent, [1, 2, 3, 4].map((number) => number <= subscribers ? ["text"] : []));
  }
});

Deno.test("where one has no room nobody receives, and the sender must come again", () => {
  const bench = new Bench(3);
  const [ada, grace, alan] = bench.peers;
  for (const peer of [ada, grace, alan]) bench.subscribe(peer);
  grace.room = MESSAGE_BYTES - 1;
  assertEquals(bench.publish(ada, "wait"), false);
  assertEquals(bench.peers.map(({ sent }) => sent), [[], [], []]);
  assertEquals(bench.waitedFor, [2]);
  grace.room = MESSAGE_BYTES;
  assertEquals(bench.publish(ada, "wait"), true);
  assertEquals(bench.peers.map(({ sent }) => sent), [["wait"], ["wait"], ["wait"]]);
});

Deno.test("all who have no room are waited for at once, so that their grace times run together", () => {
  const bench = new Bench(5);
  const [ada, ...others] = bench.peers;
  for (const peer of others.slice(0, 2)) bench.subscribe(peer);
  for (const peer of others.slice(2)) bench.subscribe(peer, "w");
  for (const peer of others) peer.room = 0;
  assertEquals(bench.publish(ada, "wait"), false);
  assertEquals(bench.waitedFor, [2, 3, 4, 5]);
});

Deno.test("who has no room, but does not want its own messages either, holds nobody", () => {
  const bench = new Bench(2);
  const [ada, grace] = bench.peers;
  bench.subscribe(ada, undefined, false);
  bench.subscribe(grace);
  ada.room = 0;
  assertEquals(bench.publish(ada, "text"), true);
  assertEquals([ada.sent, grace.sent], [[], ["text"]]);
});

Deno.test("a group takes a run if one member has room for all of it, and passes over those who have not", () => {
  const bench = new Bench(3);
  const [ada, grace, alan] = bench.peers;
  bench.subscribe(grace, "w");
  bench.subscribe(alan, "w");
  grace.room = MESSAGE_BYTES;
  alan.room = 4 * MESSAGE_BYTES;
  assertEquals(bench.publish(ada, "no.0", "no.1", "no.2", "no.3"), true);
  assertEquals([grace.sent, alan.sent], [["no.0"], ["no.1", "no.2", "no.3"]]);
  assertEquals(bench.publish(ada, "no.4"), true);
  assertEquals(bench.publish(ada, "no.5"), false);
  assertEquals(bench.waitedFor, [2, 3]);
});

Deno.test("a request is owed by whom it was sent to; who has no room is passed over, or waited for", () => {
  const bench = new Bench(3);
  const [ada, grace, alan] = bench.peers;
  bench.subscribe(grace);
  bench.subscribe(alan);
  grace.room = 0;
  assertEquals(bench.ask(ada, 1, "what"), true);
  assertEquals([alan.sent, alan.pendingRequests.owing.size], [["what"], 1]);
  alan.room = 0;
  assertEquals(bench.ask(ada, 2, "what"), false);
  assertEquals([bench.waitedFor, ada.refused], [[2, 3], []]);
});

Deno.test("a reply that finds no room is still owed", () => {
  const bench = new Bench(2);
  const [ada, grace] = bench.peers;
  bench.subscribe(grace);
  bench.ask(ada, 1, "what");
  ada.room = 0;
  assertEquals(bench.answer(grace, 1, 1, "that"), false);
  assertEquals([bench.waitedFor, grace.pendingRequests.owing.size], [[1], 1]);
  ada.room = Infinity;
  assertEquals(bench.answer(grace, 1, 1, "that"), true);
  assertEquals([ada.sent, grace.pendingRequests.owing.size, grace.refused], [["that"], 0, []]);
});

Deno.test("a direct message waits for its receiver, and is refused where there is none", () => {
  const bench = new Bench(2);
  const [ada, grace] = bench.peers;
  grace.room = 0;
  assertEquals(bench.direct(ada, 2, "psst"), false);
  assertEquals(bench.waitedFor, [2]);
  grace.room = Infinity;
  assertEquals(bench.direct(ada, 2, "psst"), true);
  assertEquals(grace.sent, ["psst"]);
  bench.router.leave(grace);
  assertEquals(bench.direct(ada, 2, "psst"), true);
  assertEquals(ada.refused, ["no_such_session 0"]);
});

Deno.test("a sweep tells those who have waited for the request time, and nobody before", () => {
  const bench = new Bench(2);
  const [ada, grace] = bench.peers;
  bench.subscribe(grace);
  bench.ask(ada, 1, "what");
  bench.now = 500;
  bench.ask(ada, 2, "what");
  bench.now = 999;
  bench.router.sweep();
  assertEquals(ada.refused, []);
  bench.now = 1000;
  bench.router.sweep();
  assertEquals(ada.refused, ["no_reply 1"]);
  bench.answer(grace, 1, 1, "late");
  bench.answer(grace, 1, 2, "good");
  assertEquals([ada.sent, grace.refused], [["good"], ["forbidden 1"]]);
});
