/**
 * The fuzzer's generators: deterministic, and as documented.
 */

import { assert, assertEquals } from "@std/assert";
import { HEADER_BYTES } from "../../lib/limits.ts";
import { readHeader, Type } from "../../lib/wire/header.ts";
import { type FrameHandler, Scanner } from "../../lib/wire/scanner.ts";
import { concat } from "../harness/raw_client.ts";
import { seeded, seedFrom } from "../harness/seeded.ts";
import { KINDS, planAttack } from "./attack.ts";
import { inChunks } from "./chunks.ts";
import { conversation, invalidVectorFrame, MAX_PAYLOAD, type SessionInfo, vectorFrame } from "./frames.ts";
import { cut, flipBits, mutateHeader, reorder, splice } from "./mutations.ts";
import { filler } from "./payloads.ts";

const ROUNDS = 200;
const SESSION: SessionInfo = { number: 17, channels: [3, 4] };

/** Accepts every frame. */
const SINK: FrameHandler = { run: (_bytes, _from, to) => to, frame: () => true, skip: () => true };

/** Scans `bytes` as a server would once session 17 is established; the scanner and how much it took. */
function scan(bytes: Uint8Array): { scanner: Scanner; taken: number } {
  const scanner = new Scanner("server", MAX_PAYLOAD);
  scanner.greeted(SESSION.number);
  return { scanner, taken: scanner.scan(bytes, bytes.length, SINK) };
}

Deno.test("the same seed and index plan the same attack, byte for byte and write for write", () => {
  const seed = seedFrom();
  for (let index = 0; index < ROUNDS; index++) {
    const [one, other] = [planAttack(seed, index), planAttack(seed, index)];
    const { kind, handshakes, opens, reads, ending, waitMs } = one;
    assertEquals([other.kind, other.handshakes, other.opens], [kind, handshakes, opens]);
    assertEquals([other.reads, other.ending, other.waitMs], [reads, ending, waitMs]);
    const [some, same] = [one.chunks(SESSION), other.chunks(SESSION)];
    assertEquals(
      some.map(({ bytes, pauseMs }) => [bytes.length, pauseMs]),
      same.map((c) => [c.bytes.length, c.pauseMs]),
    );
    assert(
      isSame(concat(some.map(({ bytes }) => bytes)), concat(same.map(({ bytes }) => bytes))),
      `attack ${index}`,
    );
  }
});

Deno.test("every kind of attack occurs", () => {
  const seed = seedFrom();
  const kinds = new Set(Array.from({ length: 2000 }, (_, index) => planAttack(seed, index).kind));
  assertEquals([...kinds].sort(), Object.keys(KINDS).sort());
});

Deno.test("more than half of the connections complete the handshake first", () => {
  const seed = seedFrom();
  const withHandshake = Array.from({ length: 1000 }, (_, index) => planAttack(seed, index)).filter((
    { handshakes },
  ) => handshakes);
  assert(withHandshake.length > 550 && withHandshake.length < 850, `${withHandshake.length} of 1000`);
});

Deno.test("a conversation consists of valid frames", () => {
  const random = seeded(seedFrom());
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = concat(conversation(random, SESSION));
    const { scanner, taken } = scan(bytes);
    assertEquals([scanner.violation, taken], [undefined, bytes.length]);
  }
});

Deno.test("test vectors carry the sender of the session", () => {
  const random = seeded(seedFrom());
  for (let round = 0; round < ROUNDS; round++) {
    assertEquals(readHeader(vectorFrame(random, { number: 4242, channels: [] })).sender, 4242);
    assert(invalidVectorFrame(random, SESSION).length >= HEADER_BYTES);
  }
});

Deno.test("a mutated header differs in one field, and the payload stays the same", () => {
  const random = seeded(seedFrom());
  let differing = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const [frame] = conversation(random, SESSION);
    const mutated = mutateHeader(random, frame);
    const [before, after] = [readHeader(frame), readHeader(mutated)];
    const fields = (Object.keys(before) as (keyof typeof before)[]).filter((name) =>
      before[name] !== after[name]
    );
    assert(fields.length <= 1, fields.join());
    differing += fields.length;
    assert(isSame(frame.subarray(HEADER_BYTES), mutated.subarray(HEADER_BYTES)), "another payload");
  }
  assert(differing > ROUNDS * 0.8, `${differing} of ${ROUNDS} changed anything`);
});

Deno.test("mutations change neither their input nor, beyond a cut, its length", () => {
  const random = seeded(seedFrom());
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = filler(random, random.int(300));
    const before = bytes.slice();
    assertEquals(flipBits(random, bytes).length, bytes.length);
    assert(cut(random, bytes).length <= bytes.length);
    assert(splice(random, bytes, before).length <= 2 * bytes.length);
    mutateHeader(random, bytes);
    assertEquals(bytes, before);
  }
});

Deno.test("reordered frames are as many as before, and each is one of them", () => {
  const random = seeded(seedFrom());
  const frames = conversation(random, SESSION);
  const reordered = reorder(random, frames);
  assertEquals(reordered.length, frames.length);
  assert(reordered.every((frame) => frames.includes(frame)));
});

Deno.test("chunks are the whole stream in order: at most 200, none empty", () => {
  const random = seeded(seedFrom());
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = filler(random, random.int(20_000));
    const chunks = inChunks(random, bytes);
    assert(isSame(concat(chunks.map((chunk) => chunk.bytes)), bytes));
    assert(chunks.length <= 200 && chunks.every((chunk) => chunk.bytes.length > 0));
  }
});

Deno.test("a filler has the requested length and repeats a random beginning", () => {
  const random = seeded(seedFrom());
  for (const length of [0, 1, 60, 61, 62, 122, 1000, 65_537]) {
    const bytes = filler(random, length);
    assertEquals(bytes.length, length);
    assert(bytes.every((byte, at) => byte === bytes[at % 61]));
  }
});

Deno.test("no attack names the channel of the control client", () => {
  const seed = seedFrom();
  for (let index = 0; index < ROUNDS; index++) {
    const attack = planAttack(seed, index);
    for (const { channel } of attack.opens) {
      assert(/^(fuzz|\$echo)(\.|$)/.test(String(channel)), String(channel));
    }
  }
});

Deno.test("a flood of opens uses a different name in each OPEN", () => {
  const frames = KINDS["flood of opens"].make(seeded(seedFrom()), SESSION);
  const names = new Set(
    frames.map((frame) => JSON.parse(new TextDecoder().decode(frame.subarray(HEADER_BYTES))).channel),
  );
  assertEquals(names.size, frames.length);
  assertEquals(readHeader(frames[0]).type, Type.OPEN);
});

/** Much faster than assertEquals, which matters with megabytes. */
function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}
