/**
 * Two well-behaved sessions that exchange messages while others attack. Each must receive all that the other sends, in
 * order, byte for byte and in time.
 *
 * @module
 */

import { Type } from "../../lib/wire/header.ts";
import { typeName } from "../../lib/wire/type_name.ts";
import { type Frame, inbox, json, RawClient, text } from "../harness/raw_client.ts";
import type { Random } from "../harness/seeded.ts";
import type { Dial } from "./attack_runner.ts";
import { filler } from "./payloads.ts";

/** A channel that no generated name or pattern covers. */
const CHANNEL = "control.client";

/** A frame that takes longer counts as lost. Long enough for a busy machine. */
export const SERVED_WITHIN_MS = 10_000;

/** Largest payload of the control client; the fuzzed server takes 64 KiB. */
const MAX_BYTES = 8_000;

/** The two sessions: a requester and a responder, both of which also publish. */
export class ControlClient {
  messages = 0;
  answers = 0;
  /** Messages that attackers sent to the inboxes of the two sessions, which is allowed. */
  unsolicited = 0;
  /** Latency of each message and reply, in milliseconds. */
  readonly latencies: number[] = [];
  readonly #random: Random;
  readonly #requester: RawClient;
  readonly #responder: RawClient;
  readonly #channel: number;
  #round = 0;

  private constructor(random: Random, requester: RawClient, responder: RawClient, channel: number) {
    this.#random = random;
    this.#requester = requester;
    this.#responder = responder;
    this.#channel = channel;
  }

  /** Connects both sessions and opens the channel. */
  static async start(random: Random, dial: Dial): Promise<ControlClient> {
    const [requester, responder] = [await connect(dial), await connect(dial)];
    const { number } = await requester.open(CHANNEL, { echo: false });
    await responder.open(CHANNEL, { echo: false, respond: true });
    return new ControlClient(random, requester, responder, number);
  }

  /** The numbers of both sessions. */
  get sessions(): ReadonlySet<number> {
    return new Set([this.#requester.number, this.#responder.number]);
  }

  /** Exchanges messages until `isOver`. Rejects with the first violation. */
  async exchange(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await this.#exchange();
      const ms = this.#random.int(6);
      await new Promise((resolve) => setTimeout(resolve, ms));
    }
  }

  /** Ends both sessions with BYE. */
  async close(): Promise<void> {
    for (const client of [this.#requester, this.#responder]) {
      await client.send(client.frame(Type.BYE, {}, { reason: "done" }));
      while (await client.nextOrEnd(SERVED_WITHIN_MS) !== undefined) this.unsolicited++;
      client.close();
    }
  }

  /** Closes both sockets at once. */
  destroy(): void {
    this.#requester.close();
    this.#responder.close();
  }

  /** Sends messages and a request one way, a reply and a message the other way. */
  async #exchange(): Promise<void> {
    const [requester, responder, channel] = [this.#requester, this.#responder, this.#channel];
    const round = ++this.#round;
    const id = 1 + round % 65_535;
    const messages = Array.from(
      { length: 1 + this.#random.int(6) },
      (_, index) => this.#payload(`${round}.${index}`),
    );
    const question = this.#payload(`${round}?`);
    const back = this.#payload(`${round}!`);
    const start = performance.now();
    await requester.send(
      ...messages.map((payload) => requester.message(channel, payload)),
      requester.request(id, channel, question),
    );
    for (const payload of messages) {
      const message = await this.#next(responder, start);
      this.#check(message, { type: Type.MESSAGE, id: 0, channel, sender: requester.number }, payload);
      this.messages++;
      this.latencies.push(performance.now() - start);
    }
    const request = await this.#next(responder, start);
    this.#check(request, { type: Type.REQUEST, id, channel, sender: requester.number }, question);
    await responder.send(responder.message(channel, back), responder.reply(id, requester.number, question));
    const message = await this.#next(requester, start);
    this.#check(message, { type: Type.MESSAGE, id: 0, channel, sender: responder.number }, back);
    const reply = await this.#next(requester, start);
    this.#check(
      reply,
      { type: Type.REPLY, id, channel: inbox(requester.number), sender: responder.number },
      question,
    );
    this.messages++;
    this.answers++;
    this.latencies.push(performance.now() - start);
  }

  /** The next frame, without unsolicited messages to the inbox. */
  async #next(client: RawClient, start: number): Promise<Frame> {
    while (true) {
      const left = start + SERVED_WITHIN_MS - performance.now();
      const frame = await client.next(Math.max(1, left)).catch((error) => {
        throw new Error(`the control client was not served: ${error.message} (round ${this.#round})`);
      });
      if (frame.type === Type.PING) {
        await client.send(client.frame(Type.PONG, { id: frame.id }, frame.payload));
      } else if (frame.type !== Type.MESSAGE || frame.channel !== inbox(client.number)) return frame;
      else if (this.sessions.has(frame.sender)) {
        throw new Error(
          `a message with sender ${frame.sender}, a session of the control client that did not send it`,
        );
      } else this.unsolicited++;
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
        `the control client was refused in round ${this.#round}: ${json(frame).code}, ${json(frame).message}`,
      );
    }
    const isSame = frame.payload.length === payload.length &&
      frame.payload.every((byte, at) => byte === payload[at]);
    if (wrong.length === 0 && isSame) return;
    const what = wrong.length > 0
      ? wrong.map((field) => `${field} ${frame[field]}`).join(", ")
      : "another payload";
    throw new Error(
      `the control client received a wrong frame in round ${this.#round}: ${
        typeName(frame.type)
      } with ${what}, ` +
        `payload ${JSON.stringify(text(frame).slice(0, 60))}`,
    );
  }

  /** A payload that begins with `label`, to identify it in a report. */
  #payload(label: string): Uint8Array {
    const head = new TextEncoder().encode(`${label} `);
    const payload = new Uint8Array(head.length + this.#random.int(this.#random.pick([1, 200, MAX_BYTES])));
    payload.set(filler(this.#random, payload.length));
    payload.set(head);
    return payload;
  }
}

async function connect(dial: Dial): Promise<RawClient> {
  // RawClient uses only what TLS connections have too.
  const client = new RawClient(await dial() as Deno.TcpConn);
  await client.hello({ name: "control" });
  return client;
}
