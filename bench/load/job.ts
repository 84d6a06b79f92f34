/**
 * What the benchmark tells its load generator, and what comes back; both as one line of JSON.
 *
 * @module
 */

import type { TlsFiles } from "../brokers/broker.ts";
import type { Workload } from "../workloads.ts";

/** One measurement of a work of type `W`. */
export interface Job<W extends Workload = Workload> {
  readonly work: W;
  /** The broker to speak to, by the name of its protocol. */
  readonly protocol: string;
  readonly port: number;
  /** The server's process, whose processor time and memory are looked at. */
  readonly pid: number;
  /** How long to measure, and how long to run before that. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly tls?: TlsFiles;
}

/** What one measurement gave. */
export interface Result {
  /** In the unit of the work's kind: messages or answers or greetings a second, bytes, milliseconds. */
  readonly value: number;
  /** How long answers took, in milliseconds. */
  readonly latency?: Latency;
  /** Processor time a second, while measuring, of the server and of the generator. 1 is one core. */
  readonly serverCores?: number;
  readonly generatorCores?: number;
}

/** Quantiles of waiting times, in milliseconds. */
export interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}
