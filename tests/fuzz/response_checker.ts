/**
 * Checks what the server sends to one hostile connection: whatever the client sends, the responses must be valid frames
 * in a valid order, and must not carry the control client's traffic.
 *
 * @module
 */

import type { ErrorPayload, Opened, Welcome } from "../../lib/wire/control.ts";
import { HEADER_BYTES } from "../../lib/limits.ts";
import { readHeader, Type, u32 } from "../../lib/wire/header.ts";
import { typeName } from "../../lib/wire/type_name.ts";
import { type FrameHandler, Scanner } from "../../lib/wire/scanner.ts";

/** The largest payload the server generates itself, which is a list of members. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** Scans the bytes of one connection and records the first violation. */
export class ResponseChecker implements FrameHandler {
  /** From the WELCOME; 0 before. */
  number = 0;
  /** Channel numbers by the id of their OPEN. */
  readonly opened = new Map<number, number>();
  /** The codes of all received ERRORs. */
  readonly codes: string[] = [];
  /** The first violation. */
  problem: string | undefined;
  /** Whether a fatal ERROR was received. */
  isOver = false;
  readonly #forbidden: ReadonlySet<number>;
  readonly #scanner = new Scanner("client", MAX_ANSWER_BYTES);
  #rest = new Uint8Array(0);

  /** @param forbidden session numbers whose frames must not be received */
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
    if (this.#scanner.violation !== undefined) {
      this.#addProblem(`the server sent an invalid frame: ${this.#scanner.violation.message}`);
    }
  }

  run(bytes: Uint8Array, from: number, to: number): number {
    for (let at = from; at < to;) {
      const sender = u32(bytes, at + 12);
      if (this.#forbidden.has(sender)) {
        this.#addProblem(`the server leaked a message of the control client (session ${sender})`);
      }
      at += HEADER_BYTES + u32(bytes, at + 4);
    }
    if (this.isOver) this.#addProblem("the server sent messages after a fatal ERROR");
    return to;
  }

  skip(): boolean {
    return true;
  }

  frame(bytes: Uint8Array, from: number, to: number): boolean {
    const { type, id, sender, channel } = readHeader(bytes, from);
    if (this.isOver) this.#addProblem(`the server sent ${typeName(type)} after a fatal ERROR`);
    if (this.#forbidden.has(sender)) {
      this.#addProblem(`the server leaked ${typeName(type)} of the control client (session ${sender})`);
    }
    const json = <T>() => JSON.parse(new TextDecoder().decode(bytes.subarray(from + HEADER_BYTES, to))) as T;
    if (type === Type.WELCOME) {
      this.number = json<Welcome>().number;
      this.#scanner.greeted();
    } else if (type === Type.OPENED) {
      if (json<Opened>().number !== channel) this.#addProblem("an OPENED's payload and header differ");
      this.opened.set(id, channel);
    } else if (type === Type.ERROR) {
      const { code, message, fatal } = json<ErrorPayload>();
      this.codes.push(code);
      this.isOver = fatal;
      if (code === "internal") this.#addProblem(`the server failed: ${message}`);
    }
    return true;
  }

  #addProblem(problem: string): void {
    this.problem ??= problem;
  }
}
