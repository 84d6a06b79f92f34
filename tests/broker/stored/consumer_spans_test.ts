/** Ranges of sequences, held against a map that has every message by itself. */

import { assert, assertEquals } from "@std/assert";
import { Spans } from "../../../lib/broker/stored/consumer_spans.ts";
import { type Random, seeded, seedFrom } from "../../harness/seeded.ts";

/** What is known of one message: deliveries, time, owner. */
type Fields = readonly [deliveries: number, time: number, owner: number];

/** The highest sequence of these tests. */
const LAST = 60;

/** All messages of `spans`; checks what must hold for them. */
function messagesOf(spans: Spans): Map<number, Fields> {
  const messages = new Map<number, Fields>();
  let before = { to: -1, fields: "" };
  spans.forEach((from, to, ...fields) => {
    assert(from <= to && from > before.to, "ascending, without overlap");
    assert(from > before.to + 1 || `${fields}` !== before.fields, "neighbours that are alike are one");
    for (let sequence = from; sequence <= to; sequence++) messages.set(sequence, fields);
    assert(spans.earliest <= fields[1]);
    before = { to, fields: `${fields}` };
  });
  assertEquals(spans.count, messages.size);
  return messages;
}

/** Does one thing at random to both. */
function step(random: Random, spans: Spans, model: Map<number, Fields>): void {
  const from = 1 + random.int(LAST);
  const to = Math.min(LAST, from + random.int(8));
  const within = [...model.keys()].filter((sequence) => sequence >= from && sequence <= to);
  const taken = new Map<number, Fields>();
  const take = (from: number, to: number, ...fields: Fields) => {
    for (let sequence = from; sequence <= to; sequence++) taken.set(sequence, fields);
  };
  const gone = (wanted: (sequence: number) => boolean) => {
    const expected = [...model].filter(([sequence]) => wanted(sequence)).sort(([a], [b]) => a - b);
    for (const [sequence] of expected) model.delete(sequence);
    return expected;
  };
  switch (random.int(7)) {
    case 0:
    case 1: {
      if (within.length > 0) return;
      const fields: Fields = [1 + random.int(2), random.int(4), random.int(2) + 1];
      spans.add(from, to, ...fields);
      for (let sequence = from; sequence <= to; sequence++) model.set(sequence, fields);
      return;
    }
    case 2:
      assertEquals(spans.removeUpTo(from), gone((sequence) => sequence <= from).length);
      return;
    case 3: {
      const [owner, deliveries] = [random.int(3), random.int(3)];
      const count = spans.extract(from, to, take, owner, deliveries);
      const expected = gone((sequence) => {
        const [its, , of] = model.get(sequence)!;
        const isWithin = sequence >= from && sequence <= to;
        return isWithin && (owner === 0 || of === owner) && (deliveries === 0 || its === deliveries);
      });
      assertEquals([count, [...taken]], [expected.length, expected]);
      return;
    }
    case 4: {
      const time = random.int(4);
      spans.extractUntil(time, take);
      assertEquals([...taken], gone((sequence) => model.get(sequence)![1] <= time));
      return;
    }
    case 5: {
      const time = random.int(4);
      assertEquals(spans.setTime(from, to, time), within.length);
      for (const sequence of within) {
        const [deliveries, , owner] = model.get(sequence)!;
        model.set(sequence, [deliveries, time, owner]);
      }
      return;
    }
  }
  assertEquals(spans.countWithin(from, to), within.length);
  const lowest = [...model.keys()].filter((sequence) => sequence >= from);
  assertEquals(spans.lowestFrom(from), Math.min(Infinity, ...lowest));
}

Deno.test("ranges have what each message by itself would have", () => {
  const random = seeded(seedFrom());
  for (let round = 0; round < 200; round++) {
    const spans = new Spans();
    const model = new Map<number, Fields>();
    for (let i = 0; i < 60; i++) {
      step(random, spans, model);
      assertEquals([...messagesOf(spans)], [...model].sort(([a], [b]) => a - b));
    }
    spans.clear();
    assertEquals([spans.length, spans.count, spans.earliest], [0, 0, Infinity]);
  }
});

Deno.test("what is added at the end and removed at the front needs no more room than what is there", () => {
  const spans = new Spans();
  for (let i = 0; i < 100_000; i++) {
    spans.add(10 * i, 10 * i + 5, 1, i, 1);
    if (i >= 3) assertEquals(spans.removeUpTo(10 * (i - 3) + 5), 6);
  }
  assertEquals([spans.length, spans.from(0), spans.to(2)], [3, 999_970, 999_995]);
});
