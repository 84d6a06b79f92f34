/**
 * The networks that a client can use: all of them in Deno, Node and Bun, WebSockets alone in a browser.
 *
 * @module
 */

import type { Transport } from "../net/basic_connection.ts";
import type { Target } from "../net/target.ts";
import type { ConnectOptions } from "./options.ts";

/** A server, and what is needed to connect to it. */
export interface Address extends Target {
  readonly tls: boolean;
  /** The authority to trust in addition to the system's, PEM. */
  readonly ca: string | undefined;
  readonly token: string | undefined;
  /** The URL of its WebSocket; `undefined` if it is reached over TCP. */
  readonly webSocket: string | undefined;
}

/** The options that name a server. */
export type AddressOptions = Pick<ConnectOptions, "url" | "hostname" | "port" | "tls" | "ca" | "token">;

/** A part of connecting: the TCP connection, or the TLS handshake. The greeting follows. */
export type ConnectStep = "tcp" | "tls";

/** How to open a transport. */
export interface OpenOptions extends Pick<ConnectOptions, "webSocket"> {
  readonly withinMs: number;
  readonly signal: AbortSignal;
  /** Called when a step has succeeded. */
  readonly stepDone: ((step: ConnectStep) => void) | undefined;
}

/** What a client reaches servers by. */
export interface Network {
  /**
   * The servers that the options name, at least one.
   *
   * @throws {ParleyError} `bad_argument`
   */
  addressesOf(options: AddressOptions): Address[];
  /**
   * Connects.
   *
   * @throws {ParleyError} `unreachable`, `untrusted`, `not_parley`, `bad_argument`
   */
  open(address: Address, options: OpenOptions): Promise<Transport>;
}
