/**
 * A session that asks the server what it does.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { KIND_MASK, MESSAGE_HEADERS, Type } from "../../lib/wire/header.ts";
import { decodeMessageHeaders } from "../../lib/wire/message_headers.ts";
import type { AdminRequests, ServerStats, StatsRequests } from "../../lib/wire/stats.ts";
import { type Frame, RawClient } from "../harness/raw_client.ts";

type Requests = StatsRequests & AdminRequests;

/** The reply to a request, or the code and the sentence with which it was refused. */
export type Reply<T> = { readonly reply: T } | { readonly code: string; readonly sentence: string };

/** See the module's comment. */
export class Watcher implements Disposable {
  readonly client: RawClient;
  readonly #numbers = new Map<string, number>();

  constructor(client: RawClient) {
    this.client = client;
  }

  /** Connects. */
  static async connect(server: { hostname: string; port: number }, token?: string): Promise<Watcher> {
    return new Watcher(await RawClient.greet(server, token === undefined ? { name: "Watcher" } : { token }));
  }

  [Symbol.dispose](): void {
    this.client.close();
  }

  /** Sends a request, and reads what it is answered. */
  async request<C extends keyof Requests>(
    channel: C,
    ask: object = {},
  ): Promise<Reply<Requests[C]["reply"]>> {
    const { client } = this;
    let number = this.#numbers.get(channel);
    if (number === undefined) this.#numbers.set(channel, number = await client.openToPublish(channel));
    const id = client.nextId();
    await client.send(client.request(id, number, ask));
    const reply = await client.expect(Type.REPLY, 20_000);
    assertEquals([reply.id, reply.sender], [id, 0]);
    return decodeReply(reply);
  }

  /** Asks for something that the server must not refuse. */
  async ask<C extends keyof Requests>(channel: C, ask: object = {}): Promise<Requests[C]["reply"]> {
    const answer = await this.request(channel, ask);
    if ("reply" in answer) return answer.reply;
    throw new Error(`${channel} ${JSON.stringify(ask)}: ${answer.code}: ${answer.sentence}`);
  }

  /** Asks for something that the server must refuse; gives code and sentence. */
  async refused(channel: keyof Requests, ask: object = {}): Promise<string> {
    const answer = await this.request(channel, ask);
    if ("code" in answer) return `${answer.code}: ${answer.sentence}`;
    throw new Error(`${channel} ${JSON.stringify(ask)} was answered: ${JSON.stringify(answer.reply)}`);
  }

  /** Asks again and again until `test` holds of the answer. */
  async until<C extends keyof Requests>(
    channel: C,
    ask: object,
    test: (reply: Requests[C]["reply"]) => boolean,
  ): Promise<Requests[C]["reply"]> {
    for (const deadline = performance.now() + 10_000;;) {
      const reply = await this.ask(channel, ask);
      if (test(reply)) return reply;
      if (performance.now() > deadline) {
        throw new Error(`waited in vain; the last reply: ${JSON.stringify(reply)}`);
      }
    }
  }

  /** The counters. */
  now(): Promise<ServerStats> {
    return this.ask("$stats.now");
  }
}

function decodeReply<T>({ flags, payload }: Frame): Reply<T> {
  if ((flags & MESSAGE_HEADERS) === 0) {
    assertEquals(flags & KIND_MASK, 2);
    return { reply: JSON.parse(new TextDecoder().decode(payload)) };
  }
  const decoded = decodeMessageHeaders(payload);
  if ("problem" in decoded) throw new Error(decoded.problem);
  const sentence = new TextDecoder().decode(payload.subarray(decoded.contentAt));
  return { code: decoded.headers.error, sentence };
}
