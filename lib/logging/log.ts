/**
 * The log interface of Parley, and the errors it may be given.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";

/** Logs at one level: a constant message; what varies goes into the properties. */
export type LogMethod = (message: string, properties?: Record<string, unknown>) => void;

/** A structured log. A LogTape logger is one; so is any object with these five methods. */
export interface Log {
  /** Returns a log that adds `properties` to each line. */
  with(properties: Record<string, unknown>): Log;
  /** Details for finding a fault. */
  debug: LogMethod;
  /** A normal event. */
  info: LogMethod;
  /** A problem that was handled. */
  warn: LogMethod;
  /** A problem that needs attention. */
  error: LogMethod;
}

/**
 * Returns `error`, or only its message if the process has run out of file descriptors. Reading an error's stack opens a
 * file, and Deno 2.9.6 panics if it cannot: logging the error would end the server.
 */
export function loggable(error: unknown): unknown {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (/\(os error 2[34]\)/.test(cause.message)) return error instanceof Error ? error.message : error;
  }
  return error;
}

/** An error for the log: an expected one without its stack. */
export function failure(error: unknown): Record<string, unknown> {
  return error instanceof ParleyError ? { reason: error.message } : { error: loggable(error) };
}
