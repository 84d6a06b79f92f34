/**
 * `GET /channels/CHANNEL`: stored messages as JSON.
 *
 * @module
 */

import { readMessage } from "../../client/message.ts";
import { ParleyError } from "../../errors.ts";
import {
  GATEWAY_MESSAGES,
  HEADER_BYTES,
  MAX_GATEWAY_MESSAGES,
  MAX_GATEWAY_RESPONSE_BYTES,
} from "../../limits.ts";
import { Type, u32 } from "../../wire/header.ts";
import type { Exchange } from "../exchange.ts";
import { HttpProblem } from "../problem.ts";
import { sendJson } from "./content.ts";
import { encodeEnvelope } from "./envelope.ts";
import type { GatewayContext } from "./context.ts";
import { badRequest, channelIn, numberIn, queryOf } from "./parameters.ts";
import { parseFrom } from "./starting_point.ts";
import type { ReadFrom, StoredAccess, StoredPart } from "../stored_access.ts";

/** Answers with some messages of a stored channel, and where the next ones begin. */
export async function storedMessages(exchange: Exchange, context: GatewayContext): Promise<void> {
  const { response, url } = exchange;
  const channel = channelIn(url);
  const { from: fromText = "all", count: countText } = queryOf(url, ["from", "count"]);
  const range = { least: 1, most: MAX_GATEWAY_MESSAGES, standard: GATEWAY_MESSAGES };
  const count = Math.floor(numberIn("count", countText, range));
  const from = readFrom(fromText);
  const stored = context.stored();
  if (stored?.storage(channel) === undefined) {
    throw new HttpProblem(404, { code: "not_found", detail: `${channel} is not a stored channel` });
  }
  const body = await context.clients.use(
    exchange,
    (client) => new Page(stored, client.sessionId, channel, count).read(from),
  );
  sendJson(response, body);
}

function readFrom(text: string): ReadFrom {
  const from = parseFrom(text);
  if (from === "new") throw badRequest("from must not be new: that is what is not stored yet");
  return typeof from === "number" ? { sequence: from } : from;
}

/** The messages of one response. */
class Page {
  readonly #stored: StoredAccess;
  readonly #session: number;
  readonly #channel: string;
  readonly #count: number;
  readonly #messages: string[] = [];
  #bytes = 0;

  constructor(stored: StoredAccess, session: number, channel: string, count: number) {
    this.#stored = stored;
    this.#session = session;
    this.#channel = channel;
    this.#count = count;
  }

  /** Reads from `from` on. Returns the JSON. */
  async read(from: ReadFrom): Promise<string> {
    const began = await this.#stored.read(this.#session, this.#channel, from);
    const { epoch, first, last } = began;
    let next = this.#take(began, began.from);
    while (!this.#isFull && next <= last) {
      const part = await this.#stored.read(this.#session, this.#channel, { sequence: next, epoch });
      const after = this.#take(part, Math.max(next, part.from));
      // What is left out is damaged, or was dropped meanwhile.
      if (part.runs.length === 0) break;
      next = after;
    }
    const about = JSON.stringify({ channel: this.#channel, epoch, first, last, next });
    return `${about.slice(0, -1)},"messages":[${this.#messages.join(",\n")}]}\n`;
  }

  get #isFull(): boolean {
    return this.#messages.length >= this.#count || this.#bytes >= MAX_GATEWAY_RESPONSE_BYTES;
  }

  /** Takes the messages of `part` with sequences from `from` on. Returns the sequence behind the last one. */
  #take({ runs, last }: StoredPart, from: number): number {
    let next = from;
    for (const { bytes, first, time } of runs) {
      for (let at = 0, sequence = first; at < bytes.length && sequence <= last; sequence++) {
        const end = at + HEADER_BYTES + u32(bytes, at + 4);
        if (sequence >= from) {
          if (this.#isFull) return next;
          this.#add(bytes.subarray(at, end), sequence, time);
          next = sequence + 1;
        }
        at = end;
      }
    }
    return next;
  }

  #add(frame: Uint8Array, sequence: number, time: number | undefined): void {
    if (frame[0] !== Type.MESSAGE) return;
    const place = { sequence, last: sequence, deliveries: 1, consumer: undefined };
    const origin = { name: this.#channel, channelId: u32(frame, 8) };
    const message = readMessage(frame, 0, origin, place);
    if (message instanceof ParleyError) return; // its headers are malformed: every reader skips it
    this.#messages.push(encodeEnvelope(message, time));
    this.#bytes += frame.length;
  }
}
