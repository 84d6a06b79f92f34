/**
 * What `parley bench` measures: the workloads, and what its two sides are told.
 *
 * @module
 */

import type { StoredChannel } from "../../../client/api.ts";
import type { ConnectOptions } from "../../../client/options.ts";
import { type ErrorCode, type LocalCode, ParleyError } from "../../../errors.ts";
import { HEADER_BYTES } from "../../../limits.ts";

/** A workload. */
export type Workload = "publish" | "fan-out" | "request";

/** The workloads, in the order in which they run. */
export const WORKLOADS: readonly Workload[] = ["publish", "fan-out", "request"];

/** What its user may choose. `undefined` is the workload's own default. */
export interface Choices {
  /** Bytes of a payload, at least 8: a message carries the time at which it was sent. */
  readonly size: number;
  readonly connections: number | undefined;
  readonly subscribers: number | undefined;
  readonly underWay: number | undefined;
}

/** One measurement. */
export interface Plan {
  readonly workload: Workload;
  /** Bytes of a payload. */
  readonly size: number;
  /** Connections that send. */
  readonly connections: number;
  /** Connections that receive, or respond. */
  readonly subscribers: number;
  /**
   * The most messages that are published and not yet received by all subscribers, or for requests, the most that one
   * connection waits for.
   */
  readonly underWay: number;
}

/** Requests that one connection waits for at once. */
const REQUESTS_UNDER_WAY = 100;

/** Ids of requests that one session can use at once, on the wire. */
const MAX_REQUESTS = 0xffff;

const FAN_OUT = 10;

/** Bytes under way to one subscriber: enough to fill the sockets and less than a server lets wait for one session. */
const BYTES_UNDER_WAY = 2 * 1024 * 1024;

/** Bytes under way to all subscribers. */
const TOTAL_UNDER_WAY = 16 * BYTES_UNDER_WAY;

/**
 * Plans a workload.
 *
 * @throws {ParleyError} `bad_argument` if a choice does not fit the workload
 */
export function planOf(workload: Workload, { size, connections = 1, ...choices }: Choices): Plan {
  const isRequest = workload === "request";
  const subscribers = choices.subscribers ?? (workload === "fan-out" ? FAN_OUT : 1);
  const bytes = Math.min(BYTES_UNDER_WAY, TOTAL_UNDER_WAY / subscribers);
  const ownUnderWay = isRequest
    ? REQUESTS_UNDER_WAY
    : Math.max(8, Math.min(65_536, Math.floor(bytes / (size + HEADER_BYTES))));
  const underWay = choices.underWay ?? ownUnderWay;
  if (isRequest && underWay > MAX_REQUESTS) {
    const text = `--under-way: a connection can wait for at most ${MAX_REQUESTS} requests, not ${underWay}`;
    throw new ParleyError("bad_argument", text);
  }
  return { workload, size, connections, subscribers, underWay };
}

/** The channels of all measurements match this pattern. */
export const CHANNELS = "parley-bench.*";

/** What a token must allow for the workloads, as the options of `parley-server token issue`. */
export function grantsFor(workloads: readonly Workload[]): string {
  const flags = ["publish"];
  if (workloads.some((workload) => workload !== "request")) flags.push("subscribe");
  if (workloads.includes("request")) flags.push("respond");
  return flags.map((flag) => `--${flag} '${CHANNELS}'`).join(" ");
}

/** A side of a measurement: it sends messages or requests, or it receives or answers them. Each has its own thread. */
export type Side = "send" | "receive";

/** How the server stores a channel. */
export type Storage = StoredChannel["storage"];

/** To a side. */
export type Order =
  | {
    readonly type: "open";
    readonly side: Side;
    readonly plan: Plan;
    readonly channel: string;
    readonly connect: ConnectOptions;
    /** How the server stores the channel, as the other side was told; undefined if it does not, or for that side itself. */
    readonly storage: Storage | undefined;
    /** Leads to the other side. */
    readonly port: MessagePort;
  }
  /** Begin, or begin to count anew. */
  | { readonly type: "start" | "count" }
  /** End, and report. */
  | { readonly type: "stop" };

/** From a side. */
export type Answer =
  | { readonly type: "ready"; readonly storage: Storage | undefined }
  | { readonly type: "progress"; readonly messages: number }
  | { readonly type: "stopped"; readonly counts: Counts }
  | { readonly type: "failed"; readonly code: ErrorCode | LocalCode; readonly message: string };

/** What a side has counted since `count`. */
export interface Counts {
  /** Messages received, or requests answered. 0 of the side that does not count them. */
  readonly messages: number;
  /** In milliseconds. */
  readonly ms: number;
  /** The times from publishing to receiving, or from request to reply; see `Latencies.encode`. */
  readonly latencies: string;
  /** Which share of the time the side's thread was busy, 0 to 1; undefined if it cannot tell. */
  readonly busy: number | undefined;
}
