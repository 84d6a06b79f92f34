import { assert, assertEquals } from "@std/assert";
import { check, type Fate, FATES, total } from "./checker.ts";
import { addReading, History, type Reader, type ReaderKind, type Received } from "./history.ts";
import { Ranges } from "./ranges.ts";

const WRITER = 7;

/** `count` messages from index `index` on, at sequence `sequence`. */
function run(index: number, count: number, sequence: number, attempt = 1): Received {
  return { writer: WRITER, attempt, index, count, sequence, isAgain: false };
}

/** Ten messages were sent, and are stored from sequence 1 on. */
function tenStored(): History {
  const history = new History();
  history.sent(run(1, 10, 0));
  history.store(run(1, 10, 1));
  return history;
}

/** Adds a reader with readings that received these runs. */
function read(history: History, kind: ReaderKind, ...readings: Received[][]): Reader {
  const reader = history.reader("Ada", kind);
  for (const runs of readings) {
    const reading = addReading(reader);
    for (const run of runs) reading.receive(run);
  }
  return reader;
}

/** Asserts how many messages had each fate; those not named must have none. */
function assertFates(history: History, expected: Partial<Record<Fate, number>>, problem?: RegExp): void {
  const { counts, problems } = check(history);
  assertEquals(
    counts,
    Object.fromEntries(FATES.map((fate) => [fate, expected[fate] ?? 0])),
    problems.join("\n"),
  );
  if (problem === undefined) assertEquals(problems, []);
  else assert(problems.some((text) => problem.test(text)), `${problem} in ${problems.join("; ")}`);
}

Deno.test("what is stored once and received in order is delivered", () => {
  const history = tenStored();
  history.receipt({ writer: WRITER, attempt: 1, index: 10, sequence: 10 });
  const reader = read(history, "subscriber", [run(1, 4, 1), run(5, 6, 5)]);
  [reader.from, reader.to] = [1, 11];
  assertFates(history, { delivered: 10 });
});

Deno.test("what is behind the last message that is stored or has a receipt is unknown", () => {
  const history = tenStored();
  history.sent(run(11, 5, 0));
  assertFates(history, { delivered: 10, unknown: 5 });
});

Deno.test("what a receipt covers and is not stored is lost", () => {
  const history = new History();
  history.sent(run(1, 3, 0));
  history.receipt({ writer: WRITER, attempt: 1, index: 2, sequence: 2 });
  assertFates(history, { lost: 2, unknown: 1 }, /messages 1 to 2 .* not stored, but 2 has a receipt/);
});

Deno.test("a hole before a message that is stored is lost", () => {
  const history = new History();
  history.sent(run(1, 5, 0));
  history.store(run(1, 2, 1));
  history.store(run(4, 2, 3));
  assertFates(history, { delivered: 4, lost: 1 }, /message 3 .* 5 is stored/);
});

Deno.test("what was refused is only counted, and what comes after it in another attempt is in order", () => {
  const history = new History();
  history.sent(run(1, 5, 0));
  history.store(run(1, 2, 1));
  history.refused(run(3, 3, 0));
  history.sent(run(3, 3, 0, 2));
  history.store(run(3, 3, 3, 2));
  history.receipt({ writer: WRITER, attempt: 2, index: 5, sequence: 5 });
  assertFates(history, { delivered: 5 });
  assertEquals(check(history).refused, 3);
});

Deno.test("what was refused and is stored all the same", () => {
  const history = tenStored();
  history.refused(run(9, 2, 0));
  assertFates(history, { delivered: 8, "refused-yet-stored": 2 }, /message.* 9 .* at sequence 9/);
});

Deno.test("a message that is stored twice is duplicated", () => {
  const history = tenStored();
  history.sent(run(9, 2, 0, 2));
  history.store(run(9, 2, 11, 2));
  assertFates(history, { delivered: 10, duplicated: 2 }, /messages 9 to 10 .* second time/);
});

Deno.test("a message that was never sent is a phantom", () => {
  const history = tenStored();
  history.store(run(11, 1, 11));
  assertFates(history, { delivered: 10, phantom: 1 }, /message 11 .* never sent/);
});

Deno.test("messages that are stored in another order are reordered", () => {
  const history = new History();
  history.sent(run(1, 3, 0));
  history.store(run(2, 2, 1));
  history.store(run(1, 1, 3));
  assertFates(history, { delivered: 2, reordered: 1 }, /message 1 .* sent before 3/);
});

Deno.test("a message that is not where its receipt says is reordered", () => {
  const history = tenStored();
  history.receipt({ writer: WRITER, attempt: 1, index: 3, sequence: 4 });
  assertFates(history, { delivered: 10, reordered: 1 }, /not at sequence 4/);
});

