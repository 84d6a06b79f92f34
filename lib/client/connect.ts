/**
 * Connecting: where a program using Parley begins.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { dial } from "../net/dial.ts";
import { dialTls } from "../net/tls/dial.ts";
import { decodeControl, encodeControl, PROTOCOL } from "../wire/control.ts";
import { Type } from "../wire/header.ts";
import { addressOf, formatTarget, isLoopback } from "./address.ts";
import type { Client, ConnectOptions } from "./api.ts";
import { CONNECT_MS, PENDING_BYTES } from "./limits.ts";
import { ConnectedClient } from "./client.ts";
import { ClientConnection } from "./client_connection.ts";

/**
 * Connects to a server and greets it.
 *
 * @throws {ParleyError} `unreachable` where nothing answers; `untrusted` where its certificate does not hold; `not_parley`, `timeout` or `disconnected` where something
 * does, but does not greet; the server's refusal, such as `unauthorized` or `server_full`; `bad_argument`
 *
 * @example Greeting a server
 * ```ts
 * import { connect, serve } from "@parley/parley";
 *
 * await using server = await serve({ port: 0 });
 * await using client = await connect({ port: server.port, name: "Ada" });
 * console.log(client.message);
 * ```
 *
 * @example Talking on a channel
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
 * @example Asking and answering
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
  for (const [what, value] of Object.entries({ timeoutMs, pendingBytes })) {
    if (!(value > 0)) throw new ParleyError("bad_argument", `${what} must be a number above 0, not ${value}`);
  }
  checkHello({ name, token });
  if (token !== undefined && !tls && !options.insecure && !isLoopback(address.hostname)) {
    const text = `the token would cross the network to ${formatTarget(address)} for everybody to read; ` +
      "connect over TLS, or allow it with insecure";
    throw new ParleyError("bad_argument", text);
  }

  const start = performance.now();
  const caCerts = ca === undefined ? [] : [ca];
  const socket = tls
    ? await dialTls(address, { caCerts, withinMs: timeoutMs })
    : await dial(address, timeoutMs);
  const link = new ClientConnection(socket, { where: formatTarget(address), pendingBytes, trace });
  const leftMs = Math.max(1, timeoutMs - (performance.now() - start));
  return await link.greet({ name, token }, leftMs, (welcome) => new ConnectedClient(link, welcome, onError));
}

/** Finds here what the server would refuse: the schema is the same. */
function checkHello(hello: { name?: string; token?: string }): void {
  const frame = encodeControl({ type: Type.HELLO }, { protocol: PROTOCOL, ...hello });
  const decoded = decodeControl("HELLO", frame, 0, frame.length);
  if ("problem" in decoded) throw new ParleyError("bad_argument", decoded.problem.replace(/^HELLO /, ""));
}
