/**
 * `server.ts` as a process of its own: its signals.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Type } from "../../lib/wire/header.ts";
import { within } from "../harness/deadline.ts";
import { RawClient, text } from "../harness/raw_client.ts";
import { MAY_RUN } from "../harness/permissions.ts";
import { ServerProcess } from "../harness/server_process.ts";

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test({
    name: `${signal} drains the server: every session gets a BYE, and it exits with 0`,
    ignore: !MAY_RUN,
    fn: async () => {
      await using server = await ServerProcess.start();
      using ada = await RawClient.greet(server);
      server.kill(signal);
      assertEquals(text(await ada.expect(Type.BYE)), '{"reason":"shutting_down"}');
      await ada.end();
      ada.close();
      assertEquals((await within(server.status, "end of the server")).code, 0);
    },
  });
}

Deno.test({
  name: "a second signal ends the server at once if it comes a second after the first or later",
  ignore: !MAY_RUN,
  fn: async () => {
    await using server = await ServerProcess.start({
      args: ["--max-pending", "64MiB", "--slow-consumer-timeout", "60s"],
    });
    using slow = await RawClient.greet(server);
    const { number } = await slow.open("chat");
    // More than the kernel takes for a client that does not read.
    for (let i = 0; i < 40; i++) await slow.send(slow.message(number, new Uint8Array(1024 * 1024)));
    server.kill("SIGTERM");
    await server.log.until("draining");
    // Ctrl-C reaches a server under npx twice: a copy of the signal is no order to hurry.
    server.kill("SIGINT");
    await server.log.until("signal", { signal: "SIGINT" });
    await new Promise((resolve) => setTimeout(resolve, 1100));
    assertEquals(server.code, undefined, "it drains");
    const start = performance.now();
    server.kill("SIGINT");
    const { code } = await within(server.status, "end of the server");
    assertEquals(code, 1);
    assert(performance.now() - start < 3000, "the drain time is 5 s");
  },
});
