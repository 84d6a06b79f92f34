/**
 * Sorts the messages of a stored channel by what became of them, and names those that should not have come to that.
 *
 * @module
 */

import { type Attempt, type History, keyOf, type Reader, type Received, type Sequenced } from "./history.ts";
import { type Range, Ranges } from "./ranges.ts";

/** What became of a message. Only the first and the last may happen. */
export const FATES = [
  /** Stored once, in its place, and received by everyone that is owed it. */
  "delivered",
  /** Not stored though a receipt says so or a later message of its attempt is; or not received. */
  "lost",
  /** Stored twice, or received twice without a word. */
  "duplicated",
  /** Stored or received though it was never sent; or received though it was never stored. */
  "phantom",
  /** Stored in another order than it was sent in, or received in another order than it is stored in. */
  "reordered",
  /** Stored though an answer said that it is not, and never will be. */
  "refused-yet-stored",
  /** Not stored, and nothing was said of it: its writer does not know. */
  "unknown",
] as const;

/** See {@linkcode FATES}. */
export type Fate = typeof FATES[number];

/** What became of the messages of a channel. */
export interface Outcome {
  readonly counts: Readonly<Record<Fate, number>>;
  /** Messages that are not stored, as an answer said. */
  readonly refused: number;
  /** The first of those that should not have come to that, in words. */
  readonly problems: readonly string[];
}

const MAX_PROBLEMS = 20;

/** Sorts the messages of `history`. Takes time for each stretch of messages that stayed together, not for each one. */
export function check(history: History): Outcome {
  return new Checker(history).check();
}

/** What was found of one writer. */
interface Writer {
  readonly indexes: Ranges;
  /** By the attempt. */
  readonly attempts: Map<number, Ranges>;
  readonly found: Sequenced[];
}

class Checker {
  readonly #history: History;
  readonly #counts = Object.fromEntries(FATES.map((fate) => [fate, 0])) as Record<Fate, number>;
  readonly #problems: string[] = [];
  readonly #writers = new Map<number, Writer>();
  /** The sequences of stored messages that something is wrong with. */
  readonly #faulty = new Ranges();
  #refused = 0;

  constructor(history: History) {
    this.#history = history;
  }

