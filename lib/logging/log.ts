/**
 * What Parley logs with.
 *
 * @module
 */

/** One level of a log: a constant message, and what varies as properties. */
export type LogMethod = (message: string, properties?: Record<string, unknown>) => void;

/** A structured log. LogTape's loggers are such; so is whatever else you write these five methods for. */
export interface Log {
  /** A log that adds `properties` to each line. */
  with(properties: Record<string, unknown>): Log;
  /** For whoever looks for a fault. */
  debug: LogMethod;
  /** What happened. */
  info: LogMethod;
  /** What should not have, and is dealt with. */
  warn: LogMethod;
  /** What somebody has to look at. */
  error: LogMethod;
}

/**
 * What a log may be given of `error`: all of it; but where descriptors have run out, only what it says. An error's stack
 * is made when it is read, which opens a file, and where that cannot be opened Deno 2.9.6 panics: the server would end
 * because of what it logs.
 */
export function loggable(error: unknown): unknown {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (/\(os error 2[34]\)/.test(cause.message)) return error instanceof Error ? error.message : error;
  }
  return error;
}
