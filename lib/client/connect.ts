/**
 * `connect`: the first call of every program that uses the client.
 *
 * @module
 */

import { dial } from "../net/dial.ts";
import { dialTls } from "../net/tls/dial.ts";
import { decodeControl, encodeControl, PROTOCOL } from "../wire/control.ts";
import { Type } from "../wire/header.ts";
import { addressOf, formatTarget, isLoopback } from "./address.ts";
import type { Client, ConnectOptions } from "./api.ts";
import { badArgument, checkPositive } from "./checks.ts";
import { ConnectedClient } from "./client.ts";
import { ClientConnection } from "./client_connection.ts";
import { CONNECT_MS, PENDING_BYTES } from "./limits.ts";

/**
 * Connects to a server and waits for its welcome.
 *
 * @throws {ParleyError} `unreachable` if nothing answers; `untrusted` if the server's certificate is not valid;
 * `not_parley`, `timeout` or `disconnected` if something answers, but not as a Parley server does; the server's
 * rejection, such as `unauthorized` or `server_full`; `bad_argument`
 *
 * @example Connecting
 * ```ts
 * import { connect, serve } from "@parley/parley";
 *
 * await using server = await serve({ port: 0 });
 * await using client = await connect({ port: server.port, name: "Ada" });
 * console.log(client.message);
 * ```
 *
 * @example Publishing and subscribing
 * ```ts
 * import { connect, serve } from "@parley/parley";
 *
 * await using server = await serve({ port: 0 });
 * await using client = await connect({ port: server.port });
 * await using lobby = await client.open("chat.lobby");
 * await lobby.publish("hello");
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
export async function connect(options: ConnectOptions = {}): Promise<Client> {
  const address = addressOf(options);
  const { tls, ca, token } = address;
  const { timeoutMs = CONNECT_MS, pendingBytes = PENDING_BYTES, name, trace, onError } = options;
  checkPositive("timeoutMs", timeoutMs);
  checkPositive("pendingBytes", pendingBytes);
  checkHello({ name, token });
  if (token !== undefined && !tls && !options.insecure && !isLoopback(address.hostname)) {
    const text = `the token would cross the network to ${formatTarget(address)} unencrypted; ` +
      "connect over TLS, or allow it with insecure";
    throw badArgument(text);
  }

  const start = performance.now();
  const caCerts = ca === undefined ? [] : [ca];
  const socket = tls
    ? await dialTls(address, { caCerts, withinMs: timeoutMs })
    : await dial(address, timeoutMs);
  const connection = new ClientConnection(socket, { server: formatTarget(address), pendingBytes, trace });
  const leftMs = Math.max(1, timeoutMs - (performance.now() - start));
  return await connection.greet(
    { name, token },
    leftMs,
    (welcome) => new ConnectedClient(connection, welcome, onError),
  );
}

/** Rejects a HELLO that the server would reject: both use the same schema. */
function checkHello(hello: { name?: string; token?: string }): void {
  const frame = encodeControl({ type: Type.HELLO }, { protocol: PROTOCOL, ...hello });
  const decoded = decodeControl("HELLO", frame, 0, frame.length);
  if ("problem" in decoded) throw badArgument(decoded.problem.replace(/^HELLO /, ""));
}
