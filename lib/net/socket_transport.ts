/**
 * A socket as a client gets it: open, and nothing read or written yet.
 *
 * @module
 */

import type { Transport } from "./basic_connection.ts";
import { BufferPool } from "./buffers.ts";
import { Connection, type ConnectionLimits, type Receiver } from "./connection.ts";
import type { Socket } from "./socket.ts";

/** A socket on which a client makes its connection, which has buffers of its own. */
export class SocketTransport implements Transport {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  connect(receiver: Receiver, limits: ConnectionLimits): Connection {
    return new Connection(this.#socket, new BufferPool(), limits, () => receiver);
  }

  close(): void {
    this.#socket.close();
  }
}
