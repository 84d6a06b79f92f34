/**
 * Makes connections to the server, or to one of several.
 *
 * @module
 */

import { CLIENT_SHAPES, PROTOCOL } from "../wire/client_control.ts";
import { formatTarget, isLoopback } from "../net/target.ts";
import { badArgument } from "./checks.ts";
import { ClientConnection } from "./client_connection.ts";
import type { SharedDelivery } from "./delivery.ts";
import { CONNECT_MS, PENDING_BYTES } from "./limits.ts";
import type { Address, ConnectStep, Network } from "./network.ts";
import type { ConnectOptions } from "./options.ts";
import { problemOf } from "../wire/shape.ts";
import { Session, type SessionEvents } from "./session.ts";
import { Wait } from "./waiting.ts";

/** Connects, as often as asked, with the same options. */
export class Connector {
  readonly #options: ConnectOptions;
  readonly #stepDone: ((step: ConnectStep) => void) | undefined;
  readonly #network: Network;
  readonly #addresses: readonly Address[];
  /** The address to try first. */
  #next = 0;

  /**
   * @param network what servers are reached by
   * @param stepDone called when a step has succeeded
   * @throws {ParleyError} `bad_argument`
   */
  constructor(options: ConnectOptions, network: Network, stepDone?: (step: ConnectStep) => void) {
    this.#options = options;
    this.#stepDone = stepDone;
    this.#network = network;
    this.#addresses = network.addressesOf(options);
    const { token, name } = options;
    checkHello({ name, token: typeof token === "string" ? token : undefined });
    for (const address of this.#addresses) this.#checkToken(address, token !== undefined);
  }

  /** Whether each attempt may have another token. */
  get hasTokenFunction(): boolean {
    return typeof this.#options.token === "function";
  }

  /** The server connected last, or to be tried first. */
  get server(): string {
    return formatTarget(this.#addresses[this.#next]);
  }

  /**
   * Tries each address once. `connecting` is called before each.
   *
   * @throws {ParleyError} the error of the last address
   */
  async connect(
    signal: AbortSignal,
    shared: SharedDelivery,
    events: SessionEvents,
    connecting: (server: string) => void,
  ): Promise<Session> {
    for (let tried = 1;; tried++) {
      const address = this.#addresses[this.#next];
      connecting(formatTarget(address));
      try {
        const session = await this.#connectTo(address, signal, shared, events);
        // If it breaks, the next one is tried first: this one may be about to stop.
        if (this.#addresses.length > 1) {
          session.connection.closed.then(() => this.#next = (this.#next + 1) % this.#addresses.length);
        }
        return session;
      } catch (error) {
        this.#next = (this.#next + 1) % this.#addresses.length;
        if (tried === this.#addresses.length || signal.aborted) throw error;
      }
    }
  }

  async #connectTo(
    address: Address,
    signal: AbortSignal,
    shared: SharedDelivery,
    events: SessionEvents,
  ): Promise<Session> {
    const { pendingBytes = PENDING_BYTES, name, trace, timeoutMs, webSocket } = this.#options;
    const wait = new Wait("connecting", { signal, timeoutMs }, CONNECT_MS);
    const token = await this.#token(address, wait);
    const opening = { withinMs: wait.leftMs, signal, webSocket, stepDone: this.#stepDone };
    const transport = await this.#network.open(address, opening);
    const connection = new ClientConnection(transport, {
      server: formatTarget(address),
      pendingBytes,
      isRenewed: this.#options.reconnect !== false,
      trace,
    });
    const aborted = () => connection.abandon();
    signal.addEventListener("abort", aborted);
    if (signal.aborted) {
      transport.close();
      signal.throwIfAborted();
    }
    try {
      return await connection.greet(
        { name, token },
        wait.leftMs,
        (welcome) => new Session(connection, welcome, shared, events),
      );
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener("abort", aborted);
    }
  }

  async #token(address: Address, wait: Wait): Promise<string | undefined> {
    const { token } = this.#options;
    if (typeof token !== "function") return address.token;
    const fetched = await wait.for(Promise.resolve(token()));
    checkHello({ token: fetched });
    return fetched;
  }

  #checkToken(address: Address, isGiven: boolean): void {
    const { tls, hostname, token } = address;
    if (!isGiven && token === undefined || tls || this.#options.insecure || isLoopback(hostname)) return;
    const text = `the token would cross the network to ${formatTarget(address)} unencrypted; ` +
      "connect over TLS, or allow it with insecure";
    throw badArgument(text);
  }
}

/** Rejects a HELLO that the server would reject: both use the same shape. */
function checkHello(hello: { name?: string; token?: string }): void {
  const problem = problemOf(CLIENT_SHAPES.HELLO, { protocol: PROTOCOL, ...hello });
  if (problem !== undefined) throw badArgument(problem);
}
