/**
 * The content of HTTP requests as that of messages, and the other way round.
 *
 * @module
 */

import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { ContentKind, Message } from "../../client/message_types.ts";
import { ParleyError } from "../../errors.ts";
import { MAX_REPLY_HEADER_BYTES } from "../../limits.ts";
import type { MessageHeaders } from "../../wire/message_headers.ts";
import type { Exchange } from "../exchange.ts";

/** What a request brings for a message. */
export interface Content {
  readonly kind: ContentKind;
  readonly payload: Uint8Array;
  readonly headers: MessageHeaders | undefined;
}

/** Message headers as JSON in one header of a request or response: `Parley-Headers: {"lang":"en"}`. */
const HEADERS = "parley-headers";
/** Request headers that are message headers of the same name. */
const PASSED_ON = ["traceparent", "tracestate"];

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads the body of a request, and what its headers say of it.
 *
 * @param maxBytes the longest body
 * @throws {ParleyError} `too_large`; `bad_payload` if it is not what its `Content-Type` says
 */
export async function readContent(exchange: Exchange, maxBytes: number): Promise<Content> {
  const headers = messageHeaders(exchange.request.headers);
  const payload = await readBody(exchange, maxBytes);
  const type = exchange.request.headers["content-type"];
  const kind = kindOf(type);
  return { kind, payload: kind === "bytes" ? payload : checked(kind, payload, type!), headers };
}

/** The size of the first buffer for a body; it grows. */
const FIRST_BODY_BYTES = 4096;

async function readBody({ request, response }: Exchange, maxBytes: number): Promise<Uint8Array> {
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) throw tooLarge(maxBytes);
  if (request.headers.expect?.toLowerCase() === "100-continue") response.writeContinue();
  let body = new Uint8Array(FIRST_BODY_BYTES); // one buffer: a body may come in pieces of one byte
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Uint8Array>) {
      if (length + chunk.length > maxBytes) throw tooLarge(maxBytes);
      if (length + chunk.length > body.length) body = grown(body, length + chunk.length);
      body.set(chunk, length);
      length += chunk.length;
    }
  } catch (error) {
    if (error instanceof ParleyError) throw error;
    throw new ParleyError("disconnected", "the connection ended before the whole body had come", {
      cause: error,
    });
  }
  return body.subarray(0, length);
}

function grown(bytes: Uint8Array, least: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(least, bytes.length * 2));
  larger.set(bytes);
  return larger;
}

function tooLarge(maxBytes: number): ParleyError {
  return new ParleyError(
    "too_large",
    `the body has more than ${maxBytes} bytes, the most that a message may have`,
  );
}

/** The content kind that a `Content-Type` stands for. That of curl's `-d` is a form's, and text. */
export function kindOf(contentType: string | undefined): ContentKind {
  const type = (contentType ?? "").split(";")[0].trim().toLowerCase();
  if (type.startsWith("text/") || type === "application/x-www-form-urlencoded") return "text";
  return type === "application/json" || type.endsWith("+json") ? "json" : "bytes";
}

function checked(kind: ContentKind, payload: Uint8Array, contentType: string): Uint8Array {
  const charset = /;\s*charset="?([^";\s]+)/i.exec(contentType)?.[1] ?? "utf-8";
  if (!/^utf-?8$/i.test(charset) && !/^us-ascii$/i.test(charset)) {
    throw new ParleyError("bad_payload", `the charset must be utf-8, not ${charset}`);
  }
  let text: string;
  try {
    text = utf8.decode(payload);
  } catch {
    const text =
      `Content-Type ${contentType} needs UTF-8, and the body is not; send application/octet-stream`;
    throw new ParleyError("bad_payload", text);
  }
  if (kind === "json") {
    try {
      JSON.parse(text);
    } catch (error) {
      throw new ParleyError("bad_payload", `the body is not JSON: ${(error as Error).message}`);
    }
  }
  return payload;
}

function messageHeaders(headers: IncomingHttpHeaders): MessageHeaders | undefined {
  const found: Record<string, string> = {};
  for (const name of PASSED_ON) {
    const value = headers[name];
    if (typeof value === "string") found[name] = value;
  }
  const given = headers[HEADERS];
  if (given !== undefined) Object.assign(found, parseHeaders(String(given)));
  return Object.keys(found).length === 0 ? undefined : found;
}

function parseHeaders(text: string): Record<string, string> {
  const problem = new ParleyError(
    "bad_payload",
    `Parley-Headers must be as {"lang":"en"}: names in lower case, and text`,
  );
  let headers: unknown;
  try {
    headers = JSON.parse(fromHeader(text));
  } catch {
    throw problem;
  }
  if (headers === null || typeof headers !== "object" || Array.isArray(headers)) throw problem;
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value !== "string" || name !== name.toLowerCase()) throw problem;
  }
  return headers as Record<string, string>;
}

/** Header values are bytes, which `node:http` reads as Latin-1; curl sends UTF-8. */
function fromHeader(value: string): string {
  const bytes = Uint8Array.from(value, (char) => char.charCodeAt(0));
  try {
    return utf8.decode(bytes);
  } catch {
    return value;
  }
}

const TYPES: Readonly<Record<ContentKind, string>> = {
  bytes: "application/octet-stream",
  text: "text/plain; charset=utf-8",
  json: "application/json",
};

/** Answers with JSON. */
export function sendJson(response: ServerResponse, json: string): void {
  const body = new TextEncoder().encode(json);
  response.writeHead(200, {
    "content-type": "application/json",
    "content-length": body.length,
    "cache-control": "no-store",
  });
  response.end(body);
}

/** The response headers for a message as a body. Message headers that are too long for a response are left out. */
export function responseHeaders({ kind, headers, payload }: Message): OutgoingHttpHeaders {
  const found: OutgoingHttpHeaders = { "content-type": TYPES[kind], "content-length": payload.length };
  if (Object.keys(headers).length === 0) return found;
  // JSON can say in ASCII what a header of HTTP could not hold.
  const json = JSON.stringify(headers).replace(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  if (json.length <= MAX_REPLY_HEADER_BYTES) found[HEADERS] = json;
  return found;
}
