/**
 * The shortest Parley client: it connects, prints the server's welcome, and leaves.
 *
 * Start a server with `deno task server`, then: `deno run --allow-net examples/simple_client.ts`
 * For another server, add its URL: `... simple_client.ts parley://127.0.0.1:7253`
 *
 * @module
 */

import { connect } from "@parley/parley";

try {
  await using client = await connect({ url: Deno.args[0] });
  console.log(client.greeting);
} catch (error) {
  console.error((error as Error).message); // names the problem, and what to try
  Deno.exit(1);
}
