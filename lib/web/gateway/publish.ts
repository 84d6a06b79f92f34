/**
 * `POST /publish/CHANNEL`: the body is a message.
 *
 * @module
 */

import type { ReconnectingClient } from "../../client/client.ts";
import { ParleyError } from "../../errors.ts";
import { GATEWAY_PUBLISH_MS } from "../../limits.ts";
import { encodeContent } from "../../wire/content.ts";
import type { Exchange } from "../exchange.ts";
import { type Content, readContent, sendJson } from "./content.ts";
import type { GatewayContext } from "./context.ts";
import { channelIn, goneSignal, idempotencyKey, queryOf } from "./parameters.ts";

/** Publishes the body of a request. On a stored channel the answer comes when it is stored, and says where. */
export async function publish(exchange: Exchange, context: GatewayContext): Promise<void> {
  const { request, response, url } = exchange;
  const channel = channelIn(url);
  queryOf(url, []);
  const key = idempotencyKey(request);
  const content = await readContent(exchange, context.limits.payloadBytes);
  const signal = goneSignal(response);
  await context.clients.use(exchange, async (client) => {
    const stored = context.stored();
    if (stored?.storage(channel) !== undefined) {
      const message = { channel, ...encodeContent(content.kind, content.payload, content.headers), key };
      const { sequence, epoch, isReplayed } = await stored.publish(client.sessionId, message, signal);
      if (isReplayed) response.setHeader("idempotency-replayed", "true");
      return sendJson(response, `${JSON.stringify({ sequence, epoch })}\n`);
    }
    await publishPlain(client, channel, content, key, signal);
    response.writeHead(202, { "content-length": 0 }).end();
  });
}

async function publishPlain(
  client: ReconnectingClient,
  channel: string,
  { payload, kind, headers }: Content,
  key: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (key !== undefined) {
    const text = `${channel} is not durable, so Idempotency-Key has no effect there; leave it out`;
    throw new ParleyError("not_durable", text);
  }
  await client.publish(channel, payload, { kind, headers, signal, timeoutMs: GATEWAY_PUBLISH_MS });
}
