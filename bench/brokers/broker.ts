/**
 * What the benchmark knows of a server: how to start it, and what to say to it, as bytes.
 *
 * The load generator does not speak any protocol: it sends bytes that were prepared here and counts the bytes that
 * come back. So it costs every server the same, whatever its protocol.
 *
 * @module
 */

import type { Kind } from "../workloads.ts";

/** The certificate and key of one run's TLS works, as PEM files; `ca` is what the generator trusts. */
export interface TlsFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Where a server is to start. */
export interface Place {
  /** A free port of 127.0.0.1. */
  readonly port: number;
  /** A directory of its own, thrown away afterwards. */
  readonly dir: string;
  readonly tls?: TlsFiles;
}

/** A server the benchmark can start and talk to. */
export interface Broker {
  /** What it is called in arguments and in JSON: `nats`. */
  readonly name: string;
  /** What it is called in tables: `NATS`. */
  readonly title: string;
  /** The kinds of work it can do at all. */
  readonly does: readonly Kind[];
  /** Its version, or `undefined` where it is not installed. */
  version(): Promise<string | undefined>;
  /** The command line that starts it, persistence off and as quiet as it can be. May write files to `place.dir`. */
  command(place: Place): Promise<string[]>;
  /** One connection's end of a conversation. */
  speak(): Speaker;
}

/** Something to send, and how to know that its answer is there. */
export interface Ask {
  readonly send: Uint8Array;
  /** Whether `answer`, all that came so far, is whole. Throws where it is a refusal. */
  isAnswered(answer: Uint8Array): boolean;
}

/** A question with one answer, asked over and over on one connection. */
export interface Exchange {
  readonly question: Uint8Array;
  /** How long the answer is. */
  readonly answerBytes: number;
  /** Gives the question the id or reply address of turn `turn`, where the protocol's clients use a new one each time. */
  renew?(turn: number): void;
}

/** The one who answers requests; all requests it gets are equally long. */
export interface Responder {
  readonly requestBytes: number;
  /** Writes the answer to the request at `from[at]` to `to[toAt]`, and returns its length. */
  answer(from: Uint8Array, at: number, to: Uint8Array, toAt: number): number;
}

/** One connection's end of a conversation; methods that are missing are works the server cannot do. */
export interface Speaker {
  /** Greets; sent as soon as the connection stands. */
  hello(): Ask;
  /** Where the TLS handshake follows a first line in plain text instead of standing at the start. */
  readonly tlsAfterLine?: boolean;
  /** Makes ready to publish on `channel`, or to receive it; `undefined` where there is nothing to say. */
  open(channel: string, subscribe: boolean): Ask | undefined;
  /** One message as it is published; `channel` is open. */
  message(channel: string, payload: Uint8Array): Uint8Array;
  /** The same message as subscribers receive it. */
  delivery(channel: string, payload: Uint8Array): Uint8Array;
  /** Makes ready to be echoed by the server itself. */
  openEcho?(): Ask | undefined;
  echo?(payload: Uint8Array): Exchange;
  /** Makes ready to ask on `channel`. */
  openRequester?(channel: string): Ask | undefined;
  request?(channel: string, payload: Uint8Array): Exchange;
  /** Makes ready to be the one who answers on `channel`. */
  openResponder?(channel: string): Ask | undefined;
  respond?(channel: string, payload: Uint8Array): Responder;
  /** How long what begins at `bytes[at]` is, if the server sent it of its own accord, such as a heartbeat; else 0. */
  strayAt?(bytes: Uint8Array, at: number): number;
}

/** The name of the channel `index`; all names are equally long, so that all messages of a work are. */
export function channelName(index: number): string {
  return `bench.${String(index).padStart(2, "0")}`;
}

/** ASCII text as bytes. */
export function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The first `end` bytes as text, for looking at answers of text protocols. */
export function text(bytes: Uint8Array, end: number = bytes.length): string {
  return new TextDecoder().decode(bytes.subarray(0, end));
}

/** All `parts` in one. */
export function joined(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** What `command` prints when run, or `undefined` where there is no such program. */
export async function output(command: string, ...args: string[]): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
    return text(stdout) + text(stderr);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
