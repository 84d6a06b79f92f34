/**
 * Calls from the read loop into the program.
 *
 * @module
 */

/**
 * Calls `callback`. An error that it throws is reported as the program's own uncaught error, as from a timer. It must
 * not reach the read loop, which would take it for a failure of the connection.
 */
export function callSafely(callback: () => void): void {
  try {
    callback();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
