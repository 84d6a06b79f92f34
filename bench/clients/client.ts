/**
 * What the library workloads need of a JavaScript client, as a program would use it.
 *
 * @module
 */

/** Two connections of one program to one server: one publishes and requests, the other receives and responds. */
export interface LibraryClient {
  /** Subscribes to `channel`, and calls `received` for each message. Resolves once the server knows. */
  receive(channel: string, received: () => void): Promise<void>;
  /** Publishes `count` messages as fast as a program does that waits for what the library asks it to wait for. */
  publish(channel: string, payload: Uint8Array, count: number): Promise<void>;
  /** Answers each request on `channel` with its payload; missing if the library has no requests. */
  respond?(channel: string): Promise<void>;
  /** Sends a request; resolves with the length of the reply. */
  request?(channel: string, payload: Uint8Array): Promise<number>;
}

/** Connects to the server on `port` of this machine. The process ends without closing. */
export type ConnectLibrary = (port: number) => Promise<LibraryClient>;
