/**
 * Encrypted bytes on their way from `node:tls` to the TCP connection.
 *
 * @module
 */

import type { TLSSocket } from "node:tls";
import type { Socket } from "../socket.ts";
import { drainedFreer, free } from "./node_buffers.ts";

/** Writes to one TCP connection; see the module's comment. */
export class EncryptedOutput {
  readonly #tcp: Socket;
  readonly #written: () => void;
  readonly #failed: (error: unknown) => void;
  #freeDrained: ReturnType<typeof drainedFreer> = () => {};
  /** Never rejects. */
  #lastWrite: Promise<void> | undefined;

  /**
   * @param written is called after each write
   * @param failed is called with the error of TCP, before `node:tls` reports it with less detail
   */
  constructor(tcp: Socket, written: () => void, failed: (error: unknown) => void) {
    this.#tcp = tcp;
    this.#written = written;
    this.#failed = failed;
  }

  /** The bytes come from `tls`, which may then have its buffers freed; see `node_buffers.ts`. */
  comesFrom(tls: TLSSocket): void {
    this.#freeDrained = drainedFreer(tls);
  }

  /** Whether anything has been written, or tried. */
  get hasBegun(): boolean {
    return this.#lastWrite !== undefined;
  }

  /** Settles when no write is under way; never rejects. */
  get settled(): Promise<void> {
    return this.#lastWrite ?? Promise.resolve();
  }

  /** Writes `chunks`, which belong to this object from now on. To be called again only after `done`, as streams do. */
  write(chunks: readonly Uint8Array[], done: (error?: Error | null) => void): void {
    this.#freeDrained(chunks[chunks.length - 1]);
    this.#lastWrite = this.#writeAll(chunks, done);
  }

  async #writeAll(chunks: readonly Uint8Array[], done: (error?: Error | null) => void): Promise<void> {
    try {
      for (const chunk of chunks) {
        for (let at = 0; at < chunk.length;) {
          at += await this.#tcp.write(at === 0 ? chunk : chunk.subarray(at));
        }
        free(chunk);
      }
    } catch (error) {
      this.#failed(error);
      done(error as Error);
      return;
    }
    done();
    this.#written();
  }
}
