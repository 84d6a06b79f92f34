/**
 * Sensors publish JSON, and `jq` reads it from the terminal:
 *
 * ```sh
 * deno run --allow-net --allow-env examples/sensors.ts kitchen cellar
 * parley subscribe 'sensors.>' --json | jq --unbuffered -r 'select(.json.celsius > 21) | "\(.channel) \(.json.celsius)"'
 * ```
 *
 * @module
 */

import { connect } from "@parley/parley";

const INTERVAL_MS = 250;

await using client = await connect({ url: Deno.env.get("PARLEY_URL") });
while (true) {
  for (const room of Deno.args) {
    const celsius = Math.round(10 * (20 + 3 * Math.sin(Date.now() / 1_000))) / 10;
    // If the connection is interrupted, readings are kept and sent later, up to 1 MiB of them.
    await client.publish(`sensors.${room}.temperature`, { json: { celsius, at: new Date().toISOString() } });
  }
  await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
}
