/**
 * Ranges of sequences, lowest first, which is how consumers keep account of messages: a run that is delivered at once and
 * acknowledged at once costs as much as a single message.
 *
 * @module
 */

/** The fields of a span: the first and last sequence, and what holds for each message of it. */
const [FROM, TO, DELIVERIES, TIME, OWNER, FIELDS] = [0, 1, 2, 3, 4, 5];

/** Room that is made for spans at first, and what an empty list may keep. */
const [FIRST_SPANS, KEPT_SPANS] = [4, 64];

const NO_VALUES = new Float64Array(0);

/** Takes the messages `from` to `to`, which have the rest in common. It must not change the list that they come from. */
export type SpanReceiver = (
  from: number,
  to: number,
  deliveries: number,
  time: number,
  owner: number,
) => void;

/**
 * A list of spans that do not overlap. Neighbours that have everything in common are one span.
 *
 * Adding at the end and removing at the front cost next to nothing, and allocate nothing. Anything else moves what is
 * behind it.
 */
export class Spans {
  /** How many spans there are. */
  length = 0;
  /** How many messages they have. */
  count = 0;
  /** No span has an earlier time. There may be none that has this one: `extract` up to that time finds out. */
  earliest = Infinity;
  /** All spans one after the other, after `#head` that were removed. */
  #values = NO_VALUES;
  #head = 0;

  /** The lowest sequence of span `index`. */
  from(index: number): number {
    return this.#values[(this.#head + index) * FIELDS + FROM];
  }

  /** The highest sequence of span `index`. */
  to(index: number): number {
    return this.#values[(this.#head + index) * FIELDS + TO];
  }

  /** How often each message of span `index` was delivered. */
  deliveries(index: number): number {
    return this.#values[(this.#head + index) * FIELDS + DELIVERIES];
  }

  /** The time of span `index`. */
  time(index: number): number {
    return this.#values[(this.#head + index) * FIELDS + TIME];
  }

  /** The first span that ends at `sequence` or after it; `length` if there is none. */
  search(sequence: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.to(middle) >= sequence) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The lowest sequence from `sequence` on; `Infinity` if there is none. */
  lowestFrom(sequence: number): number {
    const index = this.search(sequence);
    return index === this.length ? Infinity : Math.max(sequence, this.from(index));
  }

  /** How many messages there are from `from` to `to`. */
  countWithin(from: number, to: number): number {
    let count = 0;
    for (let i = this.search(from); i < this.length && this.from(i) <= to; i++) {
      count += Math.min(to, this.to(i)) - Math.max(from, this.from(i)) + 1;
    }
    return count;
  }

  /** Calls `receive` for each span. */
  forEach(receive: SpanReceiver): void {
    for (let i = 0; i < this.length; i++) this.#give(i, receive);
  }

  /** Adds the messages `from` to `to`, none of which may be there. */
  add(from: number, to: number, deliveries: number, time: number, owner: number): void {
    this.count += to - from + 1;
    if (time < this.earliest) this.earliest = time;
    const { length } = this;
    const index = length === 0 || this.to(length - 1) < from ? length : this.search(from);
    if (index > 0 && this.to(index - 1) + 1 === from && this.#has(index - 1, deliveries, time, owner)) {
      this.#values[(this.#head + index - 1) * FIELDS + TO] = to;
    } else this.#insert(index, from, to, deliveries, time, owner);
    if (index < length) this.#merge(index, index + 1);
  }

  /** Removes every message up to `to`. Returns how many there were. */
  removeUpTo(to: number): number {
    const before = this.count;
    let removed = 0;
    while (removed < this.length && this.to(removed) <= to) {
      this.count -= this.to(removed) - this.from(removed) + 1;
      removed++;
    }
    this.#delete(0, removed);
    if (this.length > 0 && this.from(0) <= to) {
      this.count -= to - this.from(0) + 1;
      this.#values[this.#head * FIELDS + FROM] = to + 1;
    }
    return before - this.count;
  }

