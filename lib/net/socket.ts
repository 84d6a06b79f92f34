/**
 * The part of `Deno.Conn` that Parley uses, so that TCP and TLS look the same to the code above.
 *
 * @module
 */

/** A connected byte stream. */
export interface Socket {
  /** Reads at least one byte into `bytes`; `null` is the end of the stream. One read at a time. */
  read(bytes: Uint8Array): Promise<number | null>;
  /** Writes at least one byte of `bytes` and returns how many. One write at a time. */
  write(bytes: Uint8Array): Promise<number>;
  /** Sends the end of the stream; reading goes on. */
  closeWrite(): Promise<void>;
  /** Closes both directions; pending reads and writes fail. */
  close(): void;
  /** Closes without delivering what was written before. Only sockets whose `close` still delivers it have this. */
  abort?(): void;
}
