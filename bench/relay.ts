/**
 * A server that passes bytes on without parsing them, as fast as Deno can on one core.
 *
 * It shows the ceiling of the load generator and of this machine. The roles of its connections are in
 * `bench/brokers/relay.ts`. Usage: relay.ts PORT
 *
 * @module
 */

import { REQUEST_BYTES, ROLES } from "./brokers/relay.ts";
import { accept, listen, Poller, type RawSocket } from "./sockets.ts";

const ECHO = 0;
const FOREVER = -1;

interface Connection {
  readonly socket: RawSocket;
  role: number;
  /** Of a responder: the part of an answer received so far, at the front of `rest`. */
  readonly rest: Uint8Array;
  filled: number;
}

function serve(port: number): never {
  const listener = listen(port);
  const poller = new Poller();
  poller.add(listener, listener.fd);
  const connections: Connection[] = []; // by file descriptor
  const chunk = new Uint8Array(256 * 1024);
  const subscribers: RawSocket[] = [];
  let responder: RawSocket | undefined;

  const receive = (connection: Connection, count: number) => {
    switch (connection.role) {
      case ROLES.publisher:
        for (const subscriber of subscribers) subscriber.sendAll(chunk, count);
        break;
      case ROLES.requester:
        new DataView(chunk.buffer).setInt32(0, connection.socket.fd);
        responder?.sendAll(chunk, count);
        break;
      case ROLES.responder:
        passAnswers(connection, chunk.subarray(0, count));
        break;
      default:
        if (count === 1 && (Object.values(ROLES) as number[]).includes(chunk[0])) {
          connection.role = chunk[0];
          if (connection.role === ROLES.subscriber) subscribers.push(connection.socket);
          if (connection.role === ROLES.responder) responder = connection.socket;
        }
        connection.socket.sendAll(chunk, count);
    }
  };

  const passAnswers = (connection: Connection, bytes: Uint8Array) => {
    const { rest } = connection;
    for (let at = 0; at < bytes.length;) {
      const count = Math.min(REQUEST_BYTES - connection.filled, bytes.length - at);
      rest.set(bytes.subarray(at, at + count), connection.filled);
      at += count;
      connection.filled = (connection.filled + count) % REQUEST_BYTES;
      if (connection.filled === 0) connections[new DataView(rest.buffer).getInt32(0)].socket.sendAll(rest);
    }
  };

  const drop = ({ socket, role }: Connection) => {
    if (role === ROLES.subscriber) subscribers.splice(subscribers.indexOf(socket), 1);
    socket.close();
  };

  while (true) {
    const events = poller.wait(FOREVER);
    for (let event = 0; event < events; event++) {
      const fd = poller.tag(event);
      if (fd === listener.fd) {
        const socket = accept(listener);
        connections[socket.fd] = { socket, role: ECHO, rest: new Uint8Array(REQUEST_BYTES), filled: 0 };
        poller.add(socket, socket.fd);
        continue;
      }
      const connection = connections[fd];
      const count = connection.socket.receive(chunk);
      try {
        if (count > 0) receive(connection, count);
        else drop(connection);
      } catch {
        // The target of the write is gone; its own event follows.
      }
    }
  }
}

if (import.meta.main) serve(Number(Deno.args[0]));