  check(): Outcome {
    this.#checkStored();
    for (const attempt of this.#history.attempts.values()) this.#checkAttempt(attempt);
    this.#checkReceipts();
    this.#checkCounted();
    for (const reader of this.#history.readers) this.#checkReader(reader);
    const stored = this.#history.stored.reduce((sum, { count }) => sum + count, 0);
    this.#counts.delivered = stored - this.#faulty.size;
    return { counts: this.#counts, refused: this.#refused, problems: this.#problems };
  }

  /** `sequence` is the first of the messages if they are stored. */
  #fault(fate: Fate, count: number, what: string, sequence?: number): void {
    this.#counts[fate] += count;
    if (sequence !== undefined) this.#faulty.add(sequence, sequence + count);
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push(`${fate}: ${what}`);
  }

  #writer(writer: number): Writer {
    let known = this.#writers.get(writer);
    if (known === undefined) {
      this.#writers.set(writer, known = { indexes: new Ranges(), attempts: new Map(), found: [] });
    }
    return known;
  }

  /** What is stored was sent once, and is in the order in which its writer sent it. */
  #checkStored(): void {
    let next = 0;
    for (const run of this.#history.stored) {
      const { writer: number, attempt, index, count, sequence } = run;
      const where = `${name(run)} at sequence ${sequence}`;
      if (sequence < next) this.#fault("duplicated", count, `${where}, which another message has`, sequence);
      next = Math.max(next, sequence + count);
      const sent = this.#history.attempts.get(keyOf(number, attempt));
      for (const { from, to } of outside(index, index + count, sent)) {
        const at = sequence + from - index;
        const what = name({ ...run, index: from, count: to - from });
        this.#fault("phantom", to - from, `${what} at sequence ${at} was never sent`, at);
      }
      for (const { from, to } of sent?.refused.common(index, index + count) ?? []) {
        const at = sequence + from - index;
        this.#fault(
          "refused-yet-stored",
          to - from,
          `${name({ ...run, index: from })} at sequence ${at}`,
          at,
        );
      }
      const writer = this.#writer(number);
      const before = writer.indexes.common(index, index + count);
      for (const { from, to } of before) {
        this.#fault("duplicated", to - from, `${where} is stored a second time`, sequence + from - index);
      }
      const isLate = before.length === 0 && index <= (writer.indexes.highest ?? 0);
      if (isLate) {
        this.#fault("reordered", count, `${where} was sent before ${writer.indexes.highest}`, sequence);
      }
      writer.indexes.add(index, index + count);
      writer.found.push(run);
      if (!writer.attempts.has(attempt)) writer.attempts.set(attempt, new Ranges());
      writer.attempts.get(attempt)!.add(index, index + count);
    }
  }

  /** Everything before a message that is stored, or has a receipt, is stored or was refused. */
  #checkAttempt({ writer, attempt, from, to, receipt, refused }: Attempt): void {
    const found = this.#writer(writer).attempts.get(attempt) ?? new Ranges();
    const known = Math.max(found.highest ?? 0, receipt);
    for (const gap of found.missing(from, to)) {
      for (const { from: index, to: end } of refused.missing(gap.from, gap.to)) {
        const lost = Math.max(0, Math.min(end, known + 1) - index);
        const count = end - index - lost;
        this.#counts.unknown += count;
        if (lost === 0) continue;
        const why = receipt >= index ? `${receipt} has a receipt` : `${known} is stored`;
        this.#fault(
          "lost",
          lost,
          `${name({ writer, attempt, index, count: lost })} is not stored, but ${why}`,
        );
      }
      for (const range of refused.common(gap.from, gap.to)) this.#refused += range.to - range.from;
    }
  }

  /** A message is where its receipt says. */
  #checkReceipts(): void {
    for (const { writer, attempt, index, sequence } of this.#history.receipts) {
      const run = runAt(this.#history.stored, sequence);
      if (
        run?.writer === writer && run.attempt === attempt && run.index + sequence - run.sequence === index
      ) {
        continue;
      }
      const message = name({ writer, attempt, index, count: 1 });
      const isStored = this.#writer(writer).attempts.get(attempt)?.has(index) === true;
      if (isStored) {
        this.#fault("reordered", 1, `${message} is not at sequence ${sequence}, which its receipt names`);
      } else if (this.#history.attempt(writer, attempt).refused.has(index)) {
        this.#fault("lost", 1, `${message} has a receipt, was refused, and is not stored`);
      } // else it is lost already, with all before it
    }
  }

  /** What OPENED says of a producer is so: no less is stored, and no more of its earlier attempts. */
  #checkCounted(): void {
    for (const { writer: number, attempt, stored } of this.#history.counted) {
      const writer = this.#writer(number);
      for (const { from, to } of writer.indexes.missing(1, stored + 1)) {
        const lost = name({ writer: number, attempt, index: from, count: to - from });
        this.#fault("lost", to - from, `${lost} is not stored, but OPENED of attempt ${attempt} counts it`);
      }
      for (const run of writer.found) {
        if (run.attempt >= attempt || run.index + run.count <= stored + 1) continue;
        const skipped = Math.max(0, stored + 1 - run.index);
        const at = run.sequence + skipped;
        const what = `${
          name(run)
        } at sequence ${run.sequence}; OPENED of attempt ${attempt} counts ${stored}`;
        this.#fault("refused-yet-stored", run.count - skipped, what, at);
      }
    }
  }

  #checkReader(reader: Reader): void {
    const had = new Ranges();
    /** What was received for the first time in one life of the server, by all that share. */
    const shared = new Map<number, Ranges>();
    for (const { life, reading: { received } } of reader.readings) {
      if (!shared.has(life)) shared.set(life, new Ranges());
      const others = reader.kind === "consumer" ? shared.get(life)! : had;
      let next = 0;
      for (const run of received) {
        const { sequence, count, isAgain } = run;
        const end = sequence + count;
        this.#compare(reader, run);
        if (!isAgain) {
          for (const { from, to } of others.common(sequence, end)) {
            this.#fault("duplicated", to - from, `${reader.name} received ${from} to ${to - 1} again`, from);
          }
          if (sequence < next && others.common(sequence, end).length === 0) {
            this.#fault(
              "reordered",
              count,
              `${reader.name} received ${sequence} after ${next - 1}`,
              sequence,
            );
          }
          next = Math.max(next, end);
          others.add(sequence, end);
        }
        had.add(sequence, end);
      }
    }
    this.#checkComplete(reader, had);
  }

  /** What was received is what is stored under its sequence. */
  #compare({ name: reader }: Reader, run: Received): void {
    const { stored } = this.#history;
    const end = run.sequence + run.count;
    for (let at = run.sequence; at < end;) {
      const there = runAt(stored, at);
      const index = run.index + at - run.sequence;
      const what = `${reader} received ${name({ ...run, index, count: 1 })} as ${at}`;
      if (there === undefined) {
        this.#fault("phantom", end - at, `${what}, under which nothing is stored`);
        return;
      }
      const { writer, attempt } = there;
      const isSame = writer === run.writer && attempt === run.attempt &&
        there.index + at - there.sequence === index;
      if (!isSame) return this.#fault("phantom", end - at, `${what}, where ${name(there)} is stored`, at);
      at = there.sequence + there.count;
    }
  }

  /** A reader has had everything between its first and its last message, and what else it is owed. */
  #checkComplete({ name: reader, kind, from, to, ignores, settled }: Reader, had: Ranges): void {
    const first = from ?? had.all[0]?.from ?? 0;
    const end = to ?? (kind === "subscriber" ? (had.highest ?? -1) + 1 : 0);
    const { dropped } = this.#history;
    const isConsumer = kind === "consumer";
    for (const gap of (isConsumer ? settled : had).missing(first, end)) {
      for (const { from: at, to: gapEnd } of dropped.missing(gap.from, gap.to)) {
        for (const run of runsIn(this.#history.stored, at, gapEnd)) {
          if (ignores.has(run.writer)) continue;
          const what = `${run.sequence} to ${run.sequence + run.count - 1}`;
          const did = isConsumer
            ? "was not delivered, or not again until it acknowledged,"
            : "did not receive";
          this.#fault("lost", run.count, `${reader} ${did} ${what}: ${name(run)}`, run.sequence);
        }
      }
    }
  }
}

