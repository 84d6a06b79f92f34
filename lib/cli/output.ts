/**
 * Standard output: each line at once, many in one write where they come faster than they can be written.
 *
 * @module
 */

/** Whoever read our output has stopped, as `head -1` does; no failure, but the end. */
export class NobodyReads extends Error {}

/** Something that takes bytes, such as `Deno.stdout`. */
export interface FrameHandler {
  /** Takes some of `bytes`; resolves to how many. */
  write(bytes: Uint8Array): Promise<number>;
}

/** What may wait before `line` asks its caller to, in characters: enough to fill a write, little enough to forget. */
const WAITING_CHARACTERS = 65_536;

/**
 * Writes text in order. It does not block: while a pager holds the output up, the connection is still looked after,
 * and whoever awaits `line` passes the pressure on.
 */
export class Output {
  /** Rejects with what made writing fail, as soon as it did. */
  readonly broken: Promise<never>;

  readonly #handler: FrameHandler;
  readonly #encoder = new TextEncoder();
  readonly #fail: (error: unknown) => void;
  #waiting: string[] = [];
  #waitingCharacters = 0;
  #writing: Promise<void> | undefined;
  #failure: unknown;

  /** Output to `sink`. */
  constructor(handler: FrameHandler) {
    this.#handler = handler;
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {}); // nobody has to ask
    this.broken = promise;
    this.#fail = reject;
  }

  /** Writes `text` and a newline; otherwise as `text`. */
  line(text: string): Promise<void> | undefined {
    return this.text(`${text}\n`);
  }

  /**
   * Writes `text`, as soon as what was before it is written. Where a promise comes back, much is waiting: await it.
   *
   * @throws {NobodyReads} (as a rejection) where the other end of the pipe is closed
   */
  text(text: string): Promise<void> | undefined {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#waiting.push(text);
    this.#waitingCharacters += text.length;
    this.#writing ??= this.#writeAll();
    return this.#waitingCharacters < WAITING_CHARACTERS ? undefined : this.flush();
  }

  /** Writes `bytes` as they are, after everything before. */
  async bytes(bytes: Uint8Array): Promise<void> {
    await this.flush();
    await this.#write(bytes);
  }

  /** Resolves when everything is written. */
  async flush(): Promise<void> {
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Never rejects: that is told by `broken`, and by the next call. */
  async #writeAll(): Promise<void> {
    await undefined; // what else comes in this turn goes into the same write
    try {
      while (this.#waiting.length > 0) {
        const bytes = this.#encoder.encode(this.#waiting.join(""));
        this.#waiting = [];
        this.#waitingCharacters = 0;
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
      for (let at = 0; at < bytes.length;) at += await this.#handler.write(bytes.subarray(at));
    } catch (error) {
      throw error instanceof Deno.errors.BrokenPipe ? new NobodyReads() : error;
    }
  }
}

/** Writes a line to stderr, now. If nobody reads it any more there is nobody to tell. */
export function printError(line: string): void {
  try {
    let bytes: Uint8Array = new TextEncoder().encode(`${line}\n`);
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stderr.writeSync(bytes));
  } catch {
    // See above.
  }
}
