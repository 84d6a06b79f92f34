/**
 * What the client sends and receives.
 *
 * @module
 */

import type { MessageHeaders } from "../wire/message_headers.ts";

/** What a payload is: any bytes, UTF-8 text, or JSON. The sender declares it, and the server does not check it. */
export type ContentKind = "bytes" | "text" | "json";

/** What can be sent: text, bytes, or any value that JSON can hold. */
export type Payload = string | Uint8Array | { readonly json: unknown };

/** A validator that follows Standard Schema 1, such as those of Valibot, Zod and ArkType. */
export interface Schema<T> {
  /** The interface that all of them have. */
  readonly "~standard": {
    /** Checks a value. It must not be asynchronous. */
    readonly validate: (value: unknown) => SchemaResult<T> | PromiseLike<SchemaResult<T>>;
  };
}

/** What a validator found: the value, or what is wrong with it. */
export type SchemaResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] };

/** A received message. The program may keep it and its payload. */
export interface Message {
  /** The name of its channel; for a reply, the channel of the request; `$inbox` for a direct message. */
  readonly channel: string;
  /** The number of that channel on the wire; 0 for a direct message. */
  readonly channelId: number;
  /** The id of the session that sent it, checked by the server; 0 is the server itself. */
  readonly sender: number;
  /** What the sender declares the payload to be. */
  readonly kind: ContentKind;
  /** The message headers; empty if it was sent without. */
  readonly headers: MessageHeaders;
  /** Its sequence on a stored channel, from 1; 0 if the channel is not stored. */
  readonly sequence: number;
  /** How often it was delivered to a consumer, this time included; 1 for any other message. */
  readonly deliveries: number;
  /** The payload, without the message headers. */
  readonly payload: Uint8Array;
  /** The payload as text; bytes that are not UTF-8 become U+FFFD. */
  text(): string;
  /**
   * The payload, parsed as JSON, and checked by `schema` if one is given. Without it, `T` is not checked.
   *
   * @throws {ParleyError} `bad_payload` if it is not JSON, or not what the schema demands
   *
   * @example
   * ```ts
   * import { connect, serve } from "@parley/parley";
   * import * as v from "valibot";
   *
   * await using server = await serve({ port: 0 });
   * await using client = await connect({ url: server.url });
   * const reply = await client.request("$echo", { json: { answer: 42 } });
   * console.log(reply.json(v.object({ answer: v.number() })).answer); // 42
   * ```
   */
  json<T = unknown>(schema?: Schema<T>): T;
  /**
   * Says that the message is dealt with: its consumer is not sent it again. While more messages wait here,
   * acknowledgements are sent together, after 5 ms at the latest. If the connection has broken since the message came, it
   * comes again.
   *
   * @throws {ParleyError} `bad_argument` if the message is not a consumer's
   *
   * @example
   * ```ts
   * import { connect } from "@parley/parley";
   *
   * async function work(url: string) {
   *   await using client = await connect({ url });
   *   for await (const job of await client.subscribe("jobs.resize", { consumer: "resizer", deliveries: 5 })) {
   *     try {
   *       console.log(job.sequence, job.text());
   *       job.ack();
   *     } catch {
   *       job.nak(1_000); // again in a second; after the fifth delivery it is set aside
   *     }
   *   }
   * }
   * ```
   */
  ack(): void;
  /**
   * Says that the message is not dealt with: it is delivered again after `delayMs` milliseconds, at once by default, to
   * any client of the consumer.
   *
   * @throws {ParleyError} `bad_argument` if the message is not a consumer's
   */
  nak(delayMs?: number): void;
  /**
   * Sets the message aside: it stays stored and is not delivered again, until an operator gives it back.
   *
   * @throws {ParleyError} `bad_argument` if the message is not a consumer's
   */
  setAside(): void;
  /**
   * Says that the message is still being worked on: its `ackSeconds` begin anew. A loop does that for its message; a
   * program that works on several at once does it itself.
   *
   * @throws {ParleyError} `bad_argument` if the message is not a consumer's
   */
  renew(): void;
}

/** A request, in the hands of its handler. */
export interface Request extends Message {
  /** Aborted if the connection breaks, the client closes, or `stop` has waited long enough: no reply can be sent then. */
  readonly signal: AbortSignal;
  /**
   * Answers the request, once. If the requester has stopped waiting, the reply is dropped.
   *
   * @throws {ParleyError} `bad_argument` if it has been answered; `interrupted` if the connection that it came by is
   * over; otherwise as `Client.publish`
   */
  reply(payload: Payload, options?: ReplyOptions): Promise<void>;
}

/** How a reply is sent. */
export interface ReplyOptions {
  /** The content kind, if it is not the one that the payload's type suggests, such as text that is in a `Uint8Array`. */
  readonly kind?: ContentKind;
  /**
   * Message headers, such as `{ traceparent: "00-..." }`: names in lower case, at most 65,535 bytes of JSON together.
   * They count towards the server's limit on the payload.
   */
  readonly headers?: MessageHeaders;
}
