/**
 * `connect`: the first call of every program that uses the client.
 *
 * @module
 */

import type { Client } from "./api.ts";
import { NETWORK } from "./address.ts";
import type { ReconnectingClient } from "./client.ts";
import { connectBy } from "./connect_by.ts";
import type { ConnectStep, Network } from "./network.ts";
import type { ConnectOptions } from "./options.ts";
import type { Socket } from "../net/socket.ts";
import { SocketTransport } from "../net/socket_transport.ts";

/**
 * Connects to a server and waits for its welcome. If the connection breaks later, the client reconnects; see
 * {@linkcode ConnectOptions.reconnect}.
 *
 * @throws {ParleyError} `unreachable` if nothing answers; `untrusted` if the server's certificate is not valid;
 * `not_parley`, `timeout`, `timed_out` or `disconnected` if something answers, but not as a Parley server does; the server's
 * rejection, such as `unauthorized` or `server_full`; `bad_argument`
 *
 * @example Connecting
 * ```ts
 * import { connect, serve } from "@parley/parley";
 *
 * await using server = await serve({ port: 0 });
 * await using client = await connect({ port: server.port, name: "Ada" });
 * console.log(client.greeting);
 * ```
 *
 * @example Publishing and subscribing
 * ```ts
 * import { connect, serve } from "@parley/parley";
 *
 * await using server = await serve({ port: 0 });
 * await using client = await connect({ port: server.port });
 * const lobby = await client.subscribe("chat.lobby");
 * await client.publish("chat.lobby", "hello");
 * for await (const message of lobby) {
 *   console.log(message.sender, message.text());
 *   break;
 * }
 * ```
 *
 * @example Requests and replies
 * ```ts
 * import { connect, serve } from "@parley/parley";
 *
 * await using server = await serve({ port: 0 });
 * await using worker = await connect({ port: server.port });
 * await using client = await connect({ port: server.port });
 * await using _responder = await worker.respond("text.upper", (request) => request.text().toUpperCase());
 * const reply = await client.request("text.upper", "quiet");
 * console.log(reply.text()); // QUIET
 * ```
 */
export function connect(options: ConnectOptions = {}): Promise<Client> {
  return connectBy(NETWORK, options);
}

/**
 * As {@linkcode connect}, and says how far it came: for a program that explains why it does not connect.
 *
 * @param stepDone called when a step has succeeded
 * @internal
 */
export function connectInSteps(
  options: ConnectOptions,
  stepDone?: (step: ConnectStep) => void,
): Promise<ReconnectingClient> {
  return connectBy(NETWORK, options, stepDone);
}

/**
 * Opens the connection under a session in another way than by an address.
 *
 * @internal
 */
export type Dialer = (signal: AbortSignal) => Socket | Promise<Socket>;

/**
 * As {@linkcode connect}, over connections that `dialer` opens: for a server that is its own client. What `options` say
 * of an address is only named in errors.
 *
 * @internal
 */
export function connectOver(dialer: Dialer, options: ConnectOptions): Promise<ReconnectingClient> {
  const open: Network["open"] = async (_, { signal }) => new SocketTransport(await dialer(signal));
  return connectBy({ ...NETWORK, open }, options);
}
