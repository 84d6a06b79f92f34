/**
 * A bar that shows how far a measurement is, on one line of a terminal.
 *
 * @module
 */

import { CLEAR_LINE, formatBar } from "../../progress_line.ts";
import { formatCount } from "./report.ts";

const EVERY_MS = 100;

/** What is shown. */
export interface Progress {
  readonly title: string;
  /** 0 to 1. */
  readonly share: number;
  readonly perSecond: number;
}

/** Shows progress until it is disposed of, which erases the bar. */
export class ProgressBar implements AsyncDisposable {
  readonly #write: (text: string) => Promise<void>;
  readonly #timer: ReturnType<typeof setInterval>;

  /** Shows what `progress` returns, ten times a second. */
  constructor(write: (text: string) => Promise<void>, progress: () => Progress) {
    this.#write = write;
    this.#timer = setInterval(() => void this.#write(CLEAR_LINE + formatProgress(progress())), EVERY_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#write(CLEAR_LINE);
  }
}

/** The bar as text. */
export function formatProgress({ title, share, perSecond }: Progress): string {
  const rate = perSecond > 0 ? `${formatCount(perSecond)}/s` : "warming up";
  return `${title.padEnd(8)} ${formatBar(share)} ${rate}`;
}
