/**
 * What all works begin with: connect, be greeted, have something to say.
 *
 * @module
 */

import type { Broker, Speaker } from "../brokers/broker.ts";
import { RawSocket } from "../sockets.ts";

/** A greeted connection. */
export interface Greeted {
  readonly socket: RawSocket;
  readonly speaker: Speaker;
}

/** Connects to `port` and greets. */
export function greet(broker: Broker, port: number): Greeted {
  const socket = RawSocket.connect(port);
  const speaker = broker.speak();
  socket.ask(speaker.hello());
  return { socket, speaker };
}

/** The payload of a work's messages: letters, so that they can be read in a trace. */
export function payloadOf({ payloadBytes }: { payloadBytes: number }): Uint8Array {
  return Uint8Array.from({ length: payloadBytes }, (_, index) => 0x61 + index % 26);
}
