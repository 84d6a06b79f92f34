import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect } from "../../lib/client/connect.ts";
import { ParleyError } from "../../lib/errors.ts";
import { serve } from "../../lib/server/serve.ts";
import { encodeFrame, Type } from "../../lib/wire/header.ts";
import { playServer } from "./fake_server.ts";

Deno.test("a client that does not read learns why it was closed, although the reason lies behind unread messages", async () => {
  const payload = new Uint8Array(64 * 1024);
  await playServer(async (server) => {
    using peer = await server.greet({ heartbeat: 0.4 });
    await peer.open(5);
    const frame = encodeFrame({ type: Type.MESSAGE, channel: 5, sender: 3 }, payload);
    for (let i = 0; i < 24; i++) await peer.write(frame); // more than a queue holds
    await peer.control({ type: Type.ERROR }, { code: "slow_consumer", message: "too slow", fatal: true });
  }, async (port) => {
    const client = await connect({ port, reconnect: false });
    const chat = await client.subscribe("chat");
    const error = await client.closed;
    assertEquals([error?.code, error?.fatal], ["slow_consumer", true]);
    let count = 0;
    await assertRejects(
      async () => {
        for await (const _ of chat) count++;
      },
      ParleyError,
      "too slow",
    );
    assertEquals(count, 24);
  });
});

Deno.test("a connect that is given up leaves nothing behind", async () => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = silent.accept();
  const abort = new AbortController();
  const connecting = connect({ port: silent.addr.port, timeoutMs: Infinity, signal: abort.signal });
  using _conn = await accepted;
  abort.abort(new Error("never mind"));
  await assertRejects(() => connecting, Error, "never mind");
});

Deno.test("an unknown option is named, also one of reconnect", async () => {
  for (
    const [options, name] of [[{ tiemoutMs: 1 }, "tiemoutMs"], [
      { reconnect: { maxMS: 1 } },
      "maxMS",
    ]] as const
  ) {
    const error = await assertRejects(() => connect(options as never), ParleyError, name);
    assertEquals([error.code, error.fatal], ["bad_argument", false]);
  }
});

Deno.test("a signal and a time end the wait of a publish", async () => {
  const done = Promise.withResolvers<void>();
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.expect(Type.OPEN); // and no answer
    await done.promise;
  }, async (port) => {
    const client = await connect({ port, reconnect: false });
    const error = await assertRejects(() => client.publish("a", "x", { timeoutMs: 20 }), ParleyError);
    assertEquals(error.code, "timed_out");
    await assertRejects(
      () => client.publish("a", "x", { signal: AbortSignal.abort(new Error("no")) }),
      Error,
      "no",
    );
    await assertRejects(() => client.flush({ timeoutMs: 20 }), ParleyError);
    done.resolve();
    assertEquals((await client.closed)?.code, "disconnected");
    await assertRejects(() => client.close(), ParleyError, "1 message not sent");
  });
});

Deno.test("json checks a value by a schema", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  const reply = await client.request("$echo", { json: 7 });
  const validate = (value: unknown) =>
    typeof value === "string" ? { value } : { issues: [{ message: "expected a string" }] };
  const error = await assertRejects(async () => await reply.json({ "~standard": { validate } }), ParleyError);
  assert(error.code === "bad_payload" && error.message.includes("expected a string"));
  assertEquals(reply.json<number>() + 1, 8);
});
