/**
 * A build to compare: the server with a web server beside it, and with a page open that looks at it as the dashboard does.
 *
 * deno task bench --rounds 15 --parley before=. --parley again=. --parley page="deno run -A bench/with_page.ts"
 *
 * @module
 */

import { connect } from "../lib/client/mod.ts";
import { main } from "../lib/cli/server/main.ts";

/** As the dashboard asks for what it lists. */
const POLL_MS = 2000;

/** What the dashboard asks for while its overview, its sessions and its channels are looked at. */
async function look(url: string): Promise<never> {
  const client = await connect({ url });
  await client.request("$stats.history", "{}");
  setInterval(() => {
    for (const list of ["$stats.sessions", "$stats.channels"]) client.request(list, "{}").catch(() => {});
  }, POLL_MS);
  for await (const message of await client.subscribe("$stats")) JSON.parse(message.text());
  Deno.exit(1);
}

if (import.meta.main) {
  const [command, url] = Deno.args;
  if (command === "look") await look(url);
  if (Deno.args.includes("--port")) {
    const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = free.addr;
    free.close();
    const program = new URL(import.meta.url).pathname;
    const args = ["run", "-A", program, "look", `ws://127.0.0.1:${port}/parley`];
    // Once the server has begun, or there is nothing to look at.
    setTimeout(
      () => new Deno.Command(Deno.execPath(), { args, stdout: "null", stderr: "inherit" }).spawn(),
      200,
    );
    Deno.exit(await main([...Deno.args, "--web", String(port)]));
  }
  Deno.exit(await main(Deno.args));
}
