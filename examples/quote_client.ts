/**
 * Asks `examples/quote_service.ts` for the price of an item.
 *
 * Its token allows requests on `shop.*`: `parley-server token issue --name till --publish 'shop.*'`, then
 * `PARLEY_TOKEN=... deno run --allow-net --allow-env examples/quote_client.ts hat 2`
 *
 * @module
 */

import { ApplicationError, connect, ParleyError } from "@parley/parley";

const [item, count] = Deno.args;
try {
  await using client = await connect({
    url: Deno.env.get("PARLEY_URL"),
    token: Deno.env.get("PARLEY_TOKEN"),
  });
  const order = { json: { item, count: Number(count) } };
  const reply = await client.request("shop.quote", order, { timeoutMs: 5_000 });
  console.log(`${count} x ${item}: ${reply.json<{ total: number }>().total}`);
} catch (error) {
  if (error instanceof ApplicationError) console.error(`${error.code}: ${error.message}`); // the service said so
  else if (error instanceof ParleyError) console.error(error.message); // no service, no server, no permission
  else throw error;
  Deno.exitCode = 1;
}
