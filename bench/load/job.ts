/**
 * A job for the load generator and its result, each sent as one line of JSON.
 *
 * @module
 */

import type { TlsFiles } from "../brokers/broker.ts";
import type { Workload } from "../workloads.ts";

/** One measurement of a workload of type `W`. */
export interface Job<W extends Workload = Workload> {
  readonly workload: W;
  /** The name of the broker's protocol. */
  readonly protocol: string;
  readonly port: number;
  /** The server's process, whose processor time and memory are measured. */
  readonly pid: number;
  /** How long to measure, and how long to run before that, in seconds. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly tls?: TlsFiles;
  /** The directory of the server's files. */
  readonly dir: string;
}

/** The result of one measurement. */
export interface Result {
  /** In the unit of the workload's kind: messages, answers or handshakes per second; bytes; milliseconds. */
  readonly value: number;
  /** Quantiles of the response times. */
  readonly latency?: Latency;
  /** Of a write and `fdatasync` without a server, measured in turn with those of `latency`. */
  readonly bareLatency?: Latency;
  /** Processor time per second of the server and of the generator during the measurement. 1 is one core. */
  readonly serverCores?: number;
  readonly generatorCores?: number;
}

/** Quantiles of response times, in milliseconds. */
export interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}
