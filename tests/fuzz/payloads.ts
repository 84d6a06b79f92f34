/**
 * Payloads of generated frames: all sizes, valid control payloads, and JSON that is almost valid.
 *
 * @module
 */

import { MAX_CHANNEL_SEGMENTS } from "../../lib/limits.ts";
import { concat } from "../harness/raw_client.ts";
import type { Random } from "../harness/seeded.ts";

const encoder = new TextEncoder();

/** Channels that the attacking sessions share. No name or pattern covers the channel of the control client. */
export const NAMES: readonly string[] = [
  ...["fuzz", "fuzz.a", "fuzz.b", "fuzz.a.b", "fuzz.c-d_E", "$echo"],
  `fuzz${".a".repeat(MAX_CHANNEL_SEGMENTS - 1)}`,
];
const PATTERNS = ["fuzz.*", "fuzz.>", "fuzz.*.b", "fuzz.a.>", `fuzz${".*".repeat(MAX_CHANNEL_SEGMENTS - 1)}`];
const GROUPS = ["one", "two", "\u00e4\u{1f600}"];

/** Values of a wrong type or outside the grammar. */
const WRONG_VALUES: readonly unknown[] = [
  null,
  0,
  -1,
  1e308,
  true,
  [],
  {},
  "",
  "\u0000",
  "..",
  "$sys",
  "fuzz.>.a",
  `fuzz${".a".repeat(MAX_CHANNEL_SEGMENTS)}`,
  `fuzz${".*".repeat(MAX_CHANNEL_SEGMENTS)}`,
  "a".repeat(129),
  "x".repeat(9000),
  "\ud800",
  { toString: 1 },
];

/** Payloads that are not a JSON object, or not an expected one. */
const WRONG_TEXTS = [
  "",
  "{",
  "null",
  "[]",
  '"fuzz"',
  "{}",
  "\ufeff{}",
  '{"__proto__":{"channel":"fuzz"}}',
  '{"channel":"fuzz","channel":7}',
  '{"constructor":{"prototype":{}},"channel":"fuzz"}',
  `${"[".repeat(3000)}${"]".repeat(3000)}`,
  `${'{"channel":'.repeat(2000)}1${"}".repeat(2000)}`,
  "1".repeat(5000),
  '{"channel":"\\ud800"}',
];

/** Length after which a filler repeats. Not a multiple of 16, so that each misread header is different. */
const PERIOD = 61;

/** `length` bytes that repeat a random beginning, because random bytes cost more to make than to send. */
export function filler(random: Random, length: number): Uint8Array {
  const whole = new Uint8Array(length);
  whole.set(random.bytes(Math.min(length, PERIOD)));
  for (let filled = PERIOD; filled < length; filled *= 2) whole.copyWithin(filled, 0, filled);
  return whole;
}

/** The payload of a message: often empty, rarely large, never more than `most` bytes. */
export function messagePayload(random: Random, most: number): Uint8Array {
  const sizes = [0, 0, 1, 7, 16, 100, 1000, 4000, most];
  return filler(random, Math.min(most, random.pick(sizes)));
}

/** The message headers of a frame with flag 0x08: a valid block, or one that a receiver must reject. */
export function messageHeaders(random: Random): Uint8Array {
  const text = random.pick([
    '{"traceparent":"00-1"}',
    "{}",
    '{"error":"failed"}',
    "",
    "[]",
    '{"a":1}',
    "{",
    "\ud800",
  ]);
  const json = encoder.encode(text);
  // Sometimes the length is missing, too small, or larger than the payload.
  const length = random.pick([json.length, json.length, json.length - 1, json.length + 1, 0xffff]) & 0xffff;
  return random.int(8) === 0 ? json.subarray(0, 1) : concat([Uint8Array.of(length >>> 8, length), json]);
}

/** The payload of a valid OPEN. What it asks for may overlap another subscription in a group, which is refused. */
export function openPayload(random: Random): Record<string, unknown> {
  const isPattern = random.int(4) === 0;
  const open: Record<string, unknown> = { channel: random.pick(isPattern ? PATTERNS : NAMES) };
  if (isPattern || random.int(3) > 0) open.subscribe = true;
  if (random.int(3) === 0) open.respond = true;
  if (random.int(4) === 0) open.echo = false;
  if (random.int(4) === 0) open.group = random.pick(GROUPS);
  if (random.int(4) === 0 && open.subscribe && !isPattern) open.presence = true;
  if (random.int(3) === 0) Object.assign(open, storedOptions(random));
  return open;
}

/** Names of producers and consumers: few, so that sessions take each other over. */
const ROLES = ["one", "two"];

/** What an OPEN may ask for on a stored channel; not all of it fits to every channel. */
function storedOptions(random: Random): Record<string, unknown> {
  const sequence = 1 + random.int(random.pick([5, 5000, 2 ** 40]));
  const from = [
    ...["new", "all", "last"],
    { sequence },
    { sequence, epoch: "e" },
    { time: "2026-11-25T12:00:00Z" },
    { time: "2126-11-25T12:00:00.5+01:00" },
  ];
  const options: Record<string, unknown> = {};
  if (random.int(2) === 0) options.from = random.pick(from);
  if (random.int(3) === 0) options.producer = random.pick(ROLES);
  if (random.int(4) === 0) options.retry = true;
  if (random.int(2) === 0) return options;
  const window = random.pick([1, 2, 100, 65_535]);
  const times = { ackSeconds: 1 + random.int(3), deliveries: random.int(4) };
  return { ...options, ...times, consumer: random.pick(ROLES), window, exclusive: random.int(3) === 0 };
}

/** A HELLO payload that is invalid or unusual. */
export function oddHello(random: Random): Uint8Array {
  return oddJson(random, { protocol: "parley/1", name: "fuzz", token: "eyJhbGciOiJub25lIn0.e30." });
}

/** An OPEN or LEAVE payload that is invalid or unusual. */
export function oddOpen(random: Random): Uint8Array {
  return oddJson(random, {
    ...openPayload(random),
    from: undefined,
    producer: undefined,
    consumer: undefined,
  });
}

function oddJson(random: Random, right: Record<string, unknown>): Uint8Array {
  if (random.int(3) === 0) return encoder.encode(random.pick(WRONG_TEXTS));
  if (random.int(6) === 0) return random.bytes(random.int(200));
  const odd = { ...right, [random.pick(Object.keys(right))]: random.pick(WRONG_VALUES) };
  const bytes = encoder.encode(JSON.stringify(odd));
  if (random.int(4) > 0) return bytes;
  // Broken UTF-8, in the middle.
  const at = random.int(bytes.length);
  return concat([bytes.subarray(0, at), Uint8Array.of(0xc3, 0x28, 0xff), bytes.subarray(at)]);
}
