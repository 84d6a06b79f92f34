/**
 * Standard output. A line is written at once; lines that come faster than they can be written share one write.
 *
 * @module
 */

/** The reader of our output has closed it, as `head -1` does. This ends the command, but is not a failure. */
export class OutputClosed extends Error {}

/** A destination for bytes, such as `Deno.stdout`. */
export interface ByteWriter {
  /** Writes some of `bytes`; resolves to how many. */
  write(bytes: Uint8Array): Promise<number>;
}

/** Characters that may be pending before callers must wait: enough to fill a write, at little cost of memory. */
const MAX_PENDING_CHARACTERS = 65_536;

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
  #pending: string[] = [];
  #pendingCharacters = 0;
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

  /**
   * Writes `text` after everything before it. If it returns a promise, too much is pending: await it.
   *
   * @throws {OutputClosed} (as a rejection) if the other end of the pipe is closed
   */
  text(text: string): Promise<void> | undefined {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#pending.push(text);
    this.#pendingCharacters += text.length;
    this.#writing ??= this.#writeAll();
    return this.#pendingCharacters < MAX_PENDING_CHARACTERS ? undefined : this.flush();
  }

  /** Writes `bytes` unchanged, after everything before them. */
  async bytes(bytes: Uint8Array): Promise<void> {
    await this.flush();
    await this.#write(bytes);
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
        const bytes = this.#encoder.encode(this.#pending.join(""));
        this.#pending = [];
        this.#pendingCharacters = 0;
        await this.#write(bytes);
      }
    } catch (error) {
      this.#failure = error;
      this.#fail(error);
    } finally {
      this.#writing = undefined;
    }
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
