/**
 * Lines on their way to a file, a pipe or a terminal that may be slow, full or gone: adding one never waits.
 *
 * @module
 */

/** Where lines go, such as `Deno.stderr`. */
export interface LineWriter {
  /** Writes some of `bytes`; resolves to how many. */
  write(bytes: Uint8Array): Promise<number>;
  /**
   * Prepares for the next `bytes` bytes, which are whole lines. Resolves to whether what is there already ends in the
   * middle of a line, or to undefined if that is as the last write left it. If it rejects, the lines are lost.
   */
  prepare?(bytes: number): Promise<boolean | undefined>;
}

/** The options of a {@linkcode LineQueue}. */
export interface LineQueueOptions {
  /** The line, with its newline, that reports lost lines. */
  readonly describeLoss: (lines: number) => string;
  /** Called if writing fails, and not again until it has succeeded. */
  readonly onFailure?: (error: unknown) => void;
  /** The most bytes in one write, unless a single line is longer; at most 64 KiB, which is also the default. */
  readonly maxWriteBytes?: number;
  /** Characters that may wait; 1 MiB by default. More are dropped: a log must cost neither time nor memory without end. */
  readonly maxPendingCharacters?: number;
}

/** Characters that may wait, by default. */
const MAX_PENDING_CHARACTERS = 1024 * 1024;

/** The most bytes in one write: little is lost if it fails halfway. */
const WRITE_BYTES = 64 * 1024;

const NEWLINE = 0x0a;

/**
 * Writes lines in order, in the background. If the writer does not keep up, lines are dropped and counted, and so are
 * those that could not be written; the count follows as a line of its own as soon as writing is possible again. A line
 * after one that was written in part begins on a new line.
 */
export class LineQueue {
  readonly #writer: LineWriter;
  readonly #options: LineQueueOptions;
  readonly #writeBytes: number;
  readonly #encoder = new TextEncoder();
  #pending: string[] = [];
  #pendingCharacters = 0;
  #lost = 0;
  #endsMidLine = false;
  #isFailing = false;
  #writing: Promise<void> | undefined;

  constructor(writer: LineWriter, options: LineQueueOptions) {
    this.#writer = writer;
    this.#options = options;
    this.#writeBytes = Math.min(options.maxWriteBytes ?? WRITE_BYTES, WRITE_BYTES);
  }

  /** Adds `line`, which ends with a newline. Never waits and never throws. */
  add(line: string): void {
    const { maxPendingCharacters = MAX_PENDING_CHARACTERS } = this.#options;
    if (this.#pendingCharacters + line.length > maxPendingCharacters) {
      this.#lost++;
      return;
    }
    this.#pending.push(line);
    this.#pendingCharacters += line.length;
    this.#writing ??= this.#writeAll();
  }

  /** Lets the writer prepare, also if there is nothing to write. Never rejects. */
  async prepare(): Promise<void> {
    await this.#writing;
    this.#writing ??= this.#writeAll(true);
    await this.#writing;
  }

  /** Resolves once everything is written or lost, or after `withinMs` milliseconds. Never rejects. */
  async flush(withinMs: number): Promise<void> {
    const written = (async () => {
      await this.#writing;
      if (this.#lost > 0) await (this.#writing ??= this.#writeAll(true));
    })();
    let timer: ReturnType<typeof setTimeout> | undefined;
    await Promise.race([written, new Promise((resolve) => timer = setTimeout(resolve, withinMs))]);
    clearTimeout(timer);
  }

  async #writeAll(isForced = false): Promise<void> {
    await undefined; // lines added in the same turn of the event loop share one write
    while (this.#pending.length > 0 || isForced) {
      isForced = false;
      const lines = this.#pending;
      const lost = this.#lost;
      this.#pending = [];
      this.#pendingCharacters = 0;
      this.#lost = 0;
      if (lost > 0) lines.push(this.#options.describeLoss(lost)); // after those that were added before the loss
      const unwritten = await this.#writeLines(lines.map((line) => this.#encoder.encode(line)));
      // The last one is the report of a loss: not a line more, but all that it reports.
      if (unwritten > 0) this.#lost += lost > 0 ? unwritten - 1 + lost : unwritten;
    }
    this.#writing = undefined;
  }

  /** Writes `lines` in groups; resolves to how many of them are lost. */
  async #writeLines(lines: readonly Uint8Array[]): Promise<number> {
    let done = 0;
    try {
      do {
        let [end, bytes] = [done, 0];
        while (end < lines.length && (end === done || bytes + lines[end].length <= this.#writeBytes)) {
          bytes += lines[end++].length;
        }
        const group = lines.slice(done, end);
        done += await this.#writeGroup(group, bytes);
      } while (done < lines.length);
      this.#isFailing = false;
      return 0;
    } catch (error) {
      if (error instanceof Interrupted) done += error.lines;
      if (!this.#isFailing) this.#options.onFailure?.(error instanceof Interrupted ? error.cause : error);
      this.#isFailing = true;
      return lines.length - done;
    }
  }

  /** Writes whole lines; resolves to their number. */
  async #writeGroup(lines: readonly Uint8Array[], length: number): Promise<number> {
    this.#endsMidLine = await this.#writer.prepare?.(length) ?? this.#endsMidLine;
    if (length === 0) return 0;
    const prefix = this.#endsMidLine ? 1 : 0;
    const bytes = new Uint8Array(prefix + length).fill(NEWLINE, 0, prefix);
    let at = prefix;
    for (const line of lines) {
      bytes.set(line, at);
      at += line.length;
    }
    let written = 0;
    try {
      while (written < bytes.length) written += await this.#writer.write(bytes.subarray(written));
    } catch (error) {
      let [whole, rest] = [0, written - prefix];
      for (; whole < lines.length && rest >= lines[whole].length; whole++) rest -= lines[whole].length;
      throw new Interrupted(whole, error);
    } finally {
      if (written > 0) this.#endsMidLine = bytes[written - 1] !== NEWLINE;
    }
    return lines.length;
  }
}

/** Writing failed after some whole lines. */
class Interrupted extends Error {
  constructor(readonly lines: number, cause: unknown) {
    super("", { cause });
  }
}
