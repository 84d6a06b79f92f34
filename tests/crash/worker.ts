/**
 * One process of the crash test: producers, subscribers and consumers that go on whenever the server is there, and may be
 * killed at any time.
 *
 * The only argument is the JSON of a {@linkcode WorkerOptions}. A line on stdin tells the producers to stop: they wait for
 * their receipts, and then say `stopped` on stdout.
 *
 * @module
 */

import { HEADER_BYTES } from "../../lib/limits.ts";
import { putU32, Type, u16 } from "../../lib/wire/header.ts";
import { putU64, u64 } from "../../lib/wire/sequences.ts";
import { type Random, seeded } from "../harness/seeded.ts";
import { type Fact, FactWriter } from "./facts.ts";
import { putNumbered, readNumbered } from "./numbered.ts";
import { isBroken, Refused, WireClient } from "./wire_client.ts";

/** A channel with history, whose epoch names the life of the server. */
export const LIFE_CHANNEL = "history.life";

/** One role of a process. */
export interface RoleOptions {
  readonly kind: "producer" | "subscriber" | "consumer";
  readonly channel: string;
  /** Where its facts go. */
  readonly facts: string;
  /** Of a producer or consumer: its name. */
  readonly name: string;
  /** Of a producer: its number, and that of its first attempt. */
  readonly writer: number;
  readonly attempt: number;
  /** Of a producer: how many messages may wait for a receipt. */
  readonly window: number;
  /** Of a subscriber: the sequence to begin with. */
  readonly from: number;
}

/** What a process does. */
export interface WorkerOptions {
  readonly port: number;
  readonly seed: number;
  readonly roles: readonly RoleOptions[];
}

/** How long to wait before connecting again, in milliseconds. */
const RETRY_MS = 25;
/** Messages of one batch: one chunk for the server, which ends with a message that wants a receipt. */
const MAX_BATCH = 200;
const SIZES = [12, 16, 16, 16, 100, 400];

/** Runs one role for ever, or until it says that it is done. */
abstract class Role {
  protected readonly options: RoleOptions;
  protected readonly random: Random;
  protected readonly facts: FactWriter;
  readonly #port: number;

  constructor(options: RoleOptions, port: number, seed: number) {
    this.options = options;
    this.#port = port;
    this.random = seeded(seed);
    this.facts = new FactWriter(options.facts);
  }

  /** Connects whenever it can, until `work` returns. */
  async run(): Promise<void> {
    while (true) {
      try {
        using client = await WireClient.connect(this.#port);
        if (await this.work(client)) return;
      } catch (error) {
        if (!isBroken(error) && !(error instanceof Refused)) throw error;
        if (error instanceof Refused && error.code !== "shutting_down") throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** Returns true once there is nothing left to do, false if the connection ended. */
  protected abstract work(client: WireClient): Promise<boolean>;
}

/** Publishes batches as one producer, and goes on where the server says it was. */
class Producer extends Role {
  isStopping = false;
  #attempt: number;

  constructor(options: RoleOptions, port: number, seed: number) {
    super(options, port, seed);
    this.#attempt = options.attempt;
  }

  protected async work(client: WireClient): Promise<boolean> {
    const { channel, name, writer, window } = this.options;
    const { number, stored = 0 } = await client.open(channel, { producer: name });
    const attempt = ++this.#attempt;
    this.facts.write(["opened", writer, attempt, stored]);
    let next = stored + 1;
    let unanswered = 0;
    let wasRefused = false;
    let id = 0;
    /** The last messages of batches without a receipt, oldest first. */
    const waiting: { id: number; index: number; count: number }[] = [];
    let more = Promise.withResolvers<void>();
    const reading = this.#readReceipts(client, (type, answered, sequence) => {
      const batch = waiting.shift();
      if (batch === undefined) throw new Error(`an answer to ${answered}, which waits for none`);
      if (batch.id !== answered) throw new Error(`an answer to ${answered} before that to ${batch.id}`);
      unanswered -= batch.count;
      if (type === Type.ACK) this.facts.write(["receipt", writer, attempt, batch.index, sequence]);
      else {
        this.facts.write(["refused", writer, attempt, batch.index, 1]);
        wasRefused = true;
      }
      more.resolve();
      more = Promise.withResolvers();
    });
    // Its failure is that of the connection, and comes out of the race below.
    reading.catch(() => {});
    const bytes = new Uint8Array(MAX_BATCH * (HEADER_BYTES + Math.max(...SIZES)));
    while (true) {
      if (this.isStopping && waiting.length === 0) return true;
      if (wasRefused) return false; // another session begins anew with what is stored
      if (this.isStopping || unanswered >= window) {
        await Promise.race([more.promise, reading]);
        continue;
      }
      const count = 1 + this.random.int(MAX_BATCH);
      const size = this.random.pick(SIZES);
      id = id % 65_535 + 1;
      this.facts.write(["sent", writer, attempt, next, count]);
      let end = 0;
      for (let i = 0; i < count; i++) {
        const frame = { channel: number, sender: client.number, id: i === count - 1 ? id : 0, size };
        end = putNumbered(bytes, end, frame, { writer, attempt, index: next + i });
      }
      next += count;
      unanswered += count;
      waiting.push({ id, index: next - 1, count });
      await Promise.race([client.send(bytes.subarray(0, end)), reading]);
    }
  }

  async #readReceipts(
    client: WireClient,
    answered: (type: number, id: number, sequence: number) => void,
  ): Promise<never> {
    while (
      await client.receive((type, bytes, at, end) => {
        const id = u16(bytes, at + 2);
        if (type === Type.ACK) return answered(type, id, u64(bytes, at + HEADER_BYTES));
        const text = new TextDecoder().decode(bytes.subarray(at + HEADER_BYTES, end));
        if (type === Type.BYE) return;
        if (type !== Type.ERROR || JSON.parse(text).code !== "not_stored") {
          throw new Error(`a producer received a frame of type ${type}: ${text}`);
        }
        if (id !== 0) answered(type, id, 0);
      })
    );
    throw new Deno.errors.UnexpectedEof("the server ended the connection");
  }
}

/** Reads a channel from a place on, or as one session of a consumer. */
class ReadingRole extends Role {
  #next: number;
  #epoch: string | undefined;
  /** Whether this session has sent a NAK. */
  #hasGivenBack = false;

