/**
 * The connections of one server, however they were accepted, and the sessions on them.
 *
 * @module
 */

import type { SessionContext } from "../broker/context.ts";
import { Session } from "../broker/session.ts";
import { MAX_REJECTED_CONNECTIONS } from "../limits.ts";
import type { BufferPool } from "../net/buffers.ts";
import { Connection } from "../net/connection.ts";
import { ConnectionLimiter } from "../net/connection_limiter.ts";
import type { Accepted } from "../net/listener.ts";
import { PendingTotal } from "../net/pending_total.ts";
import type { ReadScheduler } from "../net/read_scheduler.ts";
import { isLocalPeer } from "./options.ts";

/** See the module's comment. */
export class Connections {
  /** Clients that are connected, greeted or not. */
  readonly sessions: Set<Session> = new Set();
  /** Lends the buffers of all connections. */
  readonly pool: BufferPool;
  readonly #all = new Set<Connection>();
  readonly #limiter: ConnectionLimiter;
  readonly #context: SessionContext;
  readonly #scheduler: ReadScheduler;
  /** Connections that are only still there to be told that there is no place. */
  #rejected = 0;

  constructor(context: SessionContext, scheduler: ReadScheduler) {
    const { connections, connectionsPerAddress, pendingTotalBytes } = context.limits;
    this.#context = context;
    this.#scheduler = scheduler;
    this.pool = new PendingTotal(pendingTotalBytes, this.#all).pool;
    this.#limiter = new ConnectionLimiter(connections, connectionsPerAddress);
  }

  /** How many there are. */
  get size(): number {
    return this.#all.size;
  }

  /** Settles when all that there are now are closed. */
  get closed(): Promise<unknown> {
    return Promise.all([...this.#all].map(({ closed }) => closed));
  }

  /** Begins a session on a connection that a client has made. */
  accept({ socket, address, port, agoMs, transport: over }: Accepted): void {
    const full = this.#limiter.acquire(address);
    if (full !== undefined && this.#rejected >= MAX_REJECTED_CONNECTIONS) {
      socket.close();
      return;
    }
    const remote = { address, port, agoMs, isLocal: isLocalPeer(address), transport: over };
    // A WebSocket is on a stream of the web server, which is read in its turn; HTTP's sessions are in memory.
    const isOnStream = over === "websocket" || over === "http";
    let session!: Session;
    const connection = new Connection(socket, this.pool, this.#context.limits, (transport) => {
      session = new Session(this.#context, transport, remote, () => this.sessions.delete(session));
      return session;
    }, isOnStream ? undefined : this.#scheduler);
    this.sessions.add(session);
    if (full !== undefined) {
      this.#rejected++;
      session.reject(`${full}; try again later`);
    }
    this.#all.add(connection);
    connection.closed.then(() => {
      this.#all.delete(connection);
      if (full === undefined) this.#limiter.release(address);
      else this.#rejected--;
    });
    connection.start();
  }

  /** Called once a second. */
  tick(): void {
    for (const session of this.sessions) session.tick();
    for (const connection of this.#all) connection.tick();
  }
}
