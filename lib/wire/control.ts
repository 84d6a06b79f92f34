/**
 * The JSON payloads of control frames: their shapes, how they are read and how they are written.
 *
 * Reading checks everything that protocol.md says of a payload's own shape. What depends on a session (whether a channel
 * is open, or may be opened) is checked by the session. Unknown keys are ignored.
 *
 * @module
 */

import * as v from "valibot";
import { type ErrorCode, FATAL } from "../errors.ts";
import {
  DEFAULT_ACK_SECONDS,
  DEFAULT_WINDOW,
  HEADER_BYTES,
  MAX_ACK_SECONDS,
  MAX_DELIVERIES,
  MAX_NAME_LENGTH,
  MAX_NUMBER,
  MAX_WINDOW,
} from "../limits.ts";
import { encodeFrame, type Header, Type } from "./header.ts";
import { parseTime } from "./time.ts";

/** The protocol version this library speaks. */
export const PROTOCOL = "parley/1";

const FROM_MESSAGE = 'must be "new", "all", "last", {"sequence":1} or {"time":"2026-11-25T12:00:00Z"}';

const name = v.pipe(
  v.string(),
  v.check((text) => text.isWellFormed(), "a name is valid Unicode, without half a surrogate pair"),
  v.check(
    (text) => text.length >= 1 && [...text].length <= MAX_NAME_LENGTH,
    `a name has 1 to ${MAX_NAME_LENGTH} characters`,
  ),
  v.regex(/^\P{Cc}*$/u, "a name has no control characters"),
);
/** A channel's number; 0 stands for a pattern. */
const channelNumber = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_NUMBER));
const sessionNumber = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_NUMBER));
/** The name of a producer or consumer. */
const segment = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,64}$/, "must be 1 to 64 of A-Z a-z 0-9 _ -"));
/** Names a series of sequences. */
const epoch = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,32}$/, "must be 1 to 32 of A-Z a-z 0-9 _ -"));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
/** What a server says of sequences must be exact: a client asks for them again. */
const exactCount = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const fromWord = v.pipe(
  v.picklist(["new", "all", "last"], FROM_MESSAGE),
  v.transform((kind) => ({ kind }) as const),
);
const fromSequence = v.pipe(
  v.object(
    { sequence: v.pipe(v.number(), v.integer(), v.minValue(1)), epoch: v.optional(v.string()) },
    FROM_MESSAGE,
  ),
  // No channel gets beyond the last safe integer, so what is beyond it may as well be there.
  v.transform(({ sequence, epoch }) =>
    ({ kind: "sequence", sequence: Math.min(sequence, Number.MAX_SAFE_INTEGER), epoch }) as const
  ),
);
const fromTime = v.pipe(
  v.object({
    time: v.pipe(
      v.string(),
      v.check(
        (text) => parseTime(text) !== undefined,
        "must be a time as RFC 3339 writes it: 2026-11-25T12:00:00Z",
      ),
    ),
    sequence: v.optional(v.undefined('has no place beside "time"')),
    epoch: v.optional(v.undefined('has no place beside "time"')),
  }),
  v.transform(({ time }) => ({ kind: "time", time: parseTime(time) ?? 0 }) as const),
);
/** Where a subscription to a stored channel begins. */
const from = v.lazy((input) => {
  if (typeof input !== "object" || input === null) return fromWord;
  return Object.hasOwn(input, "time") ? fromTime : fromSequence;
});

const hello = v.object({ protocol: v.string(), name: v.optional(name), token: v.optional(v.string()) });
const welcome = v.object({
  session: v.string(),
  number: sessionNumber,
  name: v.string(),
  message: v.string(),
  server: v.object({ name: v.string(), version: v.string() }),
  limits: v.object({ payload: count, channels: count, pending: count }),
  heartbeat: v.pipe(v.number(), v.minValue(0)),
  time: v.optional(v.string()),
});
const error = v.object({
  code: v.string(),
  message: v.string(),
  fatal: v.boolean(),
  time: v.optional(v.string()),
});
const bye = v.object({ reason: v.string() });
const open = v.object({
  channel: v.string(),
  subscribe: v.optional(v.boolean(), false),
  respond: v.optional(v.boolean(), false),
  group: v.optional(name),
  echo: v.optional(v.boolean(), true),
  presence: v.optional(v.boolean(), false),
  producer: v.optional(segment),
  consumer: v.optional(segment),
  exclusive: v.optional(v.boolean(), false),
  window: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_WINDOW)), DEFAULT_WINDOW),
  ackSeconds: v.optional(
    v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_ACK_SECONDS)),
    DEFAULT_ACK_SECONDS,
  ),
  /** 0 is no limit. */
  deliveries: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_DELIVERIES)), 0),
  retry: v.optional(v.boolean(), false),
  from: v.optional(from),
});
const member = v.object({ number: sessionNumber, name: v.string() });
const opened = v.object({
  channel: v.string(),
  number: channelNumber,
  publish: v.boolean(),
  subscribe: v.boolean(),
  respond: v.optional(v.boolean()),
  members: v.optional(v.array(member)),
  count: v.optional(count),
  durable: v.optional(v.boolean()),
  history: v.optional(v.boolean()),
  epoch: v.optional(epoch),
  first: v.optional(exactCount),
  last: v.optional(exactCount),
  stored: v.optional(exactCount),
});
const channelOnly = v.object({ channel: v.string() });