  constructor(options: RoleOptions, port: number, seed: number) {
    super(options, port, seed);
    this.#next = options.from;
  }

  protected async work(client: WireClient): Promise<boolean> {
    const { kind, channel, name } = this.options;
    const isConsumer = kind === "consumer";
    const life = await client.open(LIFE_CHANNEL, {});
    const place = { sequence: this.#next, epoch: this.#epoch };
    const opened = await client.open(channel, {
      subscribe: true,
      ...isConsumer ? { consumer: name, window: 2_000, ackSeconds: 5 } : { from: place },
    });
    this.#epoch ??= opened.epoch;
    this.facts.write(["reads", life.epoch!]);
    this.#hasGivenBack = false;
    let sequence = 0;
    let isAgain = false;
    while (true) {
      const facts: Fact[] = [];
      const isOpen = await client.receive((type, bytes, at, end) => {
        if (type === Type.POSITION) {
          sequence = u64(bytes, at + HEADER_BYTES);
          isAgain = end - at > HEADER_BYTES + 8;
        } else if (type === Type.MESSAGE) {
          const { writer, attempt, index } = readNumbered(bytes, at);
          addMessage(facts, sequence, writer, attempt, index, isAgain);
          sequence++;
          isAgain = false;
        } else if (type !== Type.BYE) {
          const text = new TextDecoder().decode(bytes.subarray(at + HEADER_BYTES, end));
          throw new Error(`a ${kind} received a frame of type ${type}: ${text}`);
        }
      });
      if (!isOpen) return false;
      if (facts.length === 0) continue;
      this.facts.write(...facts);
      if (isConsumer) await this.#settle(client, opened.number, facts);
      else if (sequence > 0) this.#next = sequence;
    }
  }

  /** Acknowledges most of what came; some of it is given back, and must come again. */
  async #settle(client: WireClient, channel: number, facts: readonly Fact[]): Promise<void> {
    for (const fact of facts) {
      if (fact[0] !== "got") continue;
      const [, first, , , , count, isAgain] = fact;
      const last = first + count - 1;
      const givesBack = this.random.int(50) === 0;
      const end = givesBack ? last - 1 : last;
      // An ACK of everything up to a sequence would take what was given back before.
      this.#hasGivenBack ||= givesBack;
      const isUpTo = !isAgain && !this.#hasGivenBack && this.random.int(2) === 0;
      if (end >= first) {
        this.facts.write(["settled", first, end]);
        await client.settle(Type.ACK, channel, isUpTo ? sequences(end) : sequences(first, end));
      }
      if (!givesBack) continue;
      const nak = new Uint8Array(12);
      putU64(nak, 0, last);
      putU32(nak, 8, this.random.int(50)); // milliseconds
      await client.settle(Type.NAK, channel, nak);
    }
  }
}

function sequences(...sequences: number[]): Uint8Array {
  const bytes = new Uint8Array(8 * sequences.length);
  sequences.forEach((sequence, i) => putU64(bytes, 8 * i, sequence));
  return bytes;
}

/** Adds a message to the last of `facts`, if it continues it. */
function addMessage(
  facts: Fact[],
  sequence: number,
  writer: number,
  attempt: number,
  index: number,
  isAgain: boolean,
): void {
  const last = facts.at(-1);
  if (
    !isAgain && last?.[0] === "got" && !last[6] && last[1] + last[5] === sequence && last[2] === writer &&
    last[3] === attempt && last[4] + last[5] === index
  ) {
    facts[facts.length - 1] = ["got", last[1], writer, attempt, last[4], last[5] + 1, false];
  } else facts.push(["got", sequence, writer, attempt, index, 1, isAgain]);
}

async function main({ port, seed, roles }: WorkerOptions): Promise<void> {
  const producers: Producer[] = [];
  const running = roles.map((role, i) => {
    if (role.kind !== "producer") return new ReadingRole(role, port, seed + i).run();
    const producer = new Producer(role, port, seed + i);
    producers.push(producer);
    return producer.run();
  });
  Deno.stdin.read(new Uint8Array(16)).then((count) => {
    if (count === null) Deno.exit(0); // the test has ended
    for (const producer of producers) producer.isStopping = true;
  });
  await Promise.all(running);
  console.log("stopped");
}

if (import.meta.main) await main(JSON.parse(Deno.args[0]));
