/**
 * Standard output. A line is written at once; lines that come faster than they can be written share one write.
 *
 * @module
 */

import { concat } from "@std/bytes";

/** The reader of our output has closed it, as `head -1` does. This ends the command, but is not a failure. */
export class OutputClosed extends Error {}

/** A destination for bytes, such as `Deno.stdout`. */
export interface ByteWriter {
  /** Writes some of `bytes`; resolves to how many. */
  write(bytes: Uint8Array): Promise<number>;
}

/** Characters and bytes that may be pending before callers must wait: enough to fill a write, at little cost of memory. */
const MAX_PENDING_LENGTH = 65_536;

/**
 * Writes text in order, without blocking the event loop: while a pager stalls the output, the connection stays alive.
 * Callers that await `line` apply back-pressure to the connection.
 */
export class Output {
  /** Rejects as soon as writing fails, with the reason. */
  readonly broken: Promise<never>;

  readonly #writer: ByteWriter;
  readonly #encoder = new TextEncoder();
  readonly #fail: (error: unknown) => void;
  #pending: (string | Uint8Array)[] = [];
  #pendingLength = 0;
  #writing: Promise<void> | undefined;
  #failure: unknown;

  /** Writes to `writer`. */
  constructor(writer: ByteWriter) {
    this.#writer = writer;
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {}); // callers may ignore it
    this.broken = promise;
    this.#fail = reject;
  }

  /** Writes `line` and a newline; otherwise as {@linkcode text}. */
  line(line: string): Promise<void> | undefined {
    return this.text(`${line}\n`);
  }

  /** Writes a line, or bytes as they are; otherwise as {@linkcode text}. */
  write(formatted: string | Uint8Array): Promise<void> | undefined {
    return typeof formatted === "string" ? this.line(formatted) : this.#add(formatted);
  }

  /**
   * Writes `text` after everything before it. If it returns a promise, too much is pending: await it.
   *
   * @throws {OutputClosed} (as a rejection) if the other end of the pipe is closed
   */
  text(text: string): Promise<void> | undefined {
    return this.#add(text);
  }

  #add(piece: string | Uint8Array): Promise<void> | undefined {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#pending.push(piece);
    this.#pendingLength += piece.length;
    this.#writing ??= this.#writeAll();
    return this.#pendingLength < MAX_PENDING_LENGTH ? undefined : this.flush();
  }

  /** Resolves when everything is written; rejects if writing failed. */
  async flush(): Promise<void> {
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Never rejects: `broken` and the next call do. */
  async #writeAll(): Promise<void> {
    await undefined; // text added in the same turn of the event loop goes into the same write
    try {
      while (this.#pending.length > 0) {
        const bytes = this.#encoded(this.#pending);
        this.#pending = [];
        this.#pendingLength = 0;
        await this.#write(bytes);
      }
    } catch (error) {
      this.#failure = error;
      this.#fail(error);
    } finally {
      this.#writing = undefined;
    }
  }

  #encoded(pieces: readonly (string | Uint8Array)[]): Uint8Array {
    if (pieces.every((piece) => typeof piece === "string")) return this.#encoder.encode(pieces.join(""));
    return concat(pieces.map((piece) => typeof piece === "string" ? this.#encoder.encode(piece) : piece));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) at += await this.#writer.write(bytes.subarray(at));
    } catch (error) {
      throw error instanceof Deno.errors.BrokenPipe ? new OutputClosed() : error;
    }
  }
}

/** Writes a line to stderr, synchronously. Failures are ignored: there is no other place to report them. */
export function printError(line: string): void {
  try {
    let bytes: Uint8Array = new TextEncoder().encode(`${line}\n`);
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stderr.writeSync(bytes));
  } catch {
    // stderr is closed.
  }
}
