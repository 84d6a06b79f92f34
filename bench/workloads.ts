/**
 * The workloads of the table in docs/performance.md, with their goals, as data.
 *
 * @module
 */

import type { Entrance } from "./brokers/broker.ts";

/** The kind of a workload; see `bench/load/` for each. */
export type Kind =
  | "stream"
  | "tls"
  | "web-socket"
  | "echo"
  | "web-socket-echo"
  | "http"
  | "request"
  | "idle"
  | "connect"
  | "start"
  | "library"
  | "library-request"
  | "store"
  | "store-one"
  | "store-loop"
  | "consume"
  | "replay"
  | "store-echo";

/** The workloads on stored channels. */
export const STORED_KINDS: readonly Kind[] = [
  ...["store-one", "store-loop", "store", "consume", "replay", "store-echo"] as const,
];

/** By which factor Parley is to be better than another server. */
export type Goals = Readonly<Record<string, number>>;

interface Common {
  /** Its name for `--only`. */
  readonly id: string;
  readonly title: string;
  readonly goals?: Goals;
}

/** Publishers send as fast as the window allows, subscribers receive. Result: messages delivered per second. */
export interface Stream extends Common {
  readonly kind: "stream" | "tls" | "web-socket";
  readonly payloadBytes: number;
  readonly publishers: number;
  readonly subscribers: number;
  /** Channels of each publisher, used in rotation, one message each. No two publishers share one. */
  readonly channels: number;
  /** Messages per write to the socket. */
  readonly burst: number;
  /** The most messages in flight: sent, and not yet received by all subscribers. Limits what a server must buffer. */
  readonly window: number;
}

/**
 * Each connection sends a request, waits for the answer, and sends the next one. Result: answers per second, and
 * response times. `echo`: the server answers. `request`: one more connection answers, through the server. `http`: each
 * request publishes a message.
 */
export interface Loop extends Common {
  readonly kind: "echo" | "request" | "web-socket-echo" | "http";
  readonly payloadBytes: number;
  readonly connections: number;
  /** Servers whose 99th percentile of response times Parley must not exceed. */
  readonly p99NoHigherThan?: readonly string[];
}

/** Idle sessions. Result: bytes of memory per session. */
export interface Idle extends Common {
  readonly kind: "idle";
  readonly sessions: number;
  /** In bytes. */
  readonly atMost: number;
}

/** Connect, complete the handshake, disconnect, repeatedly. Result: handshakes per second. */
export interface Connect extends Common {
  readonly kind: "connect";
  /** Connections in progress at any time. */
  readonly atOnce: number;
}

/** From the start of the program to the first accepted connection. Result: milliseconds. */
export interface Start extends Common {
  readonly kind: "start";
  /** In milliseconds. */
  readonly atMost: number;
}

/** A program publishes and receives by the server's JavaScript library. Result: messages received per second. */
export interface LibraryStream extends Common {
  readonly kind: "library";
  readonly payloadBytes: number;
  /** Messages published before the program looks at the clock. */
  readonly burst: number;
  /** The most messages in flight. */
  readonly window: number;
}

/** A program sends requests by the library, and responds to them. Result: replies per second, and response times. */
export interface LibraryRequests extends Common {
  readonly kind: "library-request";
  readonly payloadBytes: number;
  /** Requests that wait for their reply at any time. */
  readonly underWay: number;
}

/**
 * One producer stores messages as fast as the window allows. A message counts when its receipt has come. Result: messages
 * stored per second.
 */
export interface Store extends Common {
  readonly kind: "store";
  readonly payloadBytes: number;
  /** Channels, used in rotation, one message each. */
  readonly channels: number;
  /** Messages per write to the socket. Where a receipt may cover several messages, one covers those of a write. */
  readonly burst: number;
  /** The most messages without a receipt. */
  readonly window: number;
}

/**
 * Each producer stores a message, waits for its receipt, and stores the next one. Result: receipts per second, and the
 * time that each took. `store-one`: the only producer takes turns with a write and `fdatasync` without a server.
 */
export interface StoreLoop extends Common {
  readonly kind: "store-one" | "store-loop";
  readonly payloadBytes: number;
  readonly connections: number;
  /** The 99th percentile of the times must not exceed that of a write and `fdatasync` without a server by this factor. */
  readonly p99AtMostBare?: number;
}

/**
 * One client reads what was stored before: `consume` as a consumer that acknowledges everything, `replay` from the first
 * message. Result: messages received per second.
 */
