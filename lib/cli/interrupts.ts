/**
 * SIGINT and SIGTERM: the first asks the command to end, the second ends the process at once.
 *
 * @module
 */

/** The signals that end a command, with their numbers. */
const SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const;

/** Listens to the signals from construction until disposal. */
export class Interrupts implements Disposable {
  /** Resolves with the first signal. */
  readonly happened: Promise<void>;

  readonly #listeners = new Map<keyof typeof SIGNALS, () => void>();
  #first: keyof typeof SIGNALS | undefined;

  /** Starts listening. */
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

  /** The exit code that shells expect of a program ended by the signal, 128 + its number; undefined before a signal. */
  get exitCode(): number | undefined {
    return this.#first === undefined ? undefined : 128 + SIGNALS[this.#first];
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
  }
}
