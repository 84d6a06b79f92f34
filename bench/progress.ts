/**
 * The progress of the benchmark: a bar on a terminal, nothing without one.
 *
 * @module
 */

const BAR_WIDTH = 24;

/** Counts steps and shows them. */
export class Progress {
  readonly #total: number;
  readonly #write: ((text: string) => void) | undefined;
  readonly #started = performance.now();
  #done = -1;

  /** @param write writes to the terminal; `undefined` without one, notes then go to stderr as lines */
  constructor(total: number, write: ((text: string) => void) | undefined) {
    this.#total = total;
    this.#write = write;
  }

  /** The next step begins; the previous one is done. */
  step(what: string): void {
    this.#done++;
    const full = Math.round(BAR_WIDTH * this.#done / this.#total);
    const bar = "█".repeat(full) + "░".repeat(BAR_WIDTH - full);
    this.#write?.(`\r\x1b[K${bar} ${this.#done}/${this.#total}${this.#left()}  ${what}`);
  }

  /** Prints a line that stays. */
  note(what: string): void {
    if (this.#write === undefined) console.error(what);
    else this.#write(`\r\x1b[K${what}\n`);
  }

  /** All steps are done; removes the bar. */
  end(): void {
    this.#write?.("\r\x1b[K");
  }

  #left(): string {
    if (this.#done < 1) return "";
    const seconds = (performance.now() - this.#started) / 1000 / this.#done * (this.#total - this.#done);
    const minutes = Math.floor(seconds / 60);
    return minutes > 0 ? `, ${minutes} min left` : `, ${Math.ceil(seconds)} s left`;
  }
}