export interface Read extends Common {
  readonly kind: "consume" | "replay";
  readonly payloadBytes: number;
  /** Messages stored before, if the server stores them fast enough (`PRELOAD_SECONDS`). */
  readonly messages: number;
  /** The most messages without an acknowledgement; 0 for `replay`. */
  readonly window: number;
  /** In messages per second. */
  readonly atLeast?: number;
}

/** A closed loop of echoes, while one producer stores messages at a fixed rate. Result as for `Loop`. */
export interface StoreEcho extends Common {
  readonly kind: "store-echo";
  readonly payloadBytes: number;
  readonly connections: number;
  /** Messages stored per second. */
  readonly rate: number;
  /** In milliseconds. */
  readonly p99AtMost: number;
}

/** One workload. */
export type Workload =
  | Stream
  | Loop
  | Idle
  | Connect
  | Start
  | LibraryStream
  | LibraryRequests
  | Store
  | StoreLoop
  | Read
  | StoreEcho;

const KiB = 1024;

/** One publisher, one subscriber, one channel; about 256 KiB per burst and 2 MiB in flight. */
const ONE_TO_ONE = { kind: "stream", publishers: 1, subscribers: 1, channels: 1 } as const;
const SMALL = { payloadBytes: 16, burst: 8192, window: 65_536 };
const MEDIUM = { payloadBytes: 128, burst: 2048, window: 16_384 };
const LARGE = { payloadBytes: 1 * KiB, burst: 256, window: 2048 };

/** All workloads, in the order of the table. */
export const WORKLOADS: readonly Workload[] = [
  { id: "one16", title: "16 B, 1 → 1", ...ONE_TO_ONE, ...SMALL, goals: { nats: 15, redis: 15 } },
  { id: "one128", title: "128 B, 1 → 1", ...ONE_TO_ONE, ...MEDIUM, goals: { nats: 8, redis: 10 } },
  { id: "one1k", title: "1 KiB, 1 → 1", ...ONE_TO_ONE, ...LARGE, goals: { nats: 3.5, redis: 3.5 } },
  {
    id: "turns64",
    title: "16 B, 1 → 1, 64 channels in turn",
    ...ONE_TO_ONE,
    ...SMALL,
    channels: 64,
    goals: { nats: 4, redis: 6 },
  },
  {
    id: "fan10",
    title: "16 B, 1 → 10",
    ...ONE_TO_ONE,
    ...SMALL,
    subscribers: 10,
    window: 32_768,
    goals: { nats: 12, redis: 14 },
  },
  {
    id: "fan1000",
    title: "16 B, 1 → 1,000",
    ...ONE_TO_ONE,
    ...SMALL,
    subscribers: 1000,
    burst: 512,
    window: 4096,
    goals: { nats: 5, redis: 5 },
  },
  {
    id: "in8",
    title: "128 B, 8 → 1, a channel each",
    ...ONE_TO_ONE,
    ...MEDIUM,
    publishers: 8,
    goals: { nats: 5, redis: 7 },
  },
  {
    id: "request50",
    title: "64 B request/reply, 50 requesters, 1 responder",
    kind: "request",
    payloadBytes: 64,
    connections: 50,
    goals: { nats: 1.3 },
  },
  {
    id: "echo1",
    title: "64 B echo, 1 connection",
    kind: "echo",
    payloadBytes: 64,
    connections: 1,
    goals: { nats: 1, redis: 0.7 },
  },
  {
    id: "echo50",
    title: "64 B echo, 50 connections",
    kind: "echo",
    payloadBytes: 64,
    connections: 50,
    goals: { nats: 1.5, redis: 1 },
  },
  {
    id: "echo500",
    title: "64 B echo, 500 connections",
    kind: "echo",
    payloadBytes: 64,
    connections: 500,
    goals: { nats: 1.3, redis: 1 },
    p99NoHigherThan: ["nats"],
  },
  { id: "tls128", title: "128 B, 1 → 1, TLS", ...ONE_TO_ONE, ...MEDIUM, kind: "tls", goals: { nats: 3 } },
  {
    id: "ws128",
    title: "128 B, 1 → 1, WebSocket",
    ...ONE_TO_ONE,
    ...MEDIUM,
    kind: "web-socket",
    goals: { nats: 1 },
  },
  {
    id: "wsecho500",
    title: "64 B echo, 500 connections, WebSocket",
    kind: "web-socket-echo",
    payloadBytes: 64,
    connections: 500,
    goals: { nats: 1 },
  },
  {
    id: "http50",
    title: "HTTP: 128 B published, 50 connections, one at a time each",
    kind: "http",
    payloadBytes: 128,
    connections: 50,
  },
  { id: "idle10k", title: "memory of an idle session", kind: "idle", sessions: 10_000, atMost: 12 * KiB },
  { id: "connect", title: "connect and handshake", kind: "connect", atOnce: 32, goals: { nats: 1 } },
  { id: "start", title: "start to listening", kind: "start", atMost: 150 },
  {
    id: "lib16",
    title: "library: 16 B, publish → iterate",
    kind: "library",
    payloadBytes: 16,
    burst: 512,
    window: 32_768,
    goals: { nats: 1.5, redis: 1.5, mosquitto: 1.5 },
  },
  {
    id: "libask100",
    title: "library: 64 B request/reply, 100 under way",
    kind: "library-request",
    payloadBytes: 64,
    underWay: 100,
    goals: { nats: 1.5 },
  },
  {
    id: "libask1",
    title: "library: 64 B request/reply, one at a time",
    kind: "library-request",
    payloadBytes: 64,
    underWay: 1,
    goals: { nats: 1.5 },
  },
  {
    id: "stored1",
    title: "stored: 16 B, 1 producer, one at a time",
    kind: "store-one",
    payloadBytes: 16,
    connections: 1,
    p99AtMostBare: 1.5,
  },
  {
    id: "stored64",
    title: "stored: 16 B, 64 producers, one at a time each",
    kind: "store-loop",
    payloadBytes: 16,
    connections: 64,
    goals: { "redis-always": 1 },
  },
  {
    id: "stored16",
    title: "stored: 16 B, 1 producer, pipelined",
    kind: "store",
    payloadBytes: 16,
    channels: 1,
    burst: 4096,
    window: 65_536,
    goals: { jetstream: 10, "redis-always": 6 },
  },
  {
    id: "stored1k",
    title: "stored: 1 KiB, 1 producer, pipelined",
    kind: "store",
    payloadBytes: 1 * KiB,
    channels: 1,
    burst: 256,
    window: 8192,
    goals: { jetstream: 1, "redis-always": 2 },
  },
  {
    id: "storedturns64",
    title: "stored: 16 B, 64 channels in turn, pipelined",
    kind: "store",
    payloadBytes: 16,
    channels: 64,
    burst: 4096,
    window: 65_536,
    goals: { jetstream: 3 },
  },
  {
    id: "storedconsume",
    title: "stored: 16 B, consumer, window 1,000, acknowledges all",
    kind: "consume",
    payloadBytes: 16,
    messages: 2_000_000,
    window: 1000,
  },
  {
    id: "storedreplay",
    title: "stored: 16 B, replay to one subscriber",
    kind: "replay",
    payloadBytes: 16,
    messages: 4_000_000,
    window: 0,
    atLeast: 10_000_000,
  },
  {
    id: "storedecho50",
    title: "64 B echo, 50 connections, beside 100,000 stored a second",
    kind: "store-echo",
    payloadBytes: 64,
    connections: 50,
    rate: 100_000,
    p99AtMost: 10,
  },
];

