/**
 * What is measured, as data: the works of the table in docs/performance.md, and the goals of each.
 *
 * @module
 */

/** How a work is done; see `bench/load/` for each. */
export type Kind = "stream" | "tls" | "echo" | "request" | "idle" | "connect" | "start";

/** How many times as good as another server Parley wants to be. */
export type Goals = Readonly<Record<string, number>>;

interface Common {
  /** What `--only` calls it. */
  readonly id: string;
  readonly title: string;
  readonly goals?: Goals;
}

/** Publishers send as fast as they may, subscribers receive. Result: messages delivered a second. */
export interface Stream extends Common {
  readonly kind: "stream" | "tls";
  readonly payloadBytes: number;
  readonly publishers: number;
  readonly subscribers: number;
  /** Channels each publisher takes turns on, message by message; no two publishers share one. */
  readonly channels: number;
  /** Messages handed to the socket at once. */
  readonly burst: number;
  /** Messages sent and not yet received by all subscribers, at most. Bounds what a server must hold, for all alike. */
  readonly window: number;
}

/**
 * Each connection asks, waits for the answer, asks again. Result: answers a second, and how long each took. `echo`:
 * the server answers by itself. `request`: one more connection answers, through the server.
 */
export interface Loop extends Common {
  readonly kind: "echo" | "request";
  readonly payloadBytes: number;
  readonly connections: number;
  /** Whether the slowest answer in a hundred may take no longer than that of these servers. */
  readonly p99NoHigherThan?: readonly string[];
}

/** Sessions that were greeted and say nothing. Result: bytes of memory each. */
export interface Idle extends Common {
  readonly kind: "idle";
  readonly sessions: number;
  /** In bytes. */
  readonly atMost: number;
}

/** Connect, be greeted, go, over and over. Result: greetings a second. */
export interface Connect extends Common {
  readonly kind: "connect";
  /** Under way at any time. */
  readonly atOnce: number;
}

/** From starting the program to its accepting a connection. Result: milliseconds. */
export interface Start extends Common {
  readonly kind: "start";
  /** In milliseconds. */
  readonly atMost: number;
}

/** One work. */
export type Workload = Stream | Loop | Idle | Connect | Start;

const KiB = 1024;

/** One publisher, one subscriber, one channel; 256 KiB or so a burst, 2 MiB or so in flight. */
const ONE_TO_ONE = { kind: "stream", publishers: 1, subscribers: 1, channels: 1 } as const;
const SMALL = { payloadBytes: 16, burst: 8192, window: 65_536 };
const MEDIUM = { payloadBytes: 128, burst: 2048, window: 16_384 };
const LARGE = { payloadBytes: 1 * KiB, burst: 256, window: 2048 };

/** All works, in the order of the table. */
export const WORKS: readonly Workload[] = [
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
    title: "64 B request/reply, 50 ask, 1 answers",
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
  { id: "idle10k", title: "memory of an idle session", kind: "idle", sessions: 10_000, atMost: 12 * KiB },
  { id: "connect", title: "connect and greet", kind: "connect", atOnce: 32, goals: { nats: 1 } },
  { id: "start", title: "start to listening", kind: "start", atMost: 150 },
];

/** What a result of `kind` is counted in, and whether more of it is better. */
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

/** The works that `wanted` names: ids, and where there is no such id, beginnings of ids (`echo`) or kinds (`stream`). */
export function selectWorks(
  wanted: readonly string[],
  workloads: readonly Workload[] = WORKS,
): readonly Workload[] {
  if (wanted.length === 0) return workloads;
  const meant = new Set<Workload>();
  for (const name of wanted) {
    const exact = workloads.filter(({ id }) => id === name);
    const close = workloads.filter(({ id, kind }) => id.startsWith(name) || kind === name);
    const found = exact.length > 0 ? exact : close;
    if (name === "" || found.length === 0) {
      throw new TypeError(
        `no work is called "${name}"; there are ${workloads.map(({ id }) => id).join(", ")}`,
      );
    }
    for (const work of found) meant.add(work);
  }
  return workloads.filter((work) => meant.has(work));
}

/** `work` cut down to what a trial run of some seconds can do. */
export function reduced(work: Workload): Workload {
  if (work.kind === "idle") return { ...work, title: `${work.title} (of 1,000)`, sessions: 1000 };
  return work;
}
