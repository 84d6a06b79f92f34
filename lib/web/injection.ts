/**
 * How connections of our own listeners get to a server of `node:http`.
 *
 * @module
 */

import type { IncomingMessage, Server } from "node:http";
import { canServeDirectly } from "../net/tls/implementation.ts";
import { HttpRelay } from "./relay.ts";
import type { SocketStream } from "./socket_stream.ts";

/** One way. */
export interface HttpInjection {
  /** Has the requests of a connection served. */
  open(stream: SocketStream): void;
  /** The connection that a request came on; `undefined` if it came from elsewhere. */
  streamOf(request: IncomingMessage): SocketStream | undefined;
  /** Called when every connection is closed. */
  close(): Promise<void>;
}

/** The best way for this runtime: 2.6.10, for instance, serves connections of listeners of its own only. */
export function injectionInto(http: Server): HttpInjection {
  if (!canServeDirectly()) return new HttpRelay(http);
  // Deno would end every connection after its first response, because this server has no listener of its own.
  Object.defineProperty(http, "listening", { get: () => true });
  return {
    open: (stream) => void http.emit("connection", stream),
    streamOf: ({ socket }) => socket as unknown as SocketStream,
    close: () => Promise.resolve(),
  };
}
