/**
 * The JSON payloads of control frames: their shapes, how they are read and how they are written.
 *
 * Reading checks everything that protocol.md says of a payload's own shape. What depends on a session (whether a channel
 * is open, or may be opened) is checked by the session. Unknown keys are ignored.
 *
 * @module
 */

import { type ErrorCode, FATAL } from "../errors.ts";
import {
  DEFAULT_ACK_SECONDS,
  DEFAULT_WINDOW,
  MAX_ACK_SECONDS,
  MAX_DELIVERIES,
  MAX_WINDOW,
} from "../limits.ts";
import { CLIENT_SHAPES, type Decoded, decodeShape, name } from "./client_control.ts";
import { encodeFrame, type Header, Type } from "./header.ts";
import {
  flag,
  matching,
  object,
  optional,
  type Shape,
  ShapeProblem,
  text,
  whole,
  wrongType,
} from "./shape.ts";
import { parseTime } from "./time.ts";

export {
  type Decoded,
  type ErrorPayload,
  type Hello,
  type Member,
  nameProblem,
  type Opened,
  PROTOCOL,
  type Welcome,
} from "./client_control.ts";

/**
 * Where a subscription to a stored channel begins: a sequence, maybe of an epoch, or a time in milliseconds since 1970.
 * A sequence is a safe integer from 1 on; the highest stands for all beyond it.
 */
export type From =
  | { readonly kind: "new" | "all" | "last" }
  | { readonly kind: "sequence"; readonly sequence: number; readonly epoch: string | undefined }
  | { readonly kind: "time"; readonly time: number };

/**
 * The payload of OPEN, with defaults filled in. `producer`, `consumer` and `from` have none: if an OPEN leaves them out,
 * they stay as they are.
 */
export interface Open {
  channel: string;
  subscribe: boolean;
  respond: boolean;
  group?: string;
  echo: boolean;
  presence: boolean;
  producer?: string;
  consumer?: string;
  exclusive: boolean;
  window: number;
  ackSeconds: number;
  /** 0 is no limit. */
  deliveries: number;
  retry: boolean;
  from?: From;
}

const FROM = 'must be "new", "all", "last", {"sequence":1} or {"time":"2026-11-25T12:00:00Z"}';
const WORDS: readonly unknown[] = ["new", "all", "last"];

const fromSequence = object<{ sequence: number; epoch?: string }>({
  sequence: whole(1),
  epoch: optional(text()),
});
const fromTime = object<{ time: string; sequence?: never; epoch?: never }>({
  time: text((text) =>
    parseTime(text) === undefined ? "must be a time as RFC 3339 writes it: 2026-11-25T12:00:00Z" : undefined
  ),
  sequence: absent,
  epoch: absent,
});

function absent(value: unknown, path: string): undefined {
  if (value !== undefined) throw new ShapeProblem(`"${path}" has no place beside "time"`);
}

/** Where a subscription to a stored channel begins. */
function from(value: unknown, path: string): From {
  if (WORDS.includes(value)) return { kind: value as "new" | "all" | "last" };
  if (typeof value !== "object" || value === null || Array.isArray(value)) wrongType(path, FROM, value);
  if (Object.hasOwn(value, "time")) {
    return { kind: "time", time: parseTime(fromTime(value, path).time) ?? 0 };
  }
  const { sequence, epoch } = fromSequence(value, path);
  // No channel gets beyond the last safe integer, so what is beyond it may as well be there.
  return { kind: "sequence", sequence: Math.min(sequence, Number.MAX_SAFE_INTEGER), epoch };
}

/** The name of a producer or consumer. */
const segment = matching(/^[A-Za-z0-9_-]{1,64}$/, "must be 1 to 64 of A-Z a-z 0-9 _ -");

/** The shape of every control payload, by the name of its frame type. */
export const SCHEMAS = {
  ...CLIENT_SHAPES,
  OPEN: object<Open>({
    channel: text(),
    subscribe: optional(flag, false),
    respond: optional(flag, false),
    group: optional(name),
    echo: optional(flag, true),
    presence: optional(flag, false),
    producer: optional(segment),
    consumer: optional(segment),
    exclusive: optional(flag, false),
    window: optional(whole(1, MAX_WINDOW), DEFAULT_WINDOW),
    ackSeconds: optional(whole(1, MAX_ACK_SECONDS), DEFAULT_ACK_SECONDS),
    deliveries: optional(whole(0, MAX_DELIVERIES), 0),
    retry: optional(flag, false),
    from: optional(from),
  }),
  LEAVE: CLIENT_SHAPES.LEFT,
};

/** The frame types with a JSON payload. */
export type ControlName = keyof typeof SCHEMAS;

/** What each of them is read as. */
export type Payload<N extends ControlName> = (typeof SCHEMAS)[N] extends Shape<infer T> ? T : never;

/**
 * Reads the control payload of the frame `bytes[from, to)`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { decodeControl, encodeControl } from "./control.ts";
 * import { encodeFrame, type Header, Type } from "./header.ts";
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
): Decoded<Payload<N>> {
  return decodeShape(type, SCHEMAS[type] as Shape<Payload<N>>, bytes, from, to);
}

const encoder = new TextEncoder();

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
