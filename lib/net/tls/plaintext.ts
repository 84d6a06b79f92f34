/**
 * Decrypted bytes on their way to the `read` that waits for them.
 *
 * @module
 */

import { free } from "./node_buffers.ts";

/** Decrypted bytes, of which `[at, end)` have not been read. */
interface Rest {
  readonly bytes: Uint8Array;
  at: number;
}

/** A `read` that waits. */
interface Reader {
  readonly bytes: Uint8Array;
  readonly settle: PromiseWithResolvers<number | null>;
  /** How much of `bytes` is filled. */
  count: number;
}

/** The plaintext of one connection; see the module's comment. */
export class Plaintext {
  /** What the last read had no room for; at most one read from TCP and one TLS record. */
  readonly #rest: Rest[] = [];
  #reader: Reader | undefined;

  /** How many bytes the waiting read has room for; 0 if none waits. */
  get wanted(): number {
    return this.#reader?.bytes.length ?? 0;
  }

  /** Moves decrypted bytes into `bytes`; returns how many, possibly 0. */
  take(bytes: Uint8Array): number {
    let count = 0;
    while (count < bytes.length && this.#rest.length > 0) {
      const first = this.#rest[0];
      const part = first.bytes.subarray(first.at, first.at + bytes.length - count);
      bytes.set(part, count);
      count += part.length;
      first.at += part.length;
      if (first.at < first.bytes.length) break;
      this.#rest.shift();
      free(first.bytes);
    }
    return count;
  }

  /** Waits for bytes to be delivered into `bytes`; one read at a time, and only if `take` returned 0. */
  wait(bytes: Uint8Array): Promise<number | null> {
    this.#reader = { bytes, settle: Promise.withResolvers(), count: 0 };
    return this.#reader.settle.promise;
  }

  /** Delivers decrypted bytes, which belong to this object from now on. The read that waits settles with `settle`. */
  deliver(plaintext: Uint8Array): void {
    const reader = this.#reader;
    let at = 0;
    if (reader !== undefined && this.#rest.length === 0) {
      at = Math.min(plaintext.length, reader.bytes.length - reader.count);
      reader.bytes.set(at === plaintext.length ? plaintext : plaintext.subarray(0, at), reader.count);
      reader.count += at;
    }
    if (at < plaintext.length) this.#rest.push({ bytes: plaintext, at });
    else free(plaintext);
  }

  /** Settles the read that waits, if bytes were delivered for it. */
  readonly settle = (): void => {
    const reader = this.#reader;
    if (reader === undefined || reader.count === 0) return;
    this.#reader = undefined;
    reader.settle.resolve(reader.count);
  };

  /** The peer has ended its direction: the read that waits settles with the bytes delivered, or with `null`. */
  end(): void {
    this.settle();
    this.#reader?.settle.resolve(null);
    this.#reader = undefined;
  }

  /** Makes the read that waits fail, unless bytes were delivered for it. */
  fail(error: unknown): void {
    this.settle();
    this.#reader?.settle.reject(error);
    this.#reader = undefined;
  }
}
