/**
 * The beginning of every workload: a connection with a session, and a payload.
 *
 * @module
 */

import type { Broker, Entrance, ProtocolClient } from "../brokers/broker.ts";
import { RawSocket } from "../sockets.ts";
import { WebSocketSocket } from "../web_socket.ts";

/** A connection that has completed the handshake. */
export interface Session {
  readonly socket: RawSocket;
  readonly client: ProtocolClient;
}

/** Connects to `port` by `entrance` and completes the handshake. */
export function handshake(broker: Broker, port: number, entrance: Entrance = "tcp"): Session {
  const socket = entrance === "web-socket"
    ? WebSocketSocket.connect(port, broker.webSocket)
    : RawSocket.connect(port);
  const client = entrance === "http" ? broker.newHttpClient!(port) : broker.newClient();
  socket.execute(client.hello());
  return { socket, client };
}

/** The payload of a workload's messages: letters, which are easy to see in a trace. */
export function payloadOf({ payloadBytes }: { payloadBytes: number }): Uint8Array {
  return Uint8Array.from({ length: payloadBytes }, (_, index) => 0x61 + index % 26);
}
