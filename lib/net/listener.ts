/**
 * The accept loop: passes on every connection, and survives running out of file descriptors.
 *
 * @module
 */

import { ACCEPT_BACKOFF_MS, MAX_ACCEPT_BACKOFF_MS } from "../limits.ts";
import type { Socket } from "./socket.ts";

/** What a client connects over: `http` is a request that the web server makes a session for. */
export type TransportName = "tcp" | "tls" | "websocket" | "http";

/** An accepted connection and the address of its peer. */
export interface Accepted {
  readonly socket: Socket;
  /** The peer's IP address. */
  readonly address: string;
  /** The peer's port. */
  readonly port: number;
  /** How long ago it connected, in milliseconds that this process has had; 0 unless given. */
  readonly agoMs?: number;
  /** What it came over; `tcp` unless given. */
  readonly transport?: TransportName;
}

/** What a listener reports to its owner. */
export interface ListenerEvents {
  /** A client connected. */
  accepted(connection: Accepted): void;
  /** Accepting failed, most likely for lack of file descriptors. It is retried after `waitMs` milliseconds. */
  acceptFailed(error: unknown, waitMs: number): void;
}

/** Accepts connections on one address until it is closed. */
export class Listener {
  /** The address listened on, with the port that the system chose if 0 was requested. */
  readonly address: Deno.NetAddr;
  /** Settles when the accept loop has ended. */
  readonly closed: Promise<void>;

  readonly #listener: Deno.TcpListener;
  readonly #events: ListenerEvents;
  #open = true;
  #wake: (() => void) | undefined;

  /**
   * @param port the TCP port; 0 lets the system choose one
   * @throws {Deno.errors.AddrInUse} and the other errors of `Deno.listen`
   */
  constructor(hostname: string, port: number, events: ListenerEvents) {
    this.#listener = Deno.listen({ hostname, port });
    this.address = this.#listener.addr as Deno.NetAddr;
    this.#events = events;
    this.closed = this.#accept();
  }

  /** Stops accepting. Connections that were passed on stay open. */
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
        if (this.#open) this.#passOn(connection);
        else connection.close(); // accepted just before the listener closed
      } catch (error) {
        if (!this.#open) return;
        if (isPeerGone(error)) continue;
        this.#events.acceptFailed(error, waitMs);
        await this.#pause(waitMs);
        waitMs = Math.min(waitMs * 2, MAX_ACCEPT_BACKOFF_MS);
      }
    }
  }

  #passOn(connection: Deno.TcpConn): void {
    try {
      // The outbox already combines frames into one write; Nagle's algorithm would only add latency.
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

/** Whether the client closed the connection before it was accepted, which is no failure of the listener. */
function isPeerGone(error: unknown): boolean {
  return error instanceof Deno.errors.NotConnected || error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.ConnectionAborted;
}
