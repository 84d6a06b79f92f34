/**
 * The accept loop: hands on every connection, and survives running out of descriptors.
 *
 * @module
 */

import { ACCEPT_BACKOFF_MS, MAX_ACCEPT_BACKOFF_MS } from "../limits.ts";
import type { Socket } from "./socket.ts";

/** An accepted connection and where it comes from. */
export interface Accepted {
  readonly socket: Socket;
  /** The peer's IP address. */
  readonly address: string;
  /** The peer's port. */
  readonly port: number;
  /** How long ago it connected, in milliseconds, where that was not just now. */
  readonly agoMs?: number;
}

/** What a listener tells its owner. */
export interface ListenerEvents {
  /** Somebody connected. */
  accepted(connection: Accepted): void;
  /** Accepting failed, as it does without descriptors; it is tried again after `waitMs` milliseconds. */
  acceptFailed(error: unknown, waitMs: number): void;
}

/** Accepts connections on one address until closed. */
export class Listener {
  /** The address really listened on; its port is the one taken where 0 was asked for. */
  readonly address: Deno.NetAddr;
  /** Settles when the accept loop has ended. */
  readonly closed: Promise<void>;

  readonly #listener: Deno.TcpListener;
  readonly #events: ListenerEvents;
  #open = true;
  #wake: (() => void) | undefined;

  /**
   * @throws {Deno.errors.AddrInUse} and what else `Deno.listen` throws
   */
  constructor(hostname: string, port: number, events: ListenerEvents) {
    this.#listener = Deno.listen({ hostname, port });
    this.address = this.#listener.addr as Deno.NetAddr;
    this.#events = events;
    this.closed = this.#accept();
  }

  /** Stops accepting; connections already handed on are not touched. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#listener.close();
    this.#wake?.();
  }

  async #accept(): Promise<void> {
    let waitMs = ACCEPT_BACKOFF_MS;
    while (this.#open) {
      try {
        const connection = await this.#listener.accept();
        waitMs = ACCEPT_BACKOFF_MS;
        if (this.#open) this.#handOn(connection);
        else connection.close(); // it came just before: nobody would ever close it
      } catch (error) {
        if (!this.#open) return;
        if (isPeerGone(error)) continue;
        this.#events.acceptFailed(error, waitMs);
        await this.#pause(waitMs);
        waitMs = Math.min(waitMs * 2, MAX_ACCEPT_BACKOFF_MS);
      }
    }
  }

  #handOn(connection: Deno.TcpConn): void {
    try {
      // Frames are gathered into one write by the outbox already; waiting for more would only add latency.
      connection.setNoDelay(true);
    } catch (error) {
      connection.close();
      throw error;
    }
    const { hostname, port } = connection.remoteAddr;
    this.#events.accepted({ socket: connection, address: hostname, port });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Whether `error` says that who connected was gone again before it could be accepted: its affair alone. */
function isPeerGone(error: unknown): boolean {
  return error instanceof Deno.errors.NotConnected || error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.ConnectionAborted;
}
