/**
 * A server that says of itself what a test gives it, also what no server of ours would say.
 *
 * @module
 */

import { encodeFrame, type Header, INBOX, Type } from "../../../lib/wire/header.ts";
import type { ServerStats, StatsRequests } from "../../../lib/wire/stats.ts";
import { type FakePeer, FakeServer, WELCOME } from "../../client/fake_server.ts";

/** What it answers; a function is given what was asked. */
export type Answers = {
  readonly [C in keyof StatsRequests]?:
    | StatsRequests[C]["reply"]
    | ((ask: StatsRequests[C]["ask"]) => StatsRequests[C]["reply"]);
};

/** An ERROR instead of OPENED. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
}

/** The server. Disposing of it closes its connections. */
export class StatsServer implements AsyncDisposable {
  /** What each request is answered with; `refusal` refuses every OPEN, `failure` every request. */
  answers: Answers = {};
  refusal: Refusal | undefined;
  failure: Refusal | undefined;
  /** Whether it answers PINGs. */
  answersPings = true;
  /** The requests it was sent, in order. */
  readonly asked: { readonly channel: string; readonly ask: unknown }[] = [];
  readonly #server = new FakeServer();
  readonly #peers = new Set<FakePeer>();
  readonly #serving: Promise<void>;
  readonly #numbers = new Map<string, number>();
  #isClosed = false;
  #subscribed = Promise.withResolvers<void>();

  constructor(answers: Answers = {}) {
    this.answers = answers;
    this.#serving = this.#accept();
  }

  get port(): number {
    return this.#server.port;
  }

  /** Resolves when a session subscribes to `$stats`. */
  get subscribed(): Promise<void> {
    return this.#subscribed.promise;
  }

  /** Sends `stats` to all sessions. */
  async publish(stats: ServerStats): Promise<void> {
    const channel = this.#numbers.get("$stats")!;
    const frame = json({ type: Type.MESSAGE, channel }, stats);
    await Promise.all([...this.#peers].map((peer) => peer.write(frame)));
  }

  /** Breaks all connections. */
  disconnect(): void {
    for (const peer of this.#peers) peer[Symbol.dispose]();
    this.#subscribed = Promise.withResolvers();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#server[Symbol.dispose]();
    this.disconnect();
    await this.#serving;
  }

  async #accept(): Promise<void> {
    const serving: Promise<void>[] = [];
    while (!this.#isClosed) {
      try {
        serving.push(this.#serve(await this.#server.accept()));
      } catch {
        break; // closed
      }
    }
    await Promise.all(serving);
  }

  async #serve(peer: FakePeer): Promise<void> {
    this.#peers.add(peer);
    try {
      if (await peer.read() === undefined) return;
      await peer.control({ type: Type.WELCOME }, WELCOME);
      for (let frame; (frame = await peer.read()) !== undefined;) {
        const { type, id, channel } = frame.header;
        if (type === Type.OPEN) await this.#open(peer, id, frame.json());
        else if (type === Type.REQUEST) await this.#answer(peer, id, channel, frame.json());
        else if (type === Type.PING && this.answersPings) {
          await peer.write(encodeFrame({ type: Type.PONG, id }, frame.payload));
        }
      }
    } catch {
      // The test has closed the connection.
    } finally {
      this.#peers.delete(peer);
      peer[Symbol.dispose]();
    }
  }

  async #open(
    peer: FakePeer,
    id: number,
    { channel, subscribe, respond }: Record<string, unknown>,
  ): Promise<void> {
    const name = String(channel);
    if (this.refusal !== undefined) {
      return await peer.control({ type: Type.ERROR, id }, { ...this.refusal, fatal: false });
    }
    if (!this.#numbers.has(name)) this.#numbers.set(name, this.#numbers.size + 1);
    const number = this.#numbers.get(name)!;
    const opened = { channel, number, publish: true, subscribe, respond };
    await peer.control({ type: Type.OPENED, id, channel: number }, opened);
    if (subscribe) this.#subscribed.resolve();
  }

  async #answer(peer: FakePeer, id: number, number: number, ask: Record<string, unknown>): Promise<void> {
    const [channel] = [...this.#numbers].find(([, each]) => each === number)!;
    this.asked.push({ channel, ask });
    const header = { type: Type.REPLY, id, channel: (WELCOME.number | INBOX) >>> 0 };
    if (this.failure !== undefined) {
      const { code, message } = this.failure;
      const headers = new TextEncoder().encode(JSON.stringify({ error: code }));
      const content = new TextEncoder().encode(message);
      const payload = new Uint8Array([0, headers.length, ...headers, ...content]);
      return await peer.write(encodeFrame({ ...header, flags: 0x09 }, payload));
    }
    const answer = this.answers[channel as keyof Answers];
    if (answer === undefined) {
      return await peer.control({ type: Type.ERROR, id, channel: number }, {
        code: "no_responders",
        message: `no session responds on ${channel}`,
        fatal: false,
      });
    }
    await peer.write(json(header, typeof answer === "function" ? answer(ask as never) : answer));
  }
}

function json(header: Partial<Header> & { type: number }, value: unknown): Uint8Array {
  return encodeFrame({ ...header, flags: 2 }, new TextEncoder().encode(JSON.stringify(value)));
}
