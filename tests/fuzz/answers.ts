/**
 * What the server says to one hostile connection, held against the protocol: however badly one behaves, what comes
 * back must be frames, in order, and none of them somebody else's.
 *
 * @module
 */

import type { ErrorPayload, Opened, Welcome } from "../../lib/wire/control.ts";
import { HEADER_BYTES } from "../../lib/limits.ts";
import { readHeader, Type, typeName, u32 } from "../../lib/wire/header.ts";
import { type FrameHandler, Scanner } from "../../lib/wire/scanner.ts";

/** Lists of members are the largest thing a server says by itself. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** Takes the server's bytes as they come. */
export class PendingCalls implements FrameHandler {
  /** From the WELCOME; 0 before. */
  number = 0;
  /** By id of the OPEN, the number its OPENED gave. */
  readonly opened = new Map<number, number>();
  /** The codes of all ERRORs. */
  readonly codes: string[] = [];
  /** What a server must not do. */
  problem: string | undefined;
  /** Whether a fatal ERROR came. */
  isOver = false;
  readonly #forbidden: ReadonlySet<number>;
  readonly #scanner = new Scanner("client", MAX_ANSWER_BYTES);
  #rest = new Uint8Array(0);

  /** @param forbidden sessions whose messages must never come here */
  constructor(forbidden: ReadonlySet<number>) {
    this.#forbidden = forbidden;
  }

  /** Takes the next bytes. */
  push(chunk: Uint8Array): void {
    let bytes = chunk;
    if (this.#rest.length > 0) {
      bytes = new Uint8Array(this.#rest.length + chunk.length);
      bytes.set(this.#rest);
      bytes.set(chunk, this.#rest.length);
    }
    const taken = this.#scanner.scan(bytes, bytes.length, this);
    this.#rest = bytes.slice(taken);
    if (this.#scanner.stop !== undefined) this.#wrong(`it sent no frame: ${this.#scanner.stop.message}`);
  }

  run(bytes: Uint8Array, from: number, to: number): boolean {
    for (let at = from; at < to;) {
      const sender = u32(bytes, at + 12);
      if (this.#forbidden.has(sender)) {
        this.#wrong(`it passed on a message of the witness (session ${sender})`);
      }
      at += HEADER_BYTES + u32(bytes, at + 4);
    }
    if (this.isOver) this.#wrong("it sent messages after a fatal ERROR");
    return true;
  }

  frame(bytes: Uint8Array, from: number, to: number): boolean {
    const { type, id, sender, channel } = readHeader(bytes, from);
    if (this.isOver) this.#wrong(`it sent ${typeName(type)} after a fatal ERROR`);
    if (this.#forbidden.has(sender)) {
      this.#wrong(`it passed on ${typeName(type)} of the witness (session ${sender})`);
    }
    const json = <T>() => JSON.parse(new TextDecoder().decode(bytes.subarray(from + HEADER_BYTES, to))) as T;
    if (type === Type.WELCOME) {
      this.number = json<Welcome>().number;
      this.#scanner.greeted();
    } else if (type === Type.OPENED) {
      if (json<Opened>().number !== channel) this.#wrong("an OPENED's payload and header differ");
      this.opened.set(id, channel);
    } else if (type === Type.ERROR) {
      const { code, message, fatal } = json<ErrorPayload>();
      this.codes.push(code);
      this.isOver = fatal;
      if (code === "internal") this.#wrong(`it failed: ${message}`);
    }
    return true;
  }

  #wrong(problem: string): void {
    this.problem ??= problem;
  }
}