/** The shape of every control payload, by the name of its frame type. */
export const SCHEMAS = {
  HELLO: hello,
  WELCOME: welcome,
  ERROR: error,
  BYE: bye,
  OPEN: open,
  OPENED: opened,
  LEAVE: channelOnly,
  LEFT: channelOnly,
  JOINED: member,
  PARTED: member,
};

/** The frame types with a JSON payload. */
export type ControlName = keyof typeof SCHEMAS;
/** The payload of HELLO. */
export type Hello = v.InferOutput<typeof hello>;
/** The payload of WELCOME. */
export type Welcome = v.InferOutput<typeof welcome>;
/** The payload of ERROR. Its `code` may be one that this version does not know. */
export type ErrorPayload = { code: ErrorCode; message: string; fatal: boolean; time?: string };
/**
 * The payload of OPEN, with defaults filled in. `producer`, `consumer` and `from` have none: if an OPEN leaves them out,
 * they stay as they are.
 */
export type Open = v.InferOutput<typeof open>;
/**
 * Where a subscription to a stored channel begins: a sequence, maybe of an epoch, or a time in milliseconds since 1970.
 * A sequence is a safe integer from 1 on; the highest stands for all beyond it.
 */
export type From = v.InferOutput<typeof from>;
/** The payload of OPENED. */
export type Opened = v.InferOutput<typeof opened>;
/** A session as others see it. */
export type Member = v.InferOutput<typeof member>;

/** A decoded payload, or what is wrong with it. */
export type Decoded<T> = { readonly value: T } | { readonly problem: string };

const utf8 = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

/**
 * Reads the control payload of the frame `bytes[from, to)`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { decodeControl, encodeControl } from "./control.ts";
 * import { Type } from "./header.ts";
 *
 * const frame = encodeControl({ type: Type.BYE }, { reason: "done" });
 * assertEquals(decodeControl("BYE", frame, 0, frame.length), { value: { reason: "done" } });
 * ```
 */
export function decodeControl<N extends ControlName>(
  type: N,
  bytes: Uint8Array,
  from: number,
  to: number,
): Decoded<v.InferOutput<(typeof SCHEMAS)[N]>> {
  let json: unknown;
  try {
    json = JSON.parse(utf8.decode(bytes.subarray(from + HEADER_BYTES, to)));
  } catch {
    return { problem: `the payload of ${type} must be a JSON object in UTF-8` };
  }
  // To valibot an array is an object without keys. Saying that it is an array helps more than naming a missing key.
  if (json === null || typeof json !== "object" || Array.isArray(json)) {
    return { problem: `the payload of ${type} must be a JSON object, got ${kindOf(json)}` };
  }
  const result = v.safeParse(SCHEMAS[type], json, { abortEarly: true });
  if (result.success) return { value: result.output as v.InferOutput<(typeof SCHEMAS)[N]> };
  return { problem: `${type} ${describe(result.issues[0])}` };
}

/** `"name": a name has 1 to 64 characters`. Never quotes the value: it may be a token. */
function describe(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue) ?? "payload";
  if (issue.message.startsWith("has no place")) return `"${path}" ${issue.message}`;
  if (issue.kind === "validation") return `"${path}": ${issue.message}`;
  if (issue.received === "undefined") return `lacks "${path}"`;
  if (issue.message === FROM_MESSAGE) return `"${path}" ${issue.message}, got ${kindOf(issue.input)}`;
  const expected = issue.expected === "Array" ? "an array" : issue.expected ?? "another type";
  return `"${path}" must be ${expected}, got ${kindOf(issue.input)}`;
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** Makes a control frame; a field left out is 0. */
export function encodeControl(
  header: Partial<Omit<Header, "length">> & { type: number },
  payload: unknown,
): Uint8Array<ArrayBuffer> {
  return encodeFrame(header, encoder.encode(JSON.stringify(payload)));
}

/** Makes an ERROR frame. `time` is the server's clock, RFC 3339, for errors that depend on it. */
export function encodeError(
  code: ErrorCode,
  message: string,
  id: number,
  channel: number,
  time?: string,
): Uint8Array<ArrayBuffer> {
  return encodeControl({ type: Type.ERROR, id, channel }, { code, message, fatal: FATAL[code], time });
}
