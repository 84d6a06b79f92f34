/**
 * Connects to a server by WebSocket, within a time limit.
 *
 * @module
 */

import { Deadline } from "../deadline.ts";
import { ParleyError } from "../errors.ts";
import type { Transport } from "./basic_connection.ts";
import { WebSocketConnection } from "./web_socket.ts";
import type { WebSocketLike } from "./web_socket_like.ts";

/** The subprotocol of Parley/1: the binary messages of the WebSocket, joined, are its stream of bytes. */
export const SUBPROTOCOL = "parley.1";

/** Makes a WebSocket to `url` that asks for `subprotocol`. */
export type MakeWebSocket = (url: string, subprotocol: string) => WebSocketLike;

/** How to connect by WebSocket. */
export interface WebSocketDialOptions {
  /** How long connecting may take, in milliseconds. */
  readonly withinMs: number;
  /** Gives up: the call rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Makes the WebSocket; by default the runtime's own one is. */
  readonly make?: MakeWebSocket;
}

/**
 * Opens a WebSocket.
 *
 * @throws {ParleyError} `unreachable`, with what to check: a browser does not say why; `not_parley` if the server does
 * not choose the subprotocol; `bad_argument` if the runtime has no WebSocket
 */
export function dialWebSocket(
  url: string,
  { withinMs, signal, make = makeWebSocket }: WebSocketDialOptions,
): Promise<Transport> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const socket = make(url, SUBPROTOCOL);
    socket.binaryType = "arraybuffer";
    let problem = "";
    const settle = (settled: () => void) => {
      deadline.stop();
      signal?.removeEventListener("abort", aborted);
      socket.onopen = socket.onerror = socket.onclose = null;
      settled();
    };
    const fail = (error: unknown) =>
      settle(() => {
        socket.close();
        reject(error);
      });
    const aborted = () => fail(signal!.reason);
    const deadline = new Deadline(withinMs, () => {
      const seconds = Math.round(withinMs / 100) / 10;
      fail(new ParleyError("unreachable", `no answer from ${url} within ${seconds} s; ${advice()}`));
    });
    signal?.addEventListener("abort", aborted);
    socket.onopen = () => {
      if (socket.protocol === SUBPROTOCOL) {
        return settle(() => resolve(new WebSocketTransport(socket)));
      }
      fail(new ParleyError("not_parley", `${url} is a WebSocket, but not a Parley server's; check the path`));
    };
    // A runtime that may say why does it here; the close event follows.
    socket.onerror = (event) => problem = (event as { message?: string }).message ?? "";
    socket.onclose = () => {
      const reason = problem === "" ? "" : `: ${problem}`;
      fail(new ParleyError("unreachable", `cannot open a WebSocket to ${url}${reason}; ${advice()}`));
    };
  });
}

/** An open WebSocket. */
class WebSocketTransport implements Transport {
  readonly #socket: WebSocketLike;

  constructor(socket: WebSocketLike) {
    this.#socket = socket;
  }

  connect(...[receiver, limits]: Parameters<Transport["connect"]>): WebSocketConnection {
    return new WebSocketConnection(this.#socket, receiver, limits);
  }

  close(): void {
    this.#socket.close();
  }
}

function makeWebSocket(url: string, subprotocol: string): WebSocketLike {
  if (typeof WebSocket !== "undefined") return new WebSocket(url, subprotocol);
  const text =
    "this runtime has no WebSocket; connect over TCP (parley://), or give one with the option webSocket";
  throw new ParleyError("bad_argument", text);
}

/** What to check. A page is not told why its WebSocket did not open, so all likely causes are named. */
function advice(): string {
  const { origin } = globalThis.location ?? {};
  const page = origin === undefined ? "" : `, and that it allows pages of ${origin} (--web-origin)`;
  return `check that a server with --web listens there, that its certificate is trusted${page}`;
}
