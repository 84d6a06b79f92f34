/**
 * What the benchmark knows of a server: how to start it, and the bytes of its protocol.
 *
 * The load generator does not interpret any protocol: it sends prepared bytes and counts the bytes that come back. So
 * it costs the same for every server.
 *
 * @module
 */

import type { Kind } from "../workloads.ts";
import type { StoredClient } from "./stored/client.ts";

/** The paths of the PEM files for the TLS workloads of one run; the generator trusts `ca`. */
export interface TlsFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Where a server takes WebSockets. */
export interface WebSocketEndpoint {
  readonly path: string;
  readonly protocol?: string;
}

/** How clients reach a server. `web-socket` and `http` are on a port of their own. */
export type Entrance = "tcp" | "web-socket" | "http";

/** Where and how to start a server. */
export interface StartOptions {
  /** A free port of 127.0.0.1, for the entrance. */
  readonly port: number;
  readonly entrance: Entrance;
  /** A directory of its own, removed afterwards. */
  readonly dir: string;
  readonly tls?: TlsFiles;
  /** Whether the channels of the workload are to be stored on disk. */
  readonly isStored?: boolean;
}

/** A server that the benchmark can start and measure. */
export interface Broker {
  /** Its name in arguments and in JSON: `nats`. */
  readonly name: string;
  /** Its name in tables: `NATS`. */
  readonly title: string;
  /** The kinds of workload that it supports. */
  readonly supports: readonly Kind[];
  /** Its version, or `undefined` if it is not installed. */
  version(): Promise<string | undefined>;
  /** If it stores messages: what has happened to one when its receipt comes. */
  readonly durability?: string;
  /** The most messages without a receipt that are of use to it, if it stores them one by one. */
  readonly maxPipelined?: number;
  /**
   * The command line that starts it, with minimal logging. Without persistence, unless that is what it is there for. May
   * write files to `options.dir`.
   */
  command(options: StartOptions): Promise<string[]>;
  /** Where it takes WebSockets, if it does. */
  readonly webSocket?: WebSocketEndpoint;
  /** The state of one client connection. */
  newClient(): ProtocolClient;
  /** The state of one connection that publishes by HTTP. */
  newHttpClient?(port: number): ProtocolClient;
  /** The state of one connection that stores messages, or reads what is stored. */
  newStoredClient?(): StoredClient;
}

/** Bytes to send, and a check whether the answer is complete. */
export interface Command {
  readonly send: Uint8Array;
  /** Whether `answer`, all bytes received so far, is complete. Throws if the server refused. */
  isAnswered(answer: Uint8Array): boolean;
}

/** A request with one answer, sent repeatedly on one connection. */
export interface Exchange {
  readonly request: Uint8Array;
  /** The length of the answer. */
  readonly replyBytes: number;
  /** Writes id or reply address number `count` into `request`, if clients of the protocol use a new one each time. */
  renew?(count: number): void;
}

/** Answers requests, all of the same length. */
export interface Responder {
  readonly requestBytes: number;
  /** Writes the answer to the request at `from[at]` to `to[toAt]`, and returns its length. */
  answer(from: Uint8Array, at: number, to: Uint8Array, toAt: number): number;
}

/** The bytes of one client connection. A method is missing if the server does not support the workload. */
export interface ProtocolClient {
  /** The handshake, sent as soon as the connection is open. */
  hello(): Command;
  /** Whether the TLS handshake follows a first line in plain text, which the server sends. */
  readonly tlsAfterLine?: boolean;
  /** Prepares to publish on `channel`, or subscribes to it; `undefined` if nothing needs to be sent. */
  open(channel: string, subscribe: boolean): Command | undefined;
  /** One message as it is published; `channel` is open. */
  message(channel: string, payload: Uint8Array): Uint8Array;
  /** The same message as subscribers receive it. */
  delivery(channel: string, payload: Uint8Array): Uint8Array;
  /** Prepares for echoes by the server itself. */
  openEcho?(): Command | undefined;
  echo?(payload: Uint8Array): Exchange;
  /** Prepares to send requests on `channel`. */
  openRequester?(channel: string): Command | undefined;
  request?(channel: string, payload: Uint8Array): Exchange;
  /** Prepares to answer the requests on `channel`. */
  openResponder?(channel: string): Command | undefined;
  respond?(channel: string, payload: Uint8Array): Responder;
  /** The length of an unsolicited packet at `bytes[at]`, such as a heartbeat, or 0 if there is none. */
  unsolicitedAt?(bytes: Uint8Array, at: number): number;
}

/** The name of channel `index`. All names have the same length, so all messages of a workload do. */
export function channelName(index: number): string {
  return `bench.${String(index).padStart(2, "0")}`;
}

/** ASCII text as bytes. */
export function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The first `end` bytes as text, to check answers of text protocols. */
export function text(bytes: Uint8Array, end: number = bytes.length): string {
  return new TextDecoder().decode(bytes.subarray(0, end));
}

/** Concatenates `parts`. */
export function joined(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The output of `command`, or `undefined` if there is no such program. */
export async function output(command: string, ...args: string[]): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
    return text(stdout) + text(stderr);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