Deno.test("OPENED of a producer counts what is stored of it, no less and no more", () => {
  for (const [stored, fate] of [[10, undefined], [12, "lost"], [7, "refused-yet-stored"]] as const) {
    const history = tenStored();
    history.opened({ writer: WRITER, attempt: 2, stored });
    const wrong = Math.abs(stored - 10);
    const delivered = fate === "refused-yet-stored" ? 10 - wrong : 10;
    assertFates(history, { delivered, ...fate && { [fate]: wrong } }, fate && /OPENED of attempt 2 counts/);
  }
});

Deno.test("a subscriber that misses a message has lost it, unless it was dropped or is one it ignores", () => {
  for (const kind of ["subscriber", "group"] as const) {
    const history = tenStored();
    const reader = read(history, kind, [run(1, 4, 1), run(7, 2, 7)]);
    [reader.from, reader.to] = [1, 11];
    assertFates(history, { delivered: 6, lost: 4 }, /did not receive 5 to 6/);
    history.drop({ from: 5, to: 7 });
    history.drop({ from: 9, to: 11 });
    assertFates(history, { delivered: 10 });
  }
  const history = tenStored();
  const reader = read(history, "subscriber", [run(1, 4, 1), run(7, 2, 7)]);
  assertFates(history, { delivered: 8, lost: 2 }, /did not receive 5 to 6/);
  reader.ignores = new Set([WRITER]);
  assertFates(history, { delivered: 10 });
});

Deno.test("what a subscriber receives twice is duplicated, what it receives late is reordered", () => {
  const twice = tenStored();
  read(twice, "subscriber", [run(1, 5, 1), run(5, 6, 5)]);
  assertFates(twice, { delivered: 9, duplicated: 1 }, /received 5 to 5 again/);
  const late = tenStored();
  read(late, "subscriber", [run(3, 8, 3), run(1, 2, 1)]);
  assertFates(late, { delivered: 8, reordered: 2 }, /received 1 after 10/);
});

Deno.test("what is received and not stored, or other than it is stored, is a phantom", () => {
  const gone = tenStored();
  gone.sent(run(11, 1, 0));
  read(gone, "subscriber", [run(1, 11, 1)]);
  assertFates(gone, { delivered: 10, phantom: 1, unknown: 1 }, /as 11, under which nothing is stored/);
  const other = tenStored();
  read(other, "subscriber", [run(2, 1, 1)]);
  assertFates(other, { delivered: 9, phantom: 1 }, /message 2 .* as 1, where /);
});

Deno.test("the members of a group receive each message once", () => {
  const history = tenStored();
  const reader = read(history, "group", [run(1, 3, 1), run(7, 4, 7)], [run(4, 3, 4)]);
  [reader.from, reader.to] = [1, 11];
  assertFates(history, { delivered: 10 });
  reader.readings[1].reading.receive(run(7, 1, 7));
  assertFates(history, { delivered: 9, duplicated: 1 }, /received 7 to 7 again/);
});

Deno.test("a consumer is owed what it has not acknowledged, and may receive it again if it is told so", () => {
  const history = tenStored();
  const reader = read(history, "consumer", [run(1, 10, 1), { ...run(3, 1, 3), isAgain: true }]);
  [reader.from, reader.to] = [1, 11];
  reader.settled.add(1, 3);
  reader.settled.add(4, 11);
  assertFates(history, { delivered: 9, lost: 1 }, /not delivered, or not again .* 3 to 3/);
  reader.settled.add(3, 4);
  assertFates(history, { delivered: 10 });
  reader.readings.push({
    life: 1,
    reading: read(new History(), "consumer", [run(8, 3, 8)]).readings[0].reading,
  });
  assertFates(history, { delivered: 10 }); // a server that was started again need not know of deliveries
  reader.readings.push({
    life: 0,
    reading: read(new History(), "consumer", [run(8, 1, 8)]).readings[0].reading,
  });
  assertFates(history, { delivered: 9, duplicated: 1 }, /received 8 to 8 again/);
});

Deno.test("outcomes add up", () => {
  const { counts, problems } = total([check(tenStored()), check(tenStored())]);
  assertEquals([counts.delivered, problems], [20, []]);
});

Deno.test("ranges: any order of additions gives the same set", () => {
  const ranges = new Ranges();
  for (const [from, to] of [[5, 7], [1, 3], [9, 12], [3, 5], [20, 20], [6, 10]]) ranges.add(from, to);
  assertEquals(ranges.all, [{ from: 1, to: 12 }]);
  ranges.add(14, 16);
  assertEquals([ranges.size, ranges.highest], [13, 15]);
  assertEquals([0, 1, 11, 12, 14, 15, 16].filter((n) => ranges.has(n)), [1, 11, 14, 15]);
  assertEquals(ranges.common(10, 15), [{ from: 10, to: 12 }, { from: 14, to: 15 }]);
  assertEquals(ranges.missing(0, 18), [{ from: 0, to: 1 }, { from: 12, to: 14 }, { from: 16, to: 18 }]);
});
