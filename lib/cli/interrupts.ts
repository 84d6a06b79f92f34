/**
 * Ctrl-C and its like: the first asks to end, the second ends at once.
 *
 * @module
 */

/** What ends a command from outside, and the number the shell knows it by. */
const SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const;

/** Signals, from when they are listened to until disposal. */
export class Interrupts implements Disposable {
  /** Resolves with the first signal. */
  readonly happened: Promise<void>;

  readonly #listeners = new Map<keyof typeof SIGNALS, () => void>();
  #first: keyof typeof SIGNALS | undefined;

  /** Begins to listen. */
  constructor() {
    let resolve!: () => void;
    this.happened = new Promise<void>((done) => resolve = done);
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      if (signal === "SIGTERM" && Deno.build.os === "windows") continue;
      const listener = () => {
        if (this.#first !== undefined) Deno.exit(128 + SIGNALS[signal]);
        this.#first = signal;
        resolve();
      };
      this.#listeners.set(signal, listener);
      Deno.addSignalListener(signal, listener);
    }
  }

  /** The exit code of a program that a signal ended, as shells know it; nothing while none came. */
  get exitCode(): number | undefined {
    return this.#first === undefined ? undefined : 128 + SIGNALS[this.#first];
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
  }
}
