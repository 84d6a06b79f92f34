/**
 * The core without I/O, for `deno bench`: what the scanner, the outbox and the router cost by themselves.
 *
 * Each iteration is one chunk as it comes from a busy socket; the name says how many messages that is.
 *
 * @module
 */

import { Router } from "../lib/broker/router.ts";
import type { Peer } from "../lib/broker/peer.ts";
import { PendingRequests } from "../lib/broker/pending_requests.ts";
import { WorkBudget } from "../lib/broker/work_budget.ts";
import { DEFAULT_LIMITS, SLOW_CONSUMER_TIMEOUT_MS } from "../lib/limits.ts";
import { BufferPool } from "../lib/net/buffers.ts";
import { Outbox } from "../lib/net/outbox.ts";
import type { Socket } from "../lib/net/socket.ts";
import { encodeFrame, Type } from "../lib/wire/header.ts";
import { type FrameHandler, Scanner } from "../lib/wire/scanner.ts";

const SESSION = 17;
const CHUNK_BYTES = 256 * 1024;
const nothing = () => {};

/** As many messages of `payloadBytes` as a chunk holds, on `channels` channels in turn. */
function chunkOf(payloadBytes: number, channels: number, type: number = Type.MESSAGE): Uint8Array {
  const id = type === Type.MESSAGE ? 0 : 1;
  const frames = Array.from({ length: channels }, (_, index) => {
    return encodeFrame({ type, id, channel: 1 + index, sender: SESSION }, new Uint8Array(payloadBytes));
  });
  const chunk = new Uint8Array(Math.floor(CHUNK_BYTES / frames[0].length) * frames[0].length);
  for (let at = 0, i = 0; at < chunk.length; at += frames[0].length, i++) chunk.set(frames[i % channels], at);
  return chunk;
}

/** How many messages with `payloadBytes` are in `chunk`. */
function count(chunk: Uint8Array, payloadBytes: number): string {
  return (chunk.length / (16 + payloadBytes)).toLocaleString("en");
}

// Scanner

const handler: FrameHandler = { run: (_bytes, _from, to) => to, frame: () => true, skip: () => true };
const SCANS: readonly [string, Uint8Array, number][] = [
  ["messages of 16 B on one channel", chunkOf(16, 1), 16],
  ["messages of 16 B on 64 channels in turn", chunkOf(16, 64), 16],
  ["messages of 1 KiB on one channel", chunkOf(1024, 1), 1024],
  ["requests of 64 B", chunkOf(64, 1, Type.REQUEST), 64],
];
for (const [what, chunk, payloadBytes] of SCANS) {
  const scanner = new Scanner("server", DEFAULT_LIMITS.payloadBytes);
  scanner.greeted(SESSION);
  Deno.bench({
    name: `scan ${count(chunk, payloadBytes)} ${what}`,
    group: "scanner",
    fn: () => void scanner.scan(chunk, chunk.length, handler),
  });
}

// Outbox

/** Takes everything at once. */
const nullSocket: Socket = {
  read: () => new Promise(nothing),
  write: (bytes) => Promise.resolve(bytes.length),
  closeWrite: () => Promise.resolve(),
  close: nothing,
};
const SENDS: readonly [number, number][] = [[8192, 32], [1024, 256], [256, 1024], [4, 64 * 1024]];
for (const [slices, bytes] of SENDS) {
  let drained = nothing;
  const owner = {
    writeFailed: nothing,
    written: nothing,
    waiterFailed: nothing,
    onSlowConsumer: nothing,
    drained: () => drained(),
  };
  const outbox = new Outbox(
    nullSocket,
    new BufferPool(),
    DEFAULT_LIMITS.pendingBytes,
    SLOW_CONSUMER_TIMEOUT_MS,
    owner,
  );
  const chunk = new Uint8Array(CHUNK_BYTES);
  Deno.bench({
    name: `send ${slices} slices of ${bytes} B, and write them`,
    group: "outbox",
    async fn() {
      const done = new Promise<void>((resolve) => drained = resolve);
      for (let i = 0; i < slices; i++) outbox.send(chunk, i * bytes, (i + 1) * bytes);
      await done;
    },
  });
}

// Router

const nullOutbox: Peer["outbox"] = {
  hasRoom: () => true,
  whenRoom: nothing,
  pending: 0,
  taken: 0,
  hasRoomForAnswer: () => true,
  whenRoomForAnswer: nothing,
  answered: nothing,
  send: nothing,
  tick: nothing,
  dropFrames: nothing,
};

function peer(number: number): Peer {
  return {
    number,
    name: `bench-${number}`,
    outbox: nullOutbox,
    pendingRequests: new PendingRequests(),
    messagesOut: 0,
    isEnded: false,
    requestTurn: { last: 0 },
    knows: () => true,
    told: nothing,
    refuse: nothing,
  };
}

/** A router with so many sessions subscribed to one channel, and a publisher. */
function fanOut(subscribers: number, group?: string) {
  const router = new Router(DEFAULT_LIMITS, () => 0, new WorkBudget(nothing));
  const channel = router.channels.open("bench");
  for (let number = 1; number <= subscribers; number++) {
    const segments = ["bench"];
    channel.subscribe({
      peer: peer(number),
      segments,
      isPattern: false,
      subscribe: true,
      respond: false,
      group,
      echo: true,
      since: 0,
    });
  }
  return { router, channel, publisher: peer(SESSION + 1000) };
}

const run = chunkOf(16, 1);
const messages = run.length / (16 + 16);
for (const subscribers of [1, 10, 1000]) {
  const { router, channel, publisher } = fanOut(subscribers);
  Deno.bench({
    name: `publish one run to ${subscribers}`,
    group: "router",
    fn: () => void router.publish(channel, publisher, run, 0, run.length, messages, nothing),
  });
}

for (const members of [1, 10, 1000]) {
  const { router, channel, publisher } = fanOut(members, "workers");
  Deno.bench({
    name: `publish ${count(run, 16)} messages of 16 B to a group of ${members}`,
    group: "groups",
    // The budget is never whole again within an iteration, so a run to several members is passed on in pieces.
    fn() {
      for (let at = 0; at < run.length;) {
        at = router.publish(channel, publisher, run, at, run.length, messages, nothing);
      }
    },
  });
}
