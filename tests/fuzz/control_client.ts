/**
 * Two well-behaved sessions that talk while others attack: what one says the other must hear, all of it, in order,
 * byte for byte and soon.
 *
 * @module
 */

import { Type, typeName } from "../../lib/wire/header.ts";
import { type Frame, inbox, json, RawClient, text } from "../raw_client.ts";
import type { Random } from "../seeded.ts";
import type { Dial } from "./attacker.ts";
import { filler } from "./payloads.ts";

/** A channel that nothing the fuzzer sends can name or match. */
const CHANNEL = "witness.of.what.the.fuzzer.does";

/** Whoever is not served within this was not served. Long, for machines that do much else at the same time. */
export const SERVED_WITHIN_MS = 10_000;

/** Largest payload of the witness; the fuzzed server takes 64 KiB. */
const MAX_BYTES = 8_000;

/** The two sessions. One asks and publishes, the other answers and publishes too. */
export class ControlClient {
  messages = 0;
  answers = 0;
  /** Frames of strangers in the inboxes of the two, which are theirs to send. */
  strangers = 0;
  /** How long each message and each answer took, in milliseconds. */
  readonly latencies: number[] = [];
  readonly #random: Random;
  readonly #asker: RawClient;
  readonly #answerer: RawClient;
  readonly #channel: number;
  #round = 0;

  private constructor(random: Random, asker: RawClient, answerer: RawClient, channel: number) {
    this.#random = random;
    this.#asker = asker;
    this.#answerer = answerer;
    this.#channel = channel;
  }

  /** Greets twice and opens the channel. */
  static async start(random: Random, dial: Dial): Promise<ControlClient> {
    const [asker, answerer] = [await greet(dial), await greet(dial)];
    const { number } = await asker.open(CHANNEL, { echo: false });
    await answerer.open(CHANNEL, { echo: false });
    return new ControlClient(random, asker, answerer, number);
  }

  /** The numbers of both sessions. */
  get sessions(): ReadonlySet<number> {
    return new Set([this.#asker.number, this.#answerer.number]);
  }

  /** Talks until `isOver`. Rejects with what was wrong as soon as anything is. */
  async talk(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await this.#exchange();
      const ms = this.#random.int(6);
      await new Promise((resolve) => setTimeout(resolve, ms));
    }
  }

  /** Ends both sessions in order. */
  async close(): Promise<void> {
    for (const client of [this.#asker, this.#answerer]) {
      await client.send(client.frame(Type.BYE, {}, { reason: "done" }));
      while (await client.nextOrEnd(SERVED_WITHIN_MS) !== undefined) this.strangers++;
      client.close();
    }
  }

  /** Ends both at once. */
  destroy(): void {
    this.#asker.close();
    this.#answerer.close();
  }

  /** Some messages and a request one way, a reply and a message the other way. */
  async #exchange(): Promise<void> {
    const [asker, answerer, channel] = [this.#asker, this.#answerer, this.#channel];
    const round = ++this.#round;
    const id = 1 + round % 65_535;
    const messages = Array.from(
      { length: 1 + this.#random.int(6) },
      (_, index) => this.#payload(`${round}.${index}`),
    );
    const question = this.#payload(`${round}?`);
    const back = this.#payload(`${round}!`);
    const start = performance.now();
    await asker.send(
      ...messages.map((payload) => asker.message(channel, payload)),
      asker.request(id, channel, question),
    );
    for (const payload of messages) {
      const message = await this.#next(answerer, start);
      this.#check(message, { type: Type.MESSAGE, id: 0, channel, sender: asker.number }, payload);
      this.messages++;
      this.latencies.push(performance.now() - start);
    }
    const request = await this.#next(answerer, start);
    this.#check(request, { type: Type.REQUEST, id, channel, sender: asker.number }, question);
    await answerer.send(answerer.message(channel, back), answerer.reply(id, asker.number, question));
    const message = await this.#next(asker, start);
    this.#check(message, { type: Type.MESSAGE, id: 0, channel, sender: answerer.number }, back);
    const reply = await this.#next(asker, start);
    this.#check(
      reply,
      { type: Type.REPLY, id, channel: inbox(asker.number), sender: answerer.number },
      question,
    );
    this.messages++;
    this.answers++;
    this.latencies.push(performance.now() - start);
  }

  /** The next frame that is not a stranger's. */
  async #next(client: RawClient, start: number): Promise<Frame> {
    while (true) {
      const left = start + SERVED_WITHIN_MS - performance.now();
      const frame = await client.next(Math.max(1, left)).catch((error) => {
        throw new Error(`the witness was not served: ${error.message} (round ${this.#round})`);
      });
      if (frame.type === Type.PING) {
        await client.send(client.frame(Type.PONG, { id: frame.id }, frame.payload));
      } else if (frame.type !== Type.MESSAGE || frame.channel !== inbox(client.number)) return frame;
      else if (this.sessions.has(frame.sender)) {
        throw new Error(
          `a message in the name of the witness's session ${frame.sender}, which did not send it`,
        );
      } else this.strangers++;
    }
  }

  #check(
    frame: Frame,
    expected: Pick<Frame, "type" | "id" | "channel" | "sender">,
    payload: Uint8Array,
  ): void {
    const wrong = (["type", "id", "channel", "sender"] as const).filter((field) =>
      frame[field] !== expected[field]
    );
    if (frame.type === Type.ERROR) {
      throw new Error(
        `the witness was refused in round ${this.#round}: ${json(frame).code}, ${json(frame).message}`,
      );
    }
    const isSame = frame.payload.length === payload.length &&
      frame.payload.every((byte, at) => byte === payload[at]);
    if (wrong.length === 0 && isSame) return;
    const what = wrong.length > 0
      ? wrong.map((field) => `${field} ${frame[field]}`).join(", ")
      : "another payload";
    throw new Error(
      `the witness got the wrong frame in round ${this.#round}: ${typeName(frame.type)} with ${what}, ` +
        `payload ${JSON.stringify(text(frame).slice(0, 60))}`,
    );
  }

  /** Begins with `label`, so that a wrong one tells which it is. */
  #payload(label: string): Uint8Array {
    const head = new TextEncoder().encode(`${label} `);
    const payload = new Uint8Array(head.length + this.#random.int(this.#random.pick([1, 200, MAX_BYTES])));
    payload.set(filler(this.#random, payload.length));
    payload.set(head);
    return payload;
  }
}

async function greet(dial: Dial): Promise<RawClient> {
  // What it needs of a connection TLS has too.
  const client = new RawClient(await dial() as Deno.TcpConn);
  await client.hello({ name: "witness" });
  return client;
}
