/**
 * Checks of a program's arguments, made before they cost a round trip.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { MAX_ACK_SECONDS, MAX_DELIVERIES, MAX_NAME_LENGTH, MAX_WINDOW } from "../limits.ts";
import { channelProblem, isPattern } from "../wire/names.ts";
import type { SubscribeOptions } from "./options.ts";
import { fromProblem } from "./position.ts";

/** @throws {ParleyError} `bad_channel` unless `name` names a channel or a pattern */
export function checkNameOrPattern(name: string): void {
  const problem = typeof name === "string" ? channelProblem(name) : "a channel name is a string";
  if (problem !== undefined) throw new ParleyError("bad_channel", problem);
}

/** @throws {ParleyError} `bad_channel` unless `name` names one channel */
export function checkName(name: string): void {
  checkNameOrPattern(name);
  if (!isPattern(name)) return;
  throw new ParleyError("bad_channel", `${name} is a pattern; send to a channel by its own name`);
}

/** What is wrong with an option, if anything is: what it must be. */
type Check = (value: unknown) => string | undefined;

function must(expected: string, isRight: (value: unknown) => boolean): Check {
  return (value) => isRight(value) ? undefined : expected;
}

function within(least: number, most: number): Check {
  return must(
    `a whole number from ${least} to ${most}`,
    (value) => Number.isInteger(value) && (value as number) >= least && (value as number) <= most,
  );
}

const isAny: Check = () => undefined;
const isPositive = must("a number above 0", (value) => typeof value === "number" && value > 0);
const isNotNegative = must("a number of at least 0", (value) => typeof value === "number" && value >= 0);
const isText = must("a string", (value) => typeof value === "string");
const isGroup = must(
  `1 to ${MAX_NAME_LENGTH} characters without controls`,
  (value) =>
    typeof value === "string" && value.length > 0 && value.length <= MAX_NAME_LENGTH &&
    !/\p{Cc}/u.test(value),
);
const isStoredName = must(
  "1 to 64 of A-Z a-z 0-9 _ -",
  (value) => typeof value === "string" && /^[A-Za-z0-9_-]{1,64}$/.test(value),
);
const isBoolean = must("true or false", (value) => typeof value === "boolean");
const isFunction = must("a function", (value) => typeof value === "function");
const isBooleanOrFunction = must(
  "true, false or a function",
  (value) => typeof value === "boolean" || typeof value === "function",
);
const isTextOrFunction = must(
  "a string or a function",
  (value) => typeof value === "string" || typeof value === "function",
);
const isSignal = must("an AbortSignal", (value) => value instanceof AbortSignal);

const WAIT = { signal: isSignal, timeoutMs: isPositive } as const;
const SEND = { kind: isAny, headers: isAny, ...WAIT } as const;

/** What each option of each call may be. */
export const OPTIONS = {
  wait: WAIT,
  publish: { ...SEND, producer: isStoredName },
  sendTo: SEND,
  reply: { kind: isAny, headers: isAny },
  request: SEND,
  subscribe: {
    group: isGroup,
    echo: isBoolean,
    presence: isBooleanOrFunction,
    from: fromProblem,
    consumer: isStoredName,
    window: within(1, MAX_WINDOW),
    exclusive: isBoolean,
    ackSeconds: within(1, MAX_ACK_SECONDS),
    deliveries: within(0, MAX_DELIVERIES),
    ...WAIT,
  },
  respond: { concurrency: isPositive, onError: isFunction, ...WAIT },
  reconnect: { initialMs: isPositive, maxMs: isPositive, giveUpMs: isPositive, keptBytes: isNotNegative },
  connect: {
    ...WAIT,
    url: isAny,
    hostname: isText,
    port: isAny,
    name: isText,
    token: isTextOrFunction,
    tls: isBoolean,
    ca: isText,
    insecure: isBoolean,
    pendingBytes: isPositive,
    reconnect: must(
      "true, false or an object",
      (value) => typeof value === "boolean" || typeof value === "object" && value !== null,
    ),
    onEvent: isFunction,
    onError: isFunction,
    trace: isFunction,
    webSocket: isFunction,
  },
} as const;

/**
 * Rejects what is not an option of a call, or out of its range. Costs no allocation if all is well.
 *
 * @throws {ParleyError} `bad_argument`, and which one it is
 */
export function checkOptions(call: keyof typeof OPTIONS, options: object | undefined): void {
  if (options === undefined) return;
  if (typeof options !== "object" || options === null) throw badArgument("options must be an object");
  const known: Record<string, Check> = OPTIONS[call];
  for (const name in options) {
    if (!Object.hasOwn(known, name)) {
      throw badArgument(`"${name}" is not an option; there are ${Object.keys(known).join(", ")}`);
    }
    const value = (options as Record<string, unknown>)[name];
    const expected = value === undefined ? undefined : known[name](value);
    if (expected !== undefined) {
      throw badArgument(
        `${name} must be ${expected}, not ${name === "token" ? `a ${typeof value}` : show(value)}`,
      );
    }
  }
}

/** @throws {ParleyError} `bad_channel`, or `bad_argument` for unknown or contradictory options */
export function checkSubscribe(name: string, options: SubscribeOptions): void {
  checkNameOrPattern(name);
  checkOptions("subscribe", options);
  const { group, echo = true, consumer, exclusive, window, ackSeconds, deliveries } = options;
  if (consumer === undefined && (exclusive || (window ?? ackSeconds ?? deliveries) !== undefined)) {
    throw badArgument("window, exclusive, ackSeconds and deliveries need a consumer");
  }
  if (consumer !== undefined && (group !== undefined || !echo || isPattern(name))) {
    throw badArgument("a consumer takes all messages of one channel: no group, no echo: false, no pattern");
  }
  if (options.presence && isPattern(name)) {
    throw badArgument(`presence needs a channel's own name, and ${name} is a pattern`);
  }
}

/** @throws {ParleyError} `bad_argument` unless `name` can name a producer */
export function checkProducer(name: string): void {
  const expected = isStoredName(name);
  if (expected !== undefined) throw badArgument(`a producer's name must be ${expected}, not ${show(name)}`);
}

/** A value for an error: numbers and text as they are written, of others only what they are. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  return typeof value === "number" ? String(value) : `a ${typeof value}`;
}

/** The error for an argument outside its range. */
export function badArgument(message: string): ParleyError {
  return new ParleyError("bad_argument", message);
}
