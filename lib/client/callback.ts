/**
 * Calling back into a program from the middle of a chunk.
 *
 * @module
 */

/**
 * Calls `callback`. What it throws is the program's own uncaught error, as from a timer; it must not pass for a fault
 * of the connection, whose bytes are being read around the call.
 */
export function callSafely(callback: () => void): void {
  try {
    callback();
  } catch (error) {
    reportError(error);
  }
}