  /**
   * Removes messages from `from` to `to`, and hands them to `receive`.
   *
   * @param owner if not 0, just those of this owner
   * @param deliveries if not 0, just those that were delivered so often
   * @returns how many there were
   */
  extract(from: number, to: number, receive?: SpanReceiver, owner = 0, deliveries = 0): number {
    if (this.length === 0 || from > to) return 0;
    const begin = this.#cut(from);
    const end = this.#cut(to + 1);
    const before = this.count;
    let kept = begin;
    for (let i = begin; i < end; i++) {
      const at = (this.#head + i) * FIELDS;
      const isWanted = (owner === 0 || this.#values[at + OWNER] === owner) &&
        (deliveries === 0 || this.#values[at + DELIVERIES] === deliveries);
      if (isWanted) this.#remove(i, receive);
      else this.#copy(i, kept++);
    }
    this.#delete(kept, end);
    this.#merge(begin, kept);
    return before - this.count;
  }

  /** Removes those whose time is `time` or earlier, and hands them to `receive`. */
  extractUntil(time: number, receive: SpanReceiver): void {
    let kept = 0;
    let earliest = Infinity;
    for (let i = 0; i < this.length; i++) {
      const its = this.time(i);
      if (its <= time) this.#remove(i, receive);
      else {
        earliest = Math.min(earliest, its);
        this.#copy(i, kept++);
      }
    }
    this.#delete(kept, this.length);
    this.earliest = earliest;
  }

  /** Gives the messages from `from` to `to` that are there this time. Returns how many they are. */
  setTime(from: number, to: number, time: number): number {
    if (this.length === 0 || from > to) return 0;
    const begin = this.#cut(from);
    const end = this.#cut(to + 1);
    let count = 0;
    for (let i = begin; i < end; i++) {
      this.#values[(this.#head + i) * FIELDS + TIME] = time;
      count += this.to(i) - this.from(i) + 1;
    }
    if (count > 0 && time < this.earliest) this.earliest = time;
    this.#merge(begin, end);
    return count;
  }

  /** Removes all. */
  clear(): void {
    this.count = 0;
    this.#delete(0, this.length);
  }

  #give(index: number, receive: SpanReceiver): void {
    const at = (this.#head + index) * FIELDS;
    const values = this.#values;
    receive(
      values[at + FROM],
      values[at + TO],
      values[at + DELIVERIES],
      values[at + TIME],
      values[at + OWNER],
    );
  }

  #remove(index: number, receive: SpanReceiver | undefined): void {
    this.count -= this.to(index) - this.from(index) + 1;
    if (receive !== undefined) this.#give(index, receive);
  }

  #has(index: number, deliveries: number, time: number, owner: number): boolean {
    const at = (this.#head + index) * FIELDS;
    const values = this.#values;
    return values[at + DELIVERIES] === deliveries && values[at + TIME] === time &&
      values[at + OWNER] === owner;
  }

  #copy(from: number, to: number): void {
    if (from === to) return;
    const at = (this.#head + from) * FIELDS;
    this.#values.copyWithin((this.#head + to) * FIELDS, at, at + FIELDS);
  }

  /** Sees to it that no span begins before `sequence` and ends after it. Returns the first that begins there or later. */
  #cut(sequence: number): number {
    const index = this.search(sequence);
    if (index === this.length || this.from(index) >= sequence) return index;
    const at = (this.#head + index) * FIELDS;
    const [, to, deliveries, time, owner] = this.#values.subarray(at, at + FIELDS);
    this.#values[at + TO] = sequence - 1;
    this.#insert(index + 1, sequence, to, deliveries, time, owner);
    return index + 1;
  }

  /** Joins the spans `from - 1` to `to`, as far as they have everything in common. */
  #merge(from: number, to: number): void {
    let last = Math.max(0, from - 1);
    const end = Math.min(this.length, to + 1);
    for (let i = last + 1; i < end; i++) {
      const at = (this.#head + i) * FIELDS;
      const values = this.#values;
      const isNext = this.to(last) + 1 === values[at + FROM] &&
        this.#has(last, values[at + DELIVERIES], values[at + TIME], values[at + OWNER]);
      if (isNext) values[(this.#head + last) * FIELDS + TO] = values[at + TO];
      else this.#copy(i, ++last);
    }
    this.#delete(last + 1, end);
  }

  #insert(index: number, from: number, to: number, deliveries: number, time: number, owner: number): void {
    this.#makeRoom();
    const at = (this.#head + index) * FIELDS;
    const values = this.#values;
    if (index < this.length) values.copyWithin(at + FIELDS, at, (this.#head + this.length) * FIELDS);
    values[at + FROM] = from;
    values[at + TO] = to;
    values[at + DELIVERIES] = deliveries;
    values[at + TIME] = time;
    values[at + OWNER] = owner;
    this.length++;
  }

  /** Makes room for one span at the end. */
  #makeRoom(): void {
    const end = (this.#head + this.length) * FIELDS;
    if (end < this.#values.length) return;
    const begin = this.#head * FIELDS;
    if (this.#head > this.length) this.#values.copyWithin(0, begin, end);
    else {
      const larger = new Float64Array(FIELDS * Math.max(FIRST_SPANS, 2 * this.length));
      larger.set(this.#values.subarray(begin, end));
      this.#values = larger;
    }
    this.#head = 0;
  }

  /** Deletes the spans `from` to `to`, the last not included. */
  #delete(from: number, to: number): void {
    if (from >= to) return;
    if (from === 0) this.#head += to;
    else {
      const at = this.#head * FIELDS;
      this.#values.copyWithin(at + from * FIELDS, at + to * FIELDS, at + this.length * FIELDS);
    }
    this.length -= to - from;
    if (this.length > 0) return;
    this.#head = 0;
    this.earliest = Infinity;
    if (this.#values.length > KEPT_SPANS * FIELDS) this.#values = NO_VALUES;
  }
}
