/**
 * `GET /subscribe/PATTERN`: messages as Server-Sent Events.
 *
 * The stream has a client of its own, which reads from the server no faster than the reader takes events. So a reader that
 * stops reading is a slow consumer as over TCP, and holds as much memory.
 *
 * @module
 */

import type { Subscription } from "../../client/api.ts";
import type { Message } from "../../client/message_types.ts";
import type { StartingPoint } from "../../client/options.ts";
import { ParleyError } from "../../errors.ts";
import { EVENT_STREAM_RETRY_MS } from "../../limits.ts";
import { isPattern } from "../../wire/names.ts";
import type { Exchange } from "../exchange.ts";
import { problemBody } from "../problem.ts";
import { encodeBase64, encodeEnvelope } from "./envelope.ts";
import { EventStream, type StreamEvent } from "./event_stream.ts";
import type { GatewayContext } from "./context.ts";
import { badRequest, channelIn, goneSignal, queryOf } from "./parameters.ts";
import { problemFor } from "./problems.ts";
import { after, eventId, parseFrom } from "./starting_point.ts";

/** Sends the messages of a channel or pattern until the reader goes. */
export async function subscribe(exchange: Exchange, context: GatewayContext): Promise<void> {
  const { request, response, url } = exchange;
  const channel = channelIn(url);
  const { from: fromText, envelope } = queryOf(url, ["from", "envelope"]);
  if (envelope !== undefined && envelope !== "json") {
    throw badRequest(`envelope must be json; it is ${JSON.stringify(envelope)}`);
  }
  const lastEventId = request.headers["last-event-id"];
  const from = lastEventId !== undefined && lastEventId !== ""
    ? after(String(lastEventId))
    : fromText === undefined
    ? undefined
    : parseFrom(fromText);
  const gone = goneSignal(response);
  const client = await context.clients.open(exchange);
  // However the client ends, the loop below ends with it.
  const close = () => void client.close("the reader has gone").catch(() => {});
  gone.addEventListener("abort", close);
  context.draining.addEventListener("abort", close);
  try {
    if (gone.aborted) return;
    const subscription = await client.subscribe(channel, { from });
    const stream = new EventStream(response);
    if (request.method === "HEAD") return stream.end();
    const reading = new Reading(subscription, stream, from, envelope === "json");
    // A reader that does not read would not learn of it from the loop.
    client.closed.then((error) => stream.isBlocked ? reading.failed(error) : undefined);
    try {
      await reading.run();
    } catch (error) {
      reading.failed(error);
    }
  } finally {
    context.draining.removeEventListener("abort", close);
    close();
  }
}

const TOO_SLOW = "this stream was not read for too long while messages waited for it";

/** One subscription on its way into a stream. */
class Reading {
  readonly #subscription: Subscription;
  readonly #stream: EventStream;
  readonly #isPattern: boolean;
  readonly #isEnveloped: boolean;
  #epoch: string | undefined;
  /** The sequence of the next message of a stored channel, if that is known; otherwise 0. */
  #next: number;

  constructor(
    subscription: Subscription,
    stream: EventStream,
    from: StartingPoint | undefined,
    isEnveloped: boolean,
  ) {
    this.#subscription = subscription;
    this.#stream = stream;
    this.#isPattern = isPattern(subscription.channel);
    this.#isEnveloped = isEnveloped;
    this.#epoch = subscription.stored?.epoch;
    this.#next = firstOf(from, subscription);
  }

  async run(): Promise<void> {
    const stream = this.#stream;
    // A reader that goes before the first message comes back to the place at which it began.
    const id = this.#epoch === undefined || this.#next === 0
      ? undefined
      : eventId(this.#epoch, this.#next - 1);
    stream.comment(`subscribed to ${this.#subscription.channel}\nretry: ${EVENT_STREAM_RETRY_MS}`);
    if (id !== undefined) await stream.send({ id });
    for await (const message of this.#subscription) {
      if (message.sequence > 0 && !this.#isPattern) await this.#moveTo(message.sequence);
      const room = stream.send(this.#eventOf(message));
      if (room !== undefined) await room;
      if (stream.isOver) return;
    }
    stream.end();
  }

  /** The subscription has ended: says why, if the reader is there still. */
  failed(error: unknown): void {
    const stream = this.#stream;
    // The server ends a connection within this process without a word only if its reason would not be read in time.
    const isSlow = error instanceof ParleyError && error.code === "disconnected" && stream.isBlocked;
    const reason = isSlow ? new ParleyError("slow_consumer", TOO_SLOW) : error;
    if (reason !== undefined) {
      const { status, details } = problemFor(reason);
      stream.send({ event: "problem", data: problemBody(status, details).trimEnd() });
    }
    stream.end();
  }

  /** A message with `sequence` is next. Tells the reader of those that are stored no longer. */
  async #moveTo(sequence: number): Promise<void> {
    const expected = this.#next;
    this.#next = sequence + 1;
    if (sequence < expected) this.#epoch = this.#subscription.stored?.epoch; // the channel was deleted, and began anew
    if (expected === 0 || sequence <= expected) return;
    const missed = { channel: this.#subscription.channel, from: expected, to: sequence - 1 };
    await this.#stream.send({ event: "missed", data: JSON.stringify(missed) });
  }

  #eventOf(message: Message): StreamEvent {
    const { kind, sequence } = message;
    const isPlaced = sequence > 0 && !this.#isPattern && this.#epoch !== undefined;
    const id = isPlaced ? eventId(this.#epoch!, sequence) : undefined;
    const channel = this.#isPattern ? message.channel : undefined;
    if (this.#isEnveloped) return { id, data: encodeEnvelope(message) };
    if (kind === "bytes") return { id, channel, event: "base64", data: encodeBase64(message.payload) };
    return { id, channel, data: message.text() };
  }
}

/** The sequence of the first message that the reader asked for; 0 if that is not known yet, or there is none. */
function firstOf(from: StartingPoint | undefined, { stored }: Subscription): number {
  if (stored === undefined) return 0;
  if (from === undefined || from === "new") return stored.last + 1;
  if (from === "all") return stored.first;
  if (from === "last" || from instanceof Date) return 0;
  return typeof from === "number" ? from : from.sequence;
}