/** How the clients of a workload reach the server. */
export function entranceOf(kind: Kind): Entrance {
  if (kind === "http") return "http";
  return kind === "web-socket" || kind === "web-socket-echo" ? "web-socket" : "tcp";
}

/** The unit of a result of `kind`, and whether more is better. */
export function unitOf(kind: Kind): { unit: string; moreIsBetter: boolean } {
  switch (kind) {
    case "idle":
      return { unit: "bytes", moreIsBetter: false };
    case "start":
      return { unit: "ms", moreIsBetter: false };
    default:
      return { unit: "/s", moreIsBetter: true };
  }
}

/** The workloads that `wanted` names, each by its id or else by a prefix of ids (`echo`) or a kind (`stream`). */
export function selectWorkloads(
  wanted: readonly string[],
  workloads: readonly Workload[] = WORKLOADS,
): readonly Workload[] {
  if (wanted.length === 0) return workloads;
  const meant = new Set<Workload>();
  for (const name of wanted) {
    const exact = workloads.filter(({ id }) => id === name);
    const close = workloads.filter(({ id, kind }) => id.startsWith(name) || kind === name);
    const found = exact.length > 0 ? exact : close;
    if (name === "" || found.length === 0) {
      throw new TypeError(
        `unknown workload "${name}"; choose from ${workloads.map(({ id }) => id).join(", ")}`,
      );
    }
    for (const workload of found) meant.add(workload);
  }
  return workloads.filter((workload) => meant.has(workload));
}

/** `workload`, reduced to what a trial run of some seconds can measure. */
export function reduced(workload: Workload): Workload {
  if (workload.kind === "idle") return { ...workload, title: `${workload.title} (of 1,000)`, sessions: 1000 };
  if ("messages" in workload) return { ...workload, messages: workload.messages / 10 };
  return workload;
}
