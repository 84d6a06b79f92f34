/**
 * Carries out one attack.
 *
 * @module
 */

import { Type } from "../../lib/wire/header.ts";
import type { PendingCalls } from "./answers.ts";
import type { Attack } from "./attack.ts";
import { controlFrame } from "./frames.ts";

/** No attack lasts longer than this: who is held back by the server has waited for its grace time by then. */
const ATTACK_MS = 12_000;

/** How long a valid greeting or OPEN may stay unanswered. */
const ANSWER_MS = 10_000;

/** A connection that failed or was closed under us: what attacks are for. */
const ORDINARY = [
  Deno.errors.BrokenPipe,
  Deno.errors.ConnectionReset,
  Deno.errors.ConnectionAborted,
  Deno.errors.NotConnected,
  Deno.errors.Interrupted,
  Deno.errors.BadResource,
  Deno.errors.UnexpectedEof,
];

/** Opens a connection to the server. */
export type Dial = () => Promise<Deno.Conn>;

/** What became of an attack. */
export interface Outcome {
  /** Bytes sent. */
  readonly sent: number;
  readonly greeted: boolean;
  /** What the server did that it must not. */
  readonly problem?: string;
}

/**
 * Connects, greets if that is the plan, sends what the plan says and leaves as it says. `answers` hears all that comes,
 * or is left out where that is not for it to understand. Rejects only where the server cannot be reached.
 */
export async function carryOut(
  attack: Attack,
  dial: Dial,
  answers: PendingCalls | undefined,
): Promise<Outcome> {
  const line = new Line(await dial(), answers);
  const timer = setTimeout(() => line.close(), ATTACK_MS);
  let problem: string | undefined;
  let number = 0;
  try {
    if (attack.greets && answers !== undefined) {
      problem = await introduce(attack, line, answers);
      number = answers.number;
    }
    if (problem === undefined) {
      const reading = attack.reads ? line.readToEnd() : Promise.resolve();
      await line.send(attack.chunks({ number, channels: [...answers?.opened.values() ?? []] }));
      await leave(attack, line, reading);
    }
  } catch (error) {
    if (!isOrdinary(error)) problem = `attacking failed: ${error}`;
  } finally {
    clearTimeout(timer);
    await line.end();
  }
  return { sent: line.sent, greeted: number > 0, problem: problem ?? answers?.problem };
}

/** Greets and opens as one should; says what was not answered. */
async function introduce({ opens }: Attack, line: Line, answers: PendingCalls): Promise<string | undefined> {
  const voice = { number: 0, channels: [] };
  await line.send([{
    bytes: controlFrame(Type.HELLO, voice, { protocol: "parley/1", name: "fuzz" }),
    pauseMs: 0,
  }]);
  if (!await line.readUntil(() => answers.number > 0)) return `a HELLO got no WELCOME within ${ANSWER_MS} ms`;
  for (const [index, open] of opens.entries()) {
    const bytes = controlFrame(Type.OPEN, { ...voice, number: answers.number }, open, index + 1);
    await line.send([{ bytes, pauseMs: 0 }]);
    const isAnswered = () => answers.opened.has(index + 1) || answers.codes.length > 0;
    if (!await line.readUntil(isAnswered)) return `an OPEN got no answer within ${ANSWER_MS} ms`;
  }
  return undefined;
}

async function leave({ ending, waitMs }: Attack, line: Line, reading: Promise<void>): Promise<void> {
  if (ending === "half-close") {
    await line.closeWrite();
    await reading;
  } else if (ending === "wait") {
    await Promise.race([pause(waitMs), line.closed]);
  }
}

/** One connection, which may be closed from either end at any time. */
class Line {
  sent = 0;
  /** Resolves when this end is closed. */
  readonly closed: Promise<void>;
  readonly #conn: Deno.Conn;
  readonly #answers: PendingCalls | undefined;
  readonly #buffer = new Uint8Array(32 * 1024);
  #reading: Promise<unknown> = Promise.resolve();
  #close!: () => void;
  #isClosed = false;

  constructor(conn: Deno.Conn, answers: PendingCalls | undefined) {
    this.#conn = conn;
    this.#answers = answers;
    this.closed = new Promise((resolve) => this.#close = resolve);
  }

  async send(chunks: readonly { bytes: Uint8Array; pauseMs: number }[]): Promise<void> {
    for (const { bytes, pauseMs } of chunks) {
      for (let from = 0; from < bytes.length;) {
        const count = await this.#conn.write(bytes.subarray(from));
        from += count;
        this.sent += count;
      }
      if (pauseMs > 0) await pause(pauseMs);
    }
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  /** Reads until `isEnough`; whether it was before time or the stream ended. */
  async readUntil(isEnough: () => boolean): Promise<boolean> {
    const timer = setTimeout(() => this.close(), ANSWER_MS);
    try {
      while (!isEnough()) if (!await this.#readOnce()) return false;
      return true;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Reads whatever comes; never rejects. */
  readToEnd(): Promise<void> {
    const read = async () => {
      while (await this.#readOnce());
    };
    const reading = read().catch(() => {});
    this.#reading = reading;
    return reading;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#conn.close();
    this.#close();
  }

  /** Closes; resolves when nothing is left of it. */
  async end(): Promise<void> {
    this.close();
    await this.#reading;
  }

  async #readOnce(): Promise<boolean> {
    const count = await this.#conn.read(this.#buffer).catch((error) => {
      if (isOrdinary(error)) return null;
      throw error;
    });
    if (count !== null) this.#answers?.push(this.#buffer.subarray(0, count));
    return count !== null;
  }
}

function isOrdinary(error: unknown): boolean {
  return ORDINARY.some((ordinary) => error instanceof ordinary);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
