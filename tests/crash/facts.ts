/**
 * What the processes of the crash test note while they run: one line for each fact, on disk before what follows from it
 * is sent, so that a process that is killed has said everything that others may hold it to.
 *
 * @module
 */

import { addReading, type History, type Reader, type Reading } from "./history.ts";

/** One fact. Every array begins with its kind. */
export type Fact =
  /** Messages are about to be sent: writer, attempt, first index, count. */
  | readonly ["sent", number, number, number, number]
  /** A receipt came: writer, attempt, index, sequence. */
  | readonly ["receipt", number, number, number, number]
  /** Messages were refused: writer, attempt, first index, count. */
  | readonly ["refused", number, number, number, number]
  /** OPENED of a producer: writer, attempt, how many are stored. */
  | readonly ["opened", number, number, number]
  /** A subscription begins, in the life of the server with this name. */
  | readonly ["reads", string]
  /** Messages came: sequence, writer, attempt, first index, count, whether POSITION said that it is again. */
  | readonly ["got", number, number, number, number, number, boolean]
  /** The messages from the first sequence to the last are about to be acknowledged. */
  | readonly ["settled", number, number];

/** Writes facts to a file. */
export class FactWriter {
  readonly #file: Deno.FsFile;
  readonly #encoder = new TextEncoder();

  constructor(path: string) {
    this.#file = Deno.openSync(path, { create: true, append: true });
  }

  /** Writes them; they are there whatever happens to this process from then on. */
  write(...facts: Fact[]): void {
    const bytes = this.#encoder.encode(facts.map((fact) => `${JSON.stringify(fact)}\n`).join(""));
    for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
  }
}

/** Reads a file of facts as it grows, into the history of its channel. */
export class FactReader {
  readonly #path: string;
  readonly #history: History;
  readonly #reader: Reader | undefined;
  readonly #lives: Map<string, number>;
  #reading: Reading | undefined;
  #file: Deno.FsFile | undefined;
  #rest = "";

  /**
   * @param reader what reads, if the process does
   * @param lives the numbers of the server's lives, by their names
   */
  constructor(path: string, history: History, reader: Reader | undefined, lives: Map<string, number>) {
    this.#path = path;
    this.#history = history;
    this.#reader = reader;
    this.#lives = lives;
  }

  /** The sequence after the last message that came. */
  next = 1;

  /** Reads what has been written since the last time. */
  read(): void {
    this.#file ??= open(this.#path);
    if (this.#file === undefined) return;
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(256 * 1024);
    for (let count; (count = this.#file.readSync(buffer)) !== null;) {
      const lines = (this.#rest + decoder.decode(buffer.subarray(0, count), { stream: true })).split("\n");
      this.#rest = lines.pop()!;
      for (const line of lines) this.#note(JSON.parse(line));
    }
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #note(fact: Fact): void {
    const history = this.#history;
    switch (fact[0]) {
      case "sent":
        return history.sent({ writer: fact[1], attempt: fact[2], index: fact[3], count: fact[4] });
      case "receipt":
        return history.receipt({ writer: fact[1], attempt: fact[2], index: fact[3], sequence: fact[4] });
      case "refused":
        return history.refused({ writer: fact[1], attempt: fact[2], index: fact[3], count: fact[4] });
      case "opened":
        return history.opened({ writer: fact[1], attempt: fact[2], stored: fact[3] });
      case "reads": {
        const life = this.#lives.get(fact[1]) ?? this.#lives.size;
        this.#lives.set(fact[1], life);
        this.#reading = addReading(this.#reader!, life);
        return;
      }
      case "got": {
        const [, sequence, writer, attempt, index, count, isAgain] = fact;
        this.#reading!.receive({ sequence, writer, attempt, index, count, isAgain });
        this.next = Math.max(this.next, sequence + count);
        return;
      }
      case "settled":
        this.#reader!.settled.add(fact[1], fact[2] + 1);
    }
  }
}

function open(path: string): Deno.FsFile | undefined {
  try {
    return Deno.openSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined; // the process has not begun yet
    throw error;
  }
}
