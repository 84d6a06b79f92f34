/**
 * The WebSocket of a server as the client sees it, in front of the server's TCP port: it can choose another subprotocol,
 * cut messages as it likes, and break connections.
 *
 * @module
 */

import { SUBPROTOCOL } from "../../lib/net/web_socket_dial.ts";

/** How a gateway behaves. */
export interface GatewayOptions {
  /** The subprotocol that it chooses. */
  readonly protocol?: string;
  /** The bytes of each message that it sends; as they come by default. */
  readonly cut?: number;
  /** Answers other requests, for pages of the same origin. */
  readonly pages?: (request: Request) => Promise<Response>;
}

/** Passes the bytes of each WebSocket to a connection to `port`, and back. */
export class Gateway implements AsyncDisposable {
  /** The paths that were asked for. */
  readonly requests: string[] = [];
  /** How many messages came from clients. */
  received = 0;

  readonly #target: number;
  readonly #options: GatewayOptions;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #sockets = new Set<WebSocket>();
  readonly #work: Promise<void>[] = [];

  constructor(target: number, options: GatewayOptions = {}) {
    this.#target = target;
    this.#options = options;
    const listening = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
    this.#server = Deno.serve(listening, (request) => this.#upgrade(request));
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Calls `act` with each WebSocket that is open. */
  each(act: (socket: WebSocket) => void): void {
    for (const socket of this.#sockets) act(socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.each((socket) => socket.close());
    await Promise.all(this.#work);
    await this.#server.shutdown();
  }

  #upgrade(request: Request): Response | Promise<Response> {
    const { pages } = this.#options;
    if (pages !== undefined && !request.headers.has("upgrade")) return pages(request);
    this.requests.push(request.url.slice(this.url.length + 2));
    const { protocol = SUBPROTOCOL } = this.#options;
    const asked = request.headers.get("sec-websocket-protocol");
    if (asked !== SUBPROTOCOL) return new Response(null, { status: 400 });
    const { socket, response } = Deno.upgradeWebSocket(request, protocol === "" ? {} : { protocol });
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#work.push(this.#pass(socket));
    return response;
  }

  async #pass(socket: WebSocket): Promise<void> {
    const ended = Promise.withResolvers<void>();
    this.#sockets.add(socket);
    let toServer: Promise<unknown> = Promise.resolve();
    const connecting = Deno.connect({ hostname: "127.0.0.1", port: this.#target });
    socket.onmessage = ({ data }) => {
      this.received++;
      toServer = toServer.then(async () => await writeAll(await connecting, new Uint8Array(data))).catch(
        () => {},
      );
    };
    socket.onclose = () => ended.resolve();
    const tcp = await connecting.catch(() => undefined);
    if (tcp === undefined) { // the server is being started again
      socket.close();
      return;
    }
    const reading = this.#back(tcp, socket).catch(() => {}).finally(() => socket.close());
    await ended.promise;
    this.#sockets.delete(socket);
    await toServer;
    tcp.close();
    await reading;
  }

  async #back(tcp: Deno.Conn, socket: WebSocket): Promise<void> {
    const chunk = new Uint8Array(256 * 1024);
    for (let count; (count = await tcp.read(chunk)) !== null;) {
      const { cut = count } = this.#options;
      for (let at = 0; at < count; at += cut) socket.send(chunk.slice(at, Math.min(at + cut, count)));
    }
  }
}

async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}
