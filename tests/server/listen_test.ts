/** The addresses a server listens on. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { ParleyError, serve } from "../../lib/mod.ts";
import { RawClient } from "../harness/raw_client.ts";
import { RecordedLog } from "../harness/recorded_log.ts";

/** Whether this machine has the IPv6 loopback address. */
const hasIPv6 = (() => {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
})();

Deno.test({
  name: "localhost is both loopback addresses on one port, for one server",
  ignore: !hasIPv6,
  async fn() {
    const log = new RecordedLog();
    await using server = await serve({ hostname: "localhost", log: log.log });
    using four = await RawClient.greet({ hostname: "127.0.0.1", port: server.port });
    using six = await RawClient.greet({ hostname: "::1", port: server.port });
    await six.open("chat");
    const { number } = await four.open("chat", { subscribe: false });
    await four.send(four.message(number, "hello"));
    assertEquals(new TextDecoder().decode((await six.next()).payload), "hello");
    assertEquals([server.sessions, server.hostname], [2, "127.0.0.1"]);
    assertEquals(log.all("listening").map(({ addresses }) => addresses), [["127.0.0.1", "::1"]]);
  },
});

Deno.test({
  name: "localhost is refused if another program listens on one of its addresses, and nothing stays open",
  ignore: !hasIPv6,
  async fn() {
    using taken = Deno.listen({ hostname: "::1", port: 0 });
    const { port } = taken.addr as Deno.NetAddr;
    const refused = () => serve({ hostname: "localhost", port });
    const { message } = await assertRejects(refused, ParleyError, "another program listens there");
    assert(message.includes(`::1:${port}`), message);
    await new Promise((resolve) => setTimeout(resolve)); // a closed listener ends with the turn of the event loop
    Deno.listen({ hostname: "127.0.0.1", port }).close();
  },
});
