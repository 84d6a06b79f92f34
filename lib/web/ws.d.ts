// The part of `ws` that Parley uses; the package has no types of its own.

import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

/** One WebSocket. */
export interface WebSocket {
  /** What takes messages apart. Its bounds are those of the server; `ws` has no other way to change them for one client. */
  readonly _receiver: { _maxPayload: number; _maxBufferedChunks: number };
  /** Hands on nothing more until `resume`, and does not read either. */
  pause(): void;
  resume(): void;
  /** Calls `done` when the message has been written. */
  send(bytes: Uint8Array, options: { binary: true; compress: false }, done: (error?: Error) => void): void;
  /** Sends a Close frame, and waits for the other. */
  close(code?: number, reason?: string): void;
  on(event: "message", listener: (data: Uint8Array, isBinary: boolean) => void): this;
  on(event: "close", listener: (code: number) => void): this;
  on(event: "error", listener: (error: Error & { code?: string }) => void): this;
}

/** Makes WebSockets of requests. */
export class WebSocketServer {
  constructor(options: {
    noServer: true;
    clientTracking: false;
    perMessageDeflate: false;
    maxPayload: number;
    maxFragments: number;
    maxBufferedChunks: number;
    maxPendingAutoPongs: number;
    handleProtocols: (offered: Set<string>) => string | false;
  });
  handleUpgrade(
    request: IncomingMessage,
    stream: Duplex,
    head: Uint8Array,
    done: (socket: WebSocket) => void,
  ): void;
}
