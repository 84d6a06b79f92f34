/**
 * `POST /request/CHANNEL`: the body is a request, and the answer is its reply.
 *
 * @module
 */

import { GATEWAY_REPLY_SECONDS, MAX_GATEWAY_REPLY_SECONDS } from "../../limits.ts";
import type { Exchange } from "../exchange.ts";
import { readContent, responseHeaders } from "./content.ts";
import type { GatewayContext } from "./context.ts";
import { channelIn, goneSignal, numberIn, queryOf } from "./parameters.ts";

/** Sends the body of a request to a responder, and answers with what it replies. */
export async function request(exchange: Exchange, context: GatewayContext): Promise<void> {
  const { response, url } = exchange;
  const channel = channelIn(url);
  const { timeout } = queryOf(url, ["timeout"]);
  const range = { least: 0.001, most: MAX_GATEWAY_REPLY_SECONDS, standard: GATEWAY_REPLY_SECONDS };
  const timeoutMs = 1000 * numberIn("timeout", timeout, range);
  const { payload, kind, headers } = await readContent(exchange, context.limits.payloadBytes);
  const signal = goneSignal(response);
  const reply = await context.clients.use(
    exchange,
    (client) => client.request(channel, payload, { kind, headers, timeoutMs, signal }),
  );
  response.writeHead(200, responseHeaders(reply)).end(reply.payload);
}
