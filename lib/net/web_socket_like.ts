/**
 * The part of the standard `WebSocket` that Parley uses, so that a program can bring one of its own.
 *
 * @module
 */

/** A WebSocket, of the runtime or of a package such as `ws`. */
export interface WebSocketLike {
  /** How messages are handed on. */
  binaryType: string;
  /** The subprotocol that the server has chosen. */
  readonly protocol: string;
  /** Bytes given to `send` that have not left yet. */
  readonly bufferedAmount: number;
  /** Called when it is open. */
  onopen: ((event: never) => void) | null;
  /** Called with each message. */
  onmessage: ((event: never) => void) | null;
  /** Called before `onclose` if it failed. */
  onerror: ((event: never) => void) | null;
  /** Called when it is closed. */
  onclose: ((event: never) => void) | null;
  /** Sends a message. */
  send(bytes: Uint8Array<ArrayBuffer>): void;
  /** Sends what it holds, then closes. */
  close(): void;
}
