/**
 * What the benchmark knows of a server that stores messages: the bytes that store them and read them again.
 *
 * Producers send prepared bytes, as in the workloads that store nothing. Receipts and deliveries must be looked at,
 * because a consumer has to answer and because some servers number them in decimal digits, so their length varies. What
 * looks at them walks the bytes once and allocates nothing.
 *
 * @module
 */

import type { Command } from "../broker.ts";

/** Messages that are sent with one write, again and again. */
export interface Burst {
  readonly bytes: Uint8Array;
  /** How many receipts answer it, once all of it is stored. */
  readonly receipts: number;
}

/** Counts the receipts in a stream of bytes that may be cut anywhere. */
export interface Receipts {
  /** The receipts that end in the first `length` bytes of `bytes`. Throws if the server refused a message. */
  count(bytes: Uint8Array, length: number): number;
}

/**
 * Reads what is stored. `setUp` is sent and answered, one command after the other, before the time runs; each command
 * is made when the one before it is answered.
 */
export interface Reader {
  setUp(): Iterable<Command>;
  /** Starts the delivery. Called once, after `setUp`. */
  start(): Uint8Array;
  /**
   * Takes `bytes[0, length)` and returns how many bytes it has used. The caller offers the rest again, with what follows.
   * Throws if the server refused.
   */
  receive(bytes: Uint8Array, length: number): number;
  /** Messages received so far. */
  readonly received: number;
  /** Acknowledgements or the next request, to be sent after `receive`: `answer[0, answerLength)`. */
  readonly answer: Uint8Array;
  /** The caller sets it to 0 when it has sent the answer. */
  answerLength: number;
}

/** One client of a server that stores messages. Commands are made one by one, as the earlier ones are answered. */
export interface StoredClient {
  /** On a connection of its own, before anything is published: makes the server store what is sent to `channels`. */
  prepare(channels: readonly string[]): Iterable<Command>;
  /** The handshake of a producer, and what it needs to publish on `channels`. */
  produce(channels: readonly string[]): Iterable<Command>;
  /**
   * `count` messages to the `channels` in turn. What identifies a message until its receipt has come differs between
   * bursts of different `number`.
   */
  burst(channels: readonly string[], payload: Uint8Array, count: number, number: number): Burst;
  receipts(): Receipts;
  /** Reads `channel` as a consumer that has at most `window` messages without an acknowledgement, and acknowledges all. */
  consume?(channel: string, payload: Uint8Array, window: number): Reader;
  /** Reads `channel` from its first message. */
  replay?(channel: string, payload: Uint8Array): Reader;
}
