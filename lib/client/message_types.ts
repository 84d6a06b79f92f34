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
