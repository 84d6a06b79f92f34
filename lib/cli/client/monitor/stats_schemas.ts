/**
 * What the commands use of the server's answers, checked: the server may be of another version, or be none of ours.
 *
 * @module
 */

import * as v from "valibot";
import type {
  ChannelDiagnosis,
  ChannelList,
  ServerStats,
  SessionList,
  SlowDiagnosis,
  StatsHistory,
} from "../../../wire/stats.ts";

const [text, number, flag] = [v.string(), v.number(), v.boolean()];

/** An object of numbers with these names. */
function numbers<const Names extends readonly string[]>(...names: Names) {
  const rows = names.map((name) => [name, number]);
  return Object.fromEntries(rows) as { readonly [Name in Names[number]]: typeof number };
}

const STORE = v.looseObject(numbers(
  ...["channels", "messages", "bytes", "maxBytes", "commits", "commitSeconds", "slowestCommitMs"] as const,
  ...["refused", "failures", "consumers", "lag", "maxLag", "setAside"] as const,
));

const SERVER = v.looseObject({
  time: text,
  version: text,
  state: v.picklist(["ready", "draining", "failing"]),
  ...numbers(
    ...["uptimeSeconds", "sessions", "connections", "channels", "patterns"] as const,
    ...["messagesIn", "messagesOut", "bytesIn", "bytesOut", "unheard", "slowConsumers"] as const,
    ...["rejectedTokens", "failedTlsHandshakes", "pendingBytes", "maxPendingBytes"] as const,
    ...["memoryBytes", "heapBytes"] as const,
  ),
  requests: v.looseObject(numbers("asked", "answered", "refused", "late", "waiting")),
  heldBack: v.looseObject(numbers("now", "times", "seconds")),
  errors: v.record(text, number),
  descriptors: v.nullable(number),
  loopDelayMs: v.looseObject(numbers("mean", "max")),
  store: v.optional(STORE),
});

const HISTORY = v.looseObject({
  stepSeconds: number,
  columns: v.array(text),
  samples: v.array(v.array(number)),
});

const SESSION = v.looseObject({
  name: text,
  address: text,
  ...numbers("session", "messagesIn", "messagesOut", "bytesIn", "bytesOut", "rate", "pendingBytes"),
  isHeldBack: flag,
  isSlow: flag,
});

const CONSUMER = v.looseObject({
  consumer: text,
  subject: v.optional(text),
  ...numbers("position", "lag", "members", "setAside"),
  isPaused: flag,
});

const CHANNEL = v.looseObject({
  channel: text,
  groups: v.record(text, number),
  ...numbers("subscribers", "responders", "messagesIn", "messagesOut", "bytesIn", "rate", "unheard"),
  stored: v.optional(v.looseObject({ consumers: v.array(CONSUMER) })),
});

const RECEIVER = {
  name: text,
  by: text,
  group: v.optional(text),
  consumer: v.optional(text),
  ...numbers("session", "pendingBytes"),
};

const DIAGNOSIS = v.looseObject({
  channel: text,
  isKnown: flag,
  storage: v.optional(v.picklist(["durable", "history"])),
  receivers: v.array(v.looseObject(RECEIVER)),
  receiverCount: number,
  passedOver: v.array(v.looseObject({ ...RECEIVER, reason: text })),
  responders: v.array(v.looseObject(RECEIVER)),
  consumers: v.array(CONSUMER),
  findings: v.array(text),
});

const SLOW = v.looseObject({
  slowest: v.array(SESSION),
  waiting: v.array(v.looseObject({ name: text, ...numbers("session", "seconds"), for: v.array(number) })),
  unheard: v.array(v.looseObject({ channel: text, messages: number })),
});

/** The schema as one of the type that the protocol's own room declares, of which it checks what the commands use. */
function of<T>(schema: v.GenericSchema): v.GenericSchema<unknown, T> {
  return schema as v.GenericSchema<unknown, T>;
}

/** What each request is answered with. `$stats.now` is also what each message on `$stats` is. */
export const SCHEMAS = {
  "$stats.now": of<ServerStats>(SERVER),
  "$stats.history": of<StatsHistory>(HISTORY),
  "$stats.sessions": of<SessionList>(v.looseObject({ count: number, sessions: v.array(SESSION) })),
  "$stats.channels": of<ChannelList>(v.looseObject({ count: number, channels: v.array(CHANNEL) })),
  "$stats.why": of<ChannelDiagnosis>(DIAGNOSIS),
  "$stats.slow": of<SlowDiagnosis>(SLOW),
} as const;
