/**
 * The JSON payloads of the control frames that a client reads, and of the HELLO that it sends.
 *
 * Apart from those that only a server reads (`control.ts`), so that a browser need not load these.
 *
 * @module
 */

import type { ErrorCode } from "../errors.ts";
import { HEADER_BYTES, MAX_NAME_LENGTH, MAX_NUMBER } from "../limits.ts";
import {
  flag,
  kindOf,
  list,
  matching,
  number,
  object,
  optional,
  readShape,
  type Shape,
  text,
  whole,
} from "./shape.ts";

/** The protocol version this library speaks. */
export const PROTOCOL = "parley/1";

/** The payload of HELLO. */
export interface Hello {
  protocol: string;
  name?: string;
  token?: string;
}

/** The payload of WELCOME. */
export interface Welcome {
  session: string;
  number: number;
  name: string;
  message: string;
  server: { name: string; version: string };
  limits: { payload: number; channels: number; pending: number };
  heartbeat: number;
  time?: string;
}

/** The payload of ERROR. Its `code` may be one that this version does not know. */
export interface ErrorPayload {
  code: ErrorCode;
  message: string;
  fatal: boolean;
  time?: string;
}

/** A session as others see it: the payload of JOINED and PARTED. */
export interface Member {
  number: number;
  name: string;
}

/** The payload of OPENED. */
export interface Opened {
  channel: string;
  number: number;
  publish: boolean;
  subscribe: boolean;
  respond?: boolean;
  members?: Member[];
  count?: number;
  durable?: boolean;
  history?: boolean;
  epoch?: string;
  first?: number;
  last?: number;
  stored?: number;
}

/** What is wrong with the name of a session or group, if anything is. */
export function nameProblem(text: string): string | undefined {
  if (!text.isWellFormed()) return "a name is valid Unicode, without half a surrogate pair";
  if (text.length < 1 || [...text].length > MAX_NAME_LENGTH) {
    return `a name has 1 to ${MAX_NAME_LENGTH} characters`;
  }
  return /\p{Cc}/u.test(text) ? "a name has no control characters" : undefined;
}

const string = text();
/** The name of a session or group. */
export const name: Shape<string> = text(nameProblem);
const sessionNumber = whole(1, MAX_NUMBER);
const count = whole(0);
/** What a server says of sequences must be exact: a client asks for them again. */
const exactCount = whole(0, Number.MAX_SAFE_INTEGER);
const member = object<Member>({ number: sessionNumber, name: string });

/** The shapes of these payloads, by the name of their frame type. */
export const CLIENT_SHAPES = {
  HELLO: object<Hello>({ protocol: string, name: optional(name), token: optional(string) }),
  WELCOME: object<Welcome>({
    session: string,
    number: sessionNumber,
    name: string,
    message: string,
    server: object({ name: string, version: string }),
    limits: object({ payload: count, channels: count, pending: count }),
    heartbeat: number((value) => value >= 0, "a number of at least 0"),
    time: optional(string),
  }),
  ERROR: object<ErrorPayload>({
    code: string as Shape<ErrorCode>,
    message: string,
    fatal: flag,
    time: optional(string),
  }),
  BYE: object<{ reason: string }>({ reason: string }),
  OPENED: object<Opened>({
    channel: string,
    number: whole(0, MAX_NUMBER), // 0 stands for a pattern
    publish: flag,
    subscribe: flag,
    respond: optional(flag),
    members: optional(list(member)),
    count: optional(count),
    durable: optional(flag),
    history: optional(flag),
    epoch: optional(matching(/^[A-Za-z0-9_-]{1,32}$/, "must be 1 to 32 of A-Z a-z 0-9 _ -")),
    first: optional(exactCount),
    last: optional(exactCount),
    stored: optional(exactCount),
  }),
  LEFT: object<{ channel: string }>({ channel: string }),
  JOINED: member,
  PARTED: member,
};

/** The frame types with a payload of these shapes. */
export type ClientControlName = keyof typeof CLIENT_SHAPES;

/** A decoded payload, or what is wrong with it. */
export type Decoded<T> = { readonly value: T } | { readonly problem: string };

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Reads the payload of a frame of type `type`, `bytes[from, to)`, which must have the shape. */
export function decodeShape<T>(
  type: string,
  shape: Shape<T>,
  bytes: Uint8Array,
  from: number,
  to: number,
): Decoded<T> {
  let json: unknown;
  try {
    json = JSON.parse(utf8.decode(bytes.subarray(from + HEADER_BYTES, to)));
  } catch {
    return { problem: `the payload of ${type} must be a JSON object in UTF-8` };
  }
  // Saying that it is an array helps more than naming a missing key.
  if (json === null || typeof json !== "object" || Array.isArray(json)) {
    return { problem: `the payload of ${type} must be a JSON object, got ${kindOf(json)}` };
  }
  const read = readShape(shape, json);
  return "problem" in read ? { problem: `${type} ${read.problem}` } : read;
}
