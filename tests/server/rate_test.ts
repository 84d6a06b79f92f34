import { connect } from "../../lib/client/connect.ts";
import { serve } from "../../lib/mod.ts";

Deno.test("a client that a rate limit delays for longer than its heartbeat allows is not closed as silent", async () => {
  await using server = await serve({ limits: { messagesPerSecond: 100, heartbeatSeconds: 1 } });
  await using client = await connect({ port: server.port });
  for (let count = 0; count < 400; count++) await client.publish("chat", "x");
  await client.ping({ timeoutMs: 20_000 }); // 3 s, in which the server does not read the client's own PINGs
});
