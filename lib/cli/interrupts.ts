/**
 * SIGINT, SIGTERM and the end of the terminal: the first asks the command to end, a later one ends the process at once.
 *
 * @module
 */

/** The signals that end a command, with their numbers. */
const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

/**
 * A second signal is meant as "at once" only if it comes so much later, in milliseconds. Programs between the terminal
 * and this one, such as npx, pass Ctrl-C on, so that it arrives twice.
 */
const REPEAT_MS = 1_000;

/** Counts signals that ask a program to end. */
export class EndRequests {
  #firstAtMs: number | undefined;

  /** Takes a signal at `nowMs` of a clock that only goes forward: is it the first, a copy of it, or an order to hurry? */
  take(nowMs: number): "first" | "copy" | "hurry" {
    if (this.#firstAtMs === undefined) {
      this.#firstAtMs = nowMs;
      return "first";
    }
    return nowMs - this.#firstAtMs < REPEAT_MS ? "copy" : "hurry";
  }
}

/**
 * The terminal that this process was started at, if it was. A process under nohup or of a service manager has none: none
 * of its standard streams is a terminal.
 */
export class Terminal {
  /** Whether there was one at the start. */
  readonly wasThere: boolean = [Deno.stdin, Deno.stdout, Deno.stderr].some((stream) => stream.isTerminal()) &&
    canOpenTerminal();

  /** Whether it has been closed since. */
  get isGone(): boolean {
    return this.wasThere && !canOpenTerminal();
  }
}

function canOpenTerminal(): boolean {
  try {
    Deno.openSync("/dev/tty").close();
    return true;
  } catch {
    return false;
  }
}

/** Listens to the signals from construction until disposal. */
export class Interrupts implements Disposable {
  /** Resolves with the first signal. */
  readonly happened: Promise<void>;

  readonly #listeners = new Map<keyof typeof SIGNALS, () => void>();
  readonly #requests = new EndRequests();
  #first: keyof typeof SIGNALS | undefined;

  /** Starts listening. */
  constructor() {
    let resolve!: () => void;
    this.happened = new Promise<void>((done) => resolve = done);
    for (const signal of signalsToTake()) {
      const listener = () => {
        if (this.#requests.take(performance.now()) === "hurry") Deno.exit(128 + SIGNALS[signal]);
        this.#first ??= signal;
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

/** SIGHUP only from a terminal: a listener would undo what nohup does. */
function signalsToTake(): (keyof typeof SIGNALS)[] {
  if (Deno.build.os === "windows") return ["SIGINT"];
  return new Terminal().wasThere ? ["SIGINT", "SIGTERM", "SIGHUP"] : ["SIGINT", "SIGTERM"];
}
