/**
 * A table of current values: of each channel the server keeps the last message, on disk.
 *
 * Start `parley-server` with this in its `parley.jsonc`:
 *
 * ```jsonc
 * { "stored": [{ "channels": "settings.>", "storage": "durable", "maxMessages": 1 }] }
 * ```
 *
 * then `deno run --allow-net --allow-env examples/current_values.ts set theme dark`, and to read,
 * `deno run --allow-net --allow-env examples/current_values.ts show` or `watch`
 *
 * @module
 */

import { connect } from "@parley/parley";

const [role, name, value] = Deno.args;
await using client = await connect({ url: Deno.env.get("PARLEY_URL") });
if (role === "set") await client.publish(`settings.${name}`, value); // resolves when it is on disk
else await show(role === "watch");

async function show(goesOn: boolean): Promise<void> {
  // First the last message of each channel, then what is new, without a gap.
  const settings = await client.subscribe("settings.>", { from: "last" });
  let left = settings.lastCount ?? 0;
  if (left === 0 && !goesOn) return;
  for await (const message of settings) {
    console.log(`${message.channel.slice("settings.".length)} = ${message.text()}`);
    if (--left === 0 && !goesOn) return;
  }
}
