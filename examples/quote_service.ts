/**
 * A service that answers requests: `shop.quote` takes an item and a count, and replies with a price.
 *
 * The server requires a token, and this service has one that allows answering on `shop.*` and nothing else:
 * `parley-server --auth`, `parley-server token issue --name quotes --respond 'shop.*'`, then
 * `PARLEY_TOKEN=... deno run --allow-net --allow-env examples/quote_service.ts`
 *
 * @module
 */

import { ApplicationError, connect, type Request } from "@parley/parley";
import * as v from "valibot";

const PRICES: Record<string, number> = { hat: 12, scarf: 9 };

const Order = v.object({ item: v.string(), count: v.pipe(v.number(), v.integer(), v.minValue(1)) });

await using client = await connect({ url: Deno.env.get("PARLEY_URL"), token: Deno.env.get("PARLEY_TOKEN") });
await using responder = await client.respond("shop.quote", (request) => {
  const { item, count } = readOrder(request);
  const price = PRICES[item];
  // The requester gets this error with its code. Of any other error it learns nothing but that there was one.
  if (price === undefined) {
    throw new ApplicationError("unknown_item", `there is no ${item}`, { items: Object.keys(PRICES) });
  }
  return { json: { item, total: price * count } };
});
console.log("answering on shop.quote");
await responder.finished; // rejects if the connection is over for good, for example with a token that was revoked

function readOrder(request: Request): v.InferOutput<typeof Order> {
  try {
    return request.json(Order);
  } catch (error) {
    throw new ApplicationError("bad_order", (error as Error).message);
  }
}
