/**
 * Lets the runtime look after its sockets while there is more to do.
 *
 * @module
 */

import { setImmediate } from "node:timers";

const NOTHING = new Uint8Array(0);

/**
 * Makes calls in a later turn of the event loop, after the runtime has polled the sockets.
 *
 * It polls them when the loop has nothing to do. Turns of `setImmediate` follow each other without that, and sockets are
 * polled only once in some 60 of them. A timer waits for a millisecond or two. The shortest work of another thread makes
 * the loop wait for 50 µs; it is begun when the current turn is over, because otherwise it would end before that.
 */
export class SocketPoll {
  #pending = 0;
  #isClosed = false;
  readonly #closed = Promise.withResolvers<void>();

  /** Makes `call` once the sockets have been polled; never, if closed before. */
  readonly after = (call: () => void): void => {
    if (this.#isClosed) return;
    this.#pending++;
    setImmediate(() => void crypto.subtle.digest("SHA-256", NOTHING).then(call).finally(this.#settled));
  };

  /** Makes no new calls, and resolves once the last one is made: the work of another thread must not outlive a server. */
  close(): Promise<void> {
    this.#isClosed = true;
    if (this.#pending === 0) this.#closed.resolve();
    return this.#closed.promise;
  }

  readonly #settled = () => {
    if (--this.#pending === 0 && this.#isClosed) this.#closed.resolve();
  };
}
