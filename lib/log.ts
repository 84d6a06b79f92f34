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
