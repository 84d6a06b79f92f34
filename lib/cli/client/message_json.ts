/**
 * Messages as JSON objects, one a line: what `--json` prints, and what `publish --json` and `request --json` read. The
 * fields are documented in docs/cli.md, and scripts depend on them.
 *
 * @module
 */

import * as v from "valibot";
import type { ContentKind, Message } from "../../client/message_types.ts";
import { ParleyError } from "../../errors.ts";
import type { MessageHeaders } from "../../wire/message_headers.ts";
import { escapeJson, visible, visibleJson } from "../terminal.ts";
import { decodeText, toBase64 } from "./payload.ts";

/** A message to send. */
export interface OutgoingMessage {
  /** The channel, if the object names one. */
  readonly channel: string | undefined;
  /** The id of the request that it answers, if the object has one. */
  readonly id: number | undefined;
  /** The session that it is for, if the object names one and may. */
  readonly to: string | number | undefined;
  readonly payload: Uint8Array;
  readonly kind: ContentKind;
  readonly headers: MessageHeaders;
}

/** The fields of a message that are always there. `details` follow them in the object. */
type Shown = Pick<Message, "channel" | "sender" | "kind" | "headers" | "payload">;

/**
 * Formats a message as one line of JSON. A JSON payload is the value of `json` as it was sent, so that no digit of a
 * number is lost; a text is in `text`, and anything else in `base64`.
 */
export function formatMessageJson(
  { channel, sender, kind, headers, payload }: Shown,
  details: Readonly<Record<string, unknown>> = {},
): string {
  const text = kind === "bytes" ? undefined : decodeText(payload);
  const isJson = kind === "json" && text !== undefined && parses(text);
  const fields = {
    channel,
    sender,
    kind,
    ...(Object.keys(headers).length === 0 ? {} : { headers }),
    ...details,
    ...(text === undefined ? { base64: toBase64(payload) } : isJson ? {} : { text }),
  };
  if (!isJson) return visibleJson(fields);
  // Between the values of JSON a line break is white space, and within them it is escaped.
  const json = escapeJson(text.trim().replace(/[\r\n]+/g, " "));
  return `${visibleJson(fields).slice(0, -1)},"json":${json}}`;
}

/** The details of a message of a stored channel. */
export function storedDetails(
  { sequence = 0, deliveries = 1 }: Partial<Pick<Message, "sequence" | "deliveries">>,
): Record<string, unknown> {
  return sequence === 0 ? {} : { sequence, ...(deliveries > 1 ? { deliveries } : {}) };
}

const Fields = v.strictObject({
  channel: v.optional(v.string()),
  kind: v.optional(v.picklist(["bytes", "text", "json"])),
  headers: v.optional(v.record(v.string(), v.string())),
  text: v.optional(v.string()),
  json: v.optional(v.unknown()),
  base64: v.optional(v.string()),
  // What a received message has besides, so that it can be sent again.
  sender: v.optional(v.unknown()),
  id: v.optional(v.number()),
  to: v.optional(v.union([v.string(), v.number()])),
  type: v.optional(v.unknown()),
  name: v.optional(v.unknown()),
  answered: v.optional(v.unknown()),
  ms: v.optional(v.unknown()),
  sequence: v.optional(v.unknown()),
  deliveries: v.optional(v.unknown()),
});

/**
 * Parses a message that {@linkcode formatMessageJson} has formatted or a script has written.
 *
 * @param label what the text is, for the error: `line 3 of stdin`
 * @param options.mayHaveRecipient whether the object may have `to`
 * @throws {ParleyError} `bad_argument` if it is not such an object
 */
export function parseMessageJson(
  line: Uint8Array,
  label: string,
  { mayHaveRecipient = false }: { readonly mayHaveRecipient?: boolean } = {},
): OutgoingMessage {
  const fail = (problem: string) => new ParleyError("bad_argument", `${label} ${problem}; ${EXPECTED}`);
  const text = decodeText(line)?.replace(/^\uFEFF/, ""); // some editors begin a file with a byte order mark
  let value: unknown;
  try {
    value = LONG_NUMBER.test(text ?? "") ? JSON.parse(text!, keepNumber) : JSON.parse(text ?? "");
  } catch {
    throw fail("is not JSON");
  }
  if (Array.isArray(value)) throw fail("is not an object");
  const result = v.safeParse(Fields, value, { abortEarly: true });
  if (!result.success) throw fail(describeIssue(result.issues[0]));
  const { channel, id, to, kind, headers = {}, ...fields } = result.output;
  if (to !== undefined && !mayHaveRecipient) throw fail('has the unknown field "to"');
  const contents = (["text", "json", "base64"] as const).filter((name) => Object.hasOwn(fields, name));
  if (contents.length !== 1) {
    throw fail(contents.length === 0 ? "has no content" : `has both ${contents.join(" and ")}`);
  }
  const [content] = contents;
  if (content === "json") {
    const payload = encoder.encode(JSON.stringify(fields.json));
    return { channel, id, to, payload, kind: kind ?? "json", headers };
  }
  if (content === "text") {
    return { channel, id, to, payload: encoder.encode(fields.text), kind: kind ?? "text", headers };
  }
  const payload = fromBase64(fields.base64!);
  if (payload === undefined) throw fail("has a base64 that is not base64");
  return { channel, id, to, payload, kind: kind ?? "bytes", headers };
}

const EXPECTED = `expected an object such as {"channel":"news","text":"hello"}, with text, json or base64`;

const encoder = new TextEncoder();

function describeIssue(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue);
  if (path === null) return "is not an object";
  if (issue.type === "strict_object") return `has the unknown field ${visible(JSON.stringify(path))}`;
  return `has a ${visible(path)} that is not ${
    issue.type === "picklist" ? "bytes, text or json" : "a string"
  }`;
}

/** What may be a number that JavaScript cannot hold. Looking at each number slows parsing down. */
const LONG_NUMBER = /[\d.]{16}|\de/i;

/** Keeps a number that JavaScript cannot hold, such as 12345678901234567890, as it is written. */
function keepNumber(this: unknown, _key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source;
  if (typeof value !== "number" || source === undefined || String(value) === source) return value;
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(source);
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function fromBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}
