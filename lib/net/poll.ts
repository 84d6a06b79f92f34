/**
 * Lets the runtime look after its sockets while there is more to do.
 *
 * @module
 */

import { setImmediate } from "node:timers";

const NOTHING = new Uint8Array(0);

/**
 * Calls `call` in a later turn of the event loop, after the runtime has polled the sockets.
 *
 * It does so when the loop has nothing to do. Turns of `setImmediate` follow each other without that, and sockets are
 * polled only once in some 60 of them. A timer waits for a millisecond or two. The shortest work of another thread makes
 * the loop wait for 50 µs; it is begun when the current turn is over, because otherwise it would end before that.
 */
export function afterPoll(call: () => void): void {
  setImmediate(() => void crypto.subtle.digest("SHA-256", NOTHING).then(call));
}
