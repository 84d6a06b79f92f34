/**
 * What Parley needs of a socket: a part of `Deno.Conn`, so that TCP and TLS are the same to it.
 *
 * @module
 */

/** A connected byte stream. */
export interface Socket {
  /** Reads at least one byte into `bytes`; `null` is the end of the stream. Only one read at a time. */
  read(bytes: Uint8Array): Promise<number | null>;
  /** Writes some of `bytes`, at least one. Only one write at a time. */
  write(bytes: Uint8Array): Promise<number>;
  /** Sends the end of the stream, while reading goes on. */
  closeWrite(): Promise<void>;
  /** Ends both directions at once; pending reads and writes fail. */
  close(): void;
  /** Where `close` lets what was written before still go out: ends at once all the same, and that may be lost. */
  abort?(): void;
}
