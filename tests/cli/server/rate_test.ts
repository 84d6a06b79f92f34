/**
 * A session that is held back for its rate for longer than the heartbeat stays.
 *
 * @module
 */

import { connect } from "../../../lib/client/connect.ts";
import { siteTest } from "../../harness/site.ts";

siteTest("who is slowed down by its rate is not given up by its own heartbeat", async (site) => {
  const server = await site.serve("--max-message-rate", "100", "--heartbeat", "1");
  await using client = await connect({ port: server.port });
  await using channel = await client.open("chat", { subscribe: false });
  for (let count = 0; count < 500; count++) await channel.publish("x");
  await client.ping(20_000); // 4 s, in which nobody reads its own PINGs
});
