/**
 * `server.ts` as a process of its own: signals, and running out of descriptors.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Type } from "../../lib/wire/header.ts";
import { within } from "../harness/deadline.ts";
import { RawClient, text } from "../harness/raw_client.ts";
import { MAY_INSPECT } from "../harness/permissions.ts";
import { ServerProcess } from "../harness/server_process.ts";

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test({
    name: `${signal} drains the server: everybody gets a BYE, and it exits with 0`,
    ignore: !MAY_INSPECT,
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
  name: "a second signal ends the server at once",
  ignore: !MAY_INSPECT,
  fn: async () => {
    await using server = await ServerProcess.start();
    using slow = await RawClient.greet(server);
    const { number } = await slow.open("chat");
    for (let i = 0; i < 14; i++) await slow.send(slow.message(number, new Uint8Array(1024 * 1024)));
    server.kill("SIGTERM");
    await server.log.until("draining");
    const start = performance.now();
    server.kill("SIGINT");
    const { code } = await within(server.status, "end of the server");
    assertEquals(code, 1);
    assert(performance.now() - start < 3000, "the drain time is 5 s");
  },
});

Deno.test({
  name: "a server out of descriptors says so, serves who is there, and takes new clients once some are free",
  ignore: !MAY_INSPECT,
  fn: async () => {
    await using server = await ServerProcess.start({ descriptors: 100 });
    using control = await RawClient.greet(server);
    const strangers: RawClient[] = [];
    try {
      for (let i = 0; i < 100; i++) strangers.push(await RawClient.connect(server));
      const line = await server.log.until("cannot accept connections; trying again");
      assertEquals(line.level, "error");
      assertEquals(await control.barrier(), []);
    } finally {
      for (const stranger of strangers) stranger.close();
    }
    using late = await RawClient.greet(server);
    assertEquals(await late.barrier(), []);
    assertEquals(await control.barrier(), []);
  },
});

Deno.test({
  name: "hundreds of garbage connections leave no descriptors behind",
  ignore: !MAY_INSPECT,
  fn: async () => {
    await using server = await ServerProcess.start();
    using control = await RawClient.greet(server);
    const before = server.descriptors();
    const garbage = ["", "\x16\x03\x01\x02", "GET / HTTP/1.1\r\nHost: parley\r\n\r\n", "\0".repeat(5000)];
    for (let i = 0; i < 300; i++) {
      using stranger = await RawClient.connect(server);
      if (i % 3 === 0) await stranger.hello();
      await stranger.send(new TextEncoder().encode(garbage[i % garbage.length]));
      if (i % 5 === 0) await stranger.closeWrite();
    }
    assertEquals(await control.barrier(), []);
    // Each is gone at the latest when its lingering is over.
    const deadline = performance.now() + 15_000;
    while (server.descriptors() > before && performance.now() < deadline) await control.barrier();
    assertEquals(server.descriptors(), before);
  },
});
