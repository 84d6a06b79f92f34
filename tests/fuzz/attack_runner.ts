/**
 * Executes one attack.
 *
 * @module
 */

import { Type } from "../../lib/wire/header.ts";
import type { ResponseChecker } from "./response_checker.ts";
import type { Attack } from "./attack.ts";
import { controlFrame } from "./frames.ts";

/** The longest time for one attack. The slow consumer timeout that may pause an attack has expired by then. */
const ATTACK_MS = 12_000;

/** How long the response to a valid HELLO or OPEN may take. */
const RESPONSE_MS = 10_000;

/** Errors of a connection that the server closed or reset, which attacks are expected to cause. */
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

/** The outcome of an attack. */
export interface Outcome {
  /** Bytes sent. */
  readonly sent: number;
  readonly established: boolean;
  /** The first protocol violation by the server. */
  readonly problem?: string;
}

/**
 * Connects and follows the plan. `responses` receives all bytes of the server; leave it out if the connection does not
 * carry Parley frames (plain bytes to a TLS port). Rejects only if the server cannot be reached.
 */
export async function runAttack(
  attack: Attack,
  dial: Dial,
  responses: ResponseChecker | undefined,
): Promise<Outcome> {
  const connection = new AttackConnection(await dial(), responses);
  const timer = setTimeout(() => connection.close(), ATTACK_MS);
  let problem: string | undefined;
  let number = 0;
  try {
    if (attack.handshakes && responses !== undefined) {
      problem = await handshake(attack, connection, responses);
      number = responses.number;
    }
    if (problem === undefined) {
      const reading = attack.reads ? connection.readToEnd() : Promise.resolve();
      await connection.send(attack.chunks({ number, channels: [...responses?.opened.values() ?? []] }));
      await leave(attack, connection, reading);
    }
  } catch (error) {
    if (!isOrdinary(error)) problem = `the attack failed: ${error}`;
  } finally {
    clearTimeout(timer);
    await connection.end();
  }
  problem ??= responses?.problem ?? unexpectedCode(attack, responses?.codes ?? []);
  return { sent: connection.sent, established: number > 0, problem };
}

/** A problem if the server sent ERRORs, and one of them is none that the attack expects. */
export function unexpectedCode(
  { expects }: Pick<Attack, "expects">,
  codes: readonly string[],
): string | undefined {
  const other = expects === undefined ? undefined : codes.find((code) => !expects.includes(code));
  return other === undefined ? undefined : `the server sent ${other}, expected ${expects!.join(" or ")}`;
}

/** Performs the handshake and the OPENs; returns a problem if one of them got no response. */
async function handshake(
  { opens }: Attack,
  connection: AttackConnection,
  responses: ResponseChecker,
): Promise<string | undefined> {
  const session = { number: 0, channels: [] };
  await connection.send([{
    bytes: controlFrame(Type.HELLO, session, { protocol: "parley/1", name: "fuzz" }),
    pauseMs: 0,
  }]);
  if (!await connection.readUntil(() => responses.number > 0)) {
    return `a HELLO got no WELCOME within ${RESPONSE_MS} ms`;
  }
  for (const [index, open] of opens.entries()) {
    const bytes = controlFrame(Type.OPEN, { ...session, number: responses.number }, open, index + 1);
    await connection.send([{ bytes, pauseMs: 0 }]);
    const hasResponse = () => responses.opened.has(index + 1) || responses.codes.length > 0;
    if (!await connection.readUntil(hasResponse)) return `an OPEN got no response within ${RESPONSE_MS} ms`;
  }
  return undefined;
}

async function leave(
  { ending, waitMs }: Attack,
  connection: AttackConnection,
  reading: Promise<void>,
): Promise<void> {
  if (ending === "half-close") {
    await connection.closeWrite();
    await reading;
  } else if (ending === "wait") {
    await Promise.race([pause(waitMs), connection.closed]);
  }
}

/** One connection, which either side may close at any time. */
class AttackConnection {
  sent = 0;
  /** Resolves when this side has closed. */
  readonly closed: Promise<void>;
  readonly #conn: Deno.Conn;
  readonly #responses: ResponseChecker | undefined;
  readonly #buffer = new Uint8Array(32 * 1024);
  #reading: Promise<unknown> = Promise.resolve();
  #close!: () => void;
  #isClosed = false;

  constructor(conn: Deno.Conn, responses: ResponseChecker | undefined) {
    this.#conn = conn;
    this.#responses = responses;
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

  /** Reads until `isEnough`; returns false if the stream or the time ends first. */
  async readUntil(isEnough: () => boolean): Promise<boolean> {
    const timer = setTimeout(() => this.close(), RESPONSE_MS);
    try {
      while (!isEnough()) if (!await this.#readOnce()) return false;
      return true;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Reads to the end of the stream; never rejects. */
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

  /** Closes; resolves when no read is pending. */
  async end(): Promise<void> {
    this.close();
    await this.#reading;
  }

  async #readOnce(): Promise<boolean> {
    const count = await this.#conn.read(this.#buffer).catch((error) => {
      if (isOrdinary(error)) return null;
      throw error;
    });
    if (count !== null) this.#responses?.push(this.#buffer.subarray(0, count));
    return count !== null;
  }
}

function isOrdinary(error: unknown): boolean {
  return ORDINARY.some((ordinary) => error instanceof ordinary);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
