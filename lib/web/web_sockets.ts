/**
 * `/parley`: connections of Parley over WebSocket.
 *
 * @module
 */

import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
// @ts-types="./ws.d.ts"
import { WebSocketServer } from "ws";
import { HEADER_BYTES, MAX_WEB_SOCKET_PIECES, WEB_SOCKET_MESSAGE_BYTES, WEB_SOCKET_PATH } from "../limits.ts";
import type { Route, WebServices } from "./exchange.ts";
import { HttpProblem } from "./problem.ts";
import type { SocketStream } from "./socket_stream.ts";
import { type ClosableStream, WebSocketStream } from "./web_socket.ts";

/** The one subprotocol that the server speaks. */
const SUBPROTOCOL = "parley.1";

/** A connection that is to be a WebSocket. */
interface Upgraded {
  /** The connection. */
  readonly stream: SocketStream;
  /** What `node:http` has of it: the same, unless it is relayed. */
  readonly duplex: Duplex;
  /** What was read of it already. */
  readonly head: Uint8Array;
}

/** Makes sessions of requests for a WebSocket. */
export class WebSockets {
  readonly #services: Pick<WebServices, "accept" | "limits">;
  readonly #server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    // It would take memory and time for each client, and what is sent in a run is compressed badly one by one.
    perMessageDeflate: false,
    maxPayload: WEB_SOCKET_MESSAGE_BYTES,
    // Each piece of a message that has not come whole costs some hundred bytes, however small it is.
    maxFragments: MAX_WEB_SOCKET_PIECES,
    maxBufferedChunks: MAX_WEB_SOCKET_PIECES,
    // A client that pings and does not read the answers.
    maxPendingAutoPongs: MAX_WEB_SOCKET_PIECES,
    handleProtocols: () => SUBPROTOCOL,
  });

  constructor(services: Pick<WebServices, "accept" | "limits">) {
    this.#services = services;
  }

  /**
   * Makes a WebSocket of a connection, and a session on it.
   *
   * @throws {HttpProblem} if the request is not one for `/parley` with the subprotocol
   */
  open(request: IncomingMessage, url: URL, { duplex, stream, head }: Upgraded): void {
    if (url.pathname !== WEB_SOCKET_PATH) {
      throw new HttpProblem(404, { code: "not_found", detail: `the WebSocket is at ${WEB_SOCKET_PATH}` });
    }
    const { "sec-websocket-protocol": offered = "", upgrade } = request.headers;
    if (upgrade?.toLowerCase() !== "websocket") throw upgradeNeeded();
    if (!offered.split(",").some((name) => name.trim() === SUBPROTOCOL)) {
      throw new HttpProblem(400, {
        code: "unsupported_protocol",
        detail: `the subprotocol must be ${SUBPROTOCOL}: new WebSocket(url, "${SUBPROTOCOL}")`,
      });
    }
    const maxMessageBytes = HEADER_BYTES + this.#services.limits.payloadBytes + WEB_SOCKET_MESSAGE_BYTES;
    this.#server.handleUpgrade(request, duplex, head, (ws) => {
      this.#services.accept({
        socket: new WebSocketStream(
          ws,
          duplex === stream ? stream : relayed(duplex, stream),
          maxMessageBytes,
        ),
        address: stream.remoteAddress,
        port: stream.remotePort,
        transport: "websocket",
      });
    });
  }
}

/** What a request for `/parley` that is not one for a WebSocket is told. */
export function webSocketRoute(): Route {
  return {
    method: "GET",
    path: WEB_SOCKET_PATH,
    access: "public",
    handler: () => Promise.reject(upgradeNeeded()),
  };
}

/** What is relayed ends when the inner connection has ended and everything has been passed on. */
function relayed(inner: Duplex, outer: SocketStream): ClosableStream {
  return {
    get destroyed() {
      return outer.destroyed;
    },
    ended: outer.ended,
    destroySoon: () => void inner.end(),
    closeNow: () => {},
    destroy: () => outer.destroy(),
    once: (event, listener) => inner.once(event, listener),
  };
}

function upgradeNeeded(): HttpProblem {
  return new HttpProblem(426, {
    code: "upgrade_required",
    detail:
      `${WEB_SOCKET_PATH} is a WebSocket with subprotocol ${SUBPROTOCOL}; curl is served by the other paths`,
    headers: { upgrade: "websocket" },
    closes: true,
  });
}