/** What `[from, to)` has outside of `range`. */
function outside(from: number, to: number, range: Range | undefined): Range[] {
  if (range === undefined || range.to <= from || range.from >= to) return [{ from, to }];
  const parts = [{ from, to: range.from }, { from: range.to, to }];
  return parts.filter((part) => part.from < part.to);
}

/** The run of `stored` that has `sequence`. */
function runAt(stored: readonly Sequenced[], sequence: number): Sequenced | undefined {
  const run = stored[firstEndingAfter(stored, sequence)];
  return run !== undefined && run.sequence <= sequence ? run : undefined;
}

/** What `stored` has of `[from, to)`. */
function runsIn(stored: readonly Sequenced[], from: number, to: number): Sequenced[] {
  const runs: Sequenced[] = [];
  for (let i = firstEndingAfter(stored, from); i < stored.length && stored[i].sequence < to; i++) {
    const run = stored[i];
    const start = Math.max(from, run.sequence);
    const end = Math.min(to, run.sequence + run.count);
    runs.push({ ...run, sequence: start, index: run.index + start - run.sequence, count: end - start });
  }
  return runs;
}

function firstEndingAfter(stored: readonly Sequenced[], sequence: number): number {
  let low = 0;
  let high = stored.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (stored[middle].sequence + stored[middle].count > sequence) high = middle;
    else low = middle + 1;
  }
  return low;
}

function name(
  { writer, attempt, index, count }: { writer: number; attempt: number; index: number; count: number },
) {
  const which = count === 1 ? `message ${index}` : `messages ${index} to ${index + count - 1}`;
  return `${which} of writer ${writer} (attempt ${attempt})`;
}

/** Adds up the outcomes of several channels. */
export function total(outcomes: readonly Outcome[]): Outcome {
  const counts = Object.fromEntries(
    FATES.map((fate) => [fate, outcomes.reduce((sum, { counts }) => sum + counts[fate], 0)]),
  ) as Record<Fate, number>;
  return {
    counts,
    refused: outcomes.reduce((sum, { refused }) => sum + refused, 0),
    problems: outcomes.flatMap(({ problems }) => problems).slice(0, MAX_PROBLEMS),
  };
}
