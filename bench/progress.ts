/**
 * How far the benchmark is: a bar on the terminal, and nothing where nobody looks at one.
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

  /** @param write shows text on a terminal; `undefined` where there is none, notes then go to stderr as lines */
  constructor(total: number, write: ((text: string) => void) | undefined) {
    this.#total = total;
    this.#write = write;
  }

  /** The next step begins; the one before is done. */
  step(what: string): void {
    this.#done++;
    const full = Math.round(BAR_WIDTH * this.#done / this.#total);
    const bar = "█".repeat(full) + "░".repeat(BAR_WIDTH - full);
    this.#write?.(`\r\x1b[K${bar} ${this.#done}/${this.#total}${this.#left()}  ${what}`);
  }

  /** Says something that stays. */
  note(what: string): void {
    if (this.#write === undefined) console.error(what);
    else this.#write(`\r\x1b[K${what}\n`);
  }

  /** All is done; the bar goes away. */
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
