/**
 * HTTP on runtimes whose `node:http` serves connections of its own listener only, such as that of an executable compiled
 * with an older base: each connection is relayed to an inner listener on the loopback.
 *
 * Other programs on this machine can connect there, too. Their requests are refused: they do not come from the port of a
 * relayed connection.
 *
 * @module
 */

import type { IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { MAX_HTTP_READ_BYTES } from "../limits.ts";
import type { SocketStream } from "./socket_stream.ts";

/** The address of the inner connections. Other machines cannot reach it. */
const LOOPBACK = "127.0.0.1";

/** Hands connections to a server of `node:http` by way of a listener of its own. */
export class HttpRelay {
  readonly #http: Server;
  readonly #port: Promise<number>;
  /** By the port of the inner connection. */
  readonly #streams = new Map<number, SocketStream>();

  constructor(http: Server) {
    this.#http = http;
    this.#port = new Promise((resolve) =>
      http.listen(0, LOOPBACK, () => resolve((http.address() as AddressInfo).port))
    );
  }

  /** Relays a connection. */
  async open(stream: SocketStream): Promise<void> {
    stream.on("error", () => {}); // closed, and the inner connection with it
    let inner: Deno.TcpConn | undefined;
    try {
      inner = await Deno.connect({ hostname: LOOPBACK, port: await this.#port });
      const { port } = inner.localAddr;
      this.#streams.set(port, stream);
      stream.once("close", () => this.#streams.delete(port));
      await Promise.race([
        Promise.all([relayIn(stream, inner), relayOut(inner, stream)]),
        stream.ended,
      ]);
    } catch {
      stream.destroy();
    } finally {
      inner?.close();
    }
  }

  /** The connection that a request came on; `undefined` if it was not relayed. */
  streamOf({ socket }: IncomingMessage): SocketStream | undefined {
    return this.#streams.get(socket.remotePort ?? upgradedPort(socket));
  }

  /** Stops listening. */
  async close(): Promise<void> {
    await this.#port;
    await new Promise<void>((resolve) => this.#http.close(() => resolve()));
  }
}

/** The peer's port of a connection for a WebSocket, which Deno 2.6.10 keeps below a symbol; 0 if it is not there. */
function upgradedPort(socket: IncomingMessage["socket"]): number {
  const { _handle: handle = {} } = socket as unknown as { _handle?: Record<symbol, unknown> };
  const [symbol] = Object.getOwnPropertySymbols(handle).filter(({ description }) =>
    description === "kStreamBaseField"
  );
  const { remoteAddr } = (symbol === undefined ? {} : handle[symbol]) as { remoteAddr?: { port: number } };
  return remoteAddr?.port ?? 0;
}

async function relayIn(stream: SocketStream, inner: Deno.TcpConn): Promise<void> {
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    for (let at = 0; at < chunk.length;) at += await inner.write(chunk.subarray(at));
  }
  await inner.closeWrite();
}

async function relayOut(inner: Deno.TcpConn, stream: SocketStream): Promise<void> {
  const bytes = new Uint8Array(MAX_HTTP_READ_BYTES);
  for (let count = await inner.read(bytes); count !== null; count = await inner.read(bytes)) {
    const chunk = bytes.slice(0, count);
    await new Promise<void>((resolve, reject) =>
      stream.write(chunk, (error) => error ? reject(error) : resolve())
    );
  }
  stream.destroySoon();
}
