import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { serve } from "../../lib/server/serve.ts";
import { connect } from "../../lib/client/connect.ts";
import { ParleyError } from "../../lib/errors.ts";
import { encodeFrame, type Header, Type } from "../../lib/wire/header.ts";
import { type FakePeer, playServer } from "./fake_server.ts";

/**
 * Makes a call of every kind, lets the server do `end`, and returns the error. It must be the same for each of those
 * calls, for `closed`, and for every later call.
 */
async function endedBy(end: (peer: FakePeer) => Promise<unknown>): Promise<ParleyError> {
  return await playServer(async (server) => {
    using peer = await server.greet();
    await peer.open(5);
    await peer.open(6);
    const calls = new Set<number>([Type.REQUEST, Type.OPEN, Type.PING, Type.LEAVE]);
    while (calls.size > 0) calls.delete((await peer.read())!.header.type);
    await end(peer);
    await peer.drain();
  }, async (port) => {
    const client = await connect({ port, reconnect: false });
    const chat = await client.subscribe("chat");
    const left = await client.subscribe("left");
    const next = (messages: AsyncIterable<unknown>) => messages[Symbol.asyncIterator]().next();
    const leaving = left.end(); // succeeds: nothing is subscribed any more
    const results = await Promise.allSettled([
      next(chat),
      next(client.inbox),
      client.request("chat", "?"),
      client.subscribe("more"),
      client.ping(),
    ]);
    await leaving;
    const error = await client.closed;
    assert(error instanceof ParleyError);
    for (const result of results) assert(result.status === "rejected" && result.reason === error);
    for (const call of [() => next(chat), () => client.subscribe("x"), () => client.ping()]) {
      assertEquals(await assertRejects(call, ParleyError), error);
    }
    client.publish("chat", "not awaited, so its rejection must count as handled");
    await chat.end();
    await client.close();
    return error;
  });
}

Deno.test("a server that closes between frames fails every call as disconnected", async () => {
  const error = await endedBy((peer) => Promise.resolve(peer.conn.close()));
  assertEquals([error.code, error.fatal], ["disconnected", true]);
  assertStringIncludes(error.message, "ended without a goodbye");
});

Deno.test("a server that closes within a frame fails every call as disconnected", async () => {
  const error = await endedBy(async (peer) => {
    await peer.write(
      encodeFrame({ type: Type.MESSAGE, channel: 5, sender: 3 }, new Uint8Array(9)).subarray(0, 20),
    );
    await peer.conn.closeWrite();
  });
  assertEquals(error.code, "disconnected");
});

Deno.test("a BYE fails every call with its reason", async () => {
  const bye = (reason: string) => endedBy((peer) => peer.control({ type: Type.BYE }, { reason }));
  assertEquals((await bye("shutting_down")).code, "shutting_down");
  const other = await bye("so long");
  assertEquals(other.code, "disconnected");
  assertStringIncludes(other.message, "so long");
});

Deno.test("a fatal ERROR fails every call with its code and message", async () => {
  const error = await endedBy((peer) =>
    peer.control({ type: Type.ERROR }, { code: "slow_consumer", message: "too slow", fatal: true })
  );
  assertEquals(error.code, "slow_consumer");
  assertStringIncludes(error.message, "too slow; iterate subscriptions");
});

Deno.test("garbage fails every call as bad_frame", async () => {
  const error = await endedBy((peer) =>
    peer.write(new TextEncoder().encode("this is not a frame, only text"))
  );
  assertEquals(error.code, "bad_frame");
  assertStringIncludes(error.message, "broke the protocol");
});

Deno.test("a message on an unknown channel fails every call as bad_frame", async () => {
  const error = await endedBy((peer) =>
    peer.write(encodeFrame({ type: Type.MESSAGE, channel: 99, sender: 3 }))
  );
  assertStringIncludes(error.message, "channel 99 was never opened or announced");
});

Deno.test("a second WELCOME, and a malformed control payload, break the protocol", async () => {
  const second = await endedBy((peer) => peer.control({ type: Type.WELCOME }, { session: "x" }));
  assertEquals(second.code, "bad_payload");
  const joined = await endedBy((peer) => peer.control({ type: Type.JOINED, channel: 5 }, []));
  assertEquals(joined.code, "bad_payload");
});

Deno.test("messages received before the end are still iterated", async () => {
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.open(5);
    await peer.write(
      encodeFrame({ type: Type.MESSAGE, channel: 5, sender: 3, flags: 1 }, new Uint8Array([65])),
    );
  }, async (port) => {
    const client = await connect({ port, reconnect: false });
    const chat = await client.subscribe("chat");
    await client.closed;
    const received: string[] = [];
    await assertRejects(async () => {
      for await (const message of chat) received.push(message.text());
    }, ParleyError);
    assertEquals(received, ["A"]);
  });
});

Deno.test("close fails calls under way as closed, and ends loops without an error", async () => {
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.open(5);
    await peer.drain();
  }, async (port) => {
    const client = await connect({ port, reconnect: false });
    const chat = await client.subscribe("chat");
    const loop = (async () => {
      for await (const _ of chat);
    })();
    const request = assertRejects(() => client.request("chat", "?"), ParleyError);
    await Promise.resolve();
    await Promise.all([client.close(), client.close()]);
    assertEquals((await request).code, "closed");
    await loop;
    assertEquals(await client.closed, undefined);
  });
});

Deno.test("close waits until the server has taken what was published", async () => {
  await using server = await serve({ port: 0 });
  await using reader = await connect({ port: server.port });
  const channel = await reader.subscribe("chat");
  const publisher = await connect({ port: server.port });
  for (let i = 0; i < 1000; i++) publisher.publish("chat", `${i}`);
  await publisher.close();
  let count = 0;
  for await (const message of channel) {
    assertEquals(message.text(), `${count++}`);
    if (count === 1000) break;
  }
});

Deno.test("close fails if the connection is lost before the server has confirmed what was published", async () => {
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.open(5);
    await peer.expect(Type.MESSAGE);
    await peer.expect(Type.PING);
  }, async (port) => {
    const client = await connect({ port, reconnect: false });
    await client.publish("chat", "important");
    assertEquals((await assertRejects(() => client.close(), ParleyError)).code, "disconnected");
  });
});

Deno.test("a PING of the server is answered with the same id and payload", async () => {
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.write(encodeFrame({ type: Type.PING, id: 9 }, new Uint8Array([1, 2, 3])));
    const { header, payload } = await peer.expect(Type.PONG);
    assertEquals([header.id, header.sender, [...payload]], [9, 17, [1, 2, 3]]);
    await peer.control({ type: Type.BYE }, { reason: "tested" });
    await peer.drain();
  }, async (port) => {
    await using client = await connect({ port, reconnect: false });
    assertStringIncludes((await client.closed)?.message ?? "", "tested");
  });
});

Deno.test("a silent server gets a PING after one heartbeat, and the connection ends after two", async () => {
  await playServer(async (server) => {
    using peer = await server.greet({ heartbeat: 0.05 });
    const { header } = await peer.expect(Type.PING);
    await peer.write(encodeFrame({ type: Type.PONG, id: header.id }));
    await peer.expect(Type.PING);
    await peer.drain();
  }, async (port) => {
    await using client = await connect({ port, reconnect: false });
    const error = await client.closed;
    assertEquals(error?.code, "timeout");
    assertStringIncludes(error?.message ?? "", "has been silent for 0.1 s");
  });
});

Deno.test("a server that keeps sending gets no PING", async () => {
  await playServer(async (server) => {
    using peer = await server.greet({ heartbeat: 0.1 });
    for (let i = 0; i < 10; i++) {
      await new Promise((resolve) => setTimeout(resolve, 30)); // the test is about time
      await peer.write(encodeFrame({ type: Type.PONG }));
    }
    await peer.control({ type: Type.BYE }, { reason: "done" });
    assertEquals(await peer.read(), undefined);
  }, async (port) => {
    await using client = await connect({ port, reconnect: false });
    assertStringIncludes((await client.closed)?.message ?? "", "done");
  });
});

Deno.test("extensions are skipped, and a ping that times out fails alone", async () => {
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.write(encodeFrame({ type: 0x80, id: 1, channel: 1 }, new Uint8Array(5)));
    const late = await peer.expect(Type.PING);
    const inTime = await peer.expect(Type.PING);
    for (const { header } of [late, inTime]) {
      await peer.write(encodeFrame({ type: Type.PONG, id: header.id }));
    }
    await peer.drain();
  }, async (port) => {
    await using client = await connect({ port, reconnect: false });
    assertEquals((await assertRejects(() => client.ping({ timeoutMs: 20 }), ParleyError)).code, "timed_out");
    assert(await client.ping() >= 0);
  });
});

Deno.test("trace sees every frame, both ways, in order", async () => {
  await using server = await serve({ port: 0 });
  const seen: string[] = [];
  const trace = (way: "in" | "out", { type, length }: Header, payload: Uint8Array) => {
    assertEquals(length, payload.length);
    seen.push(`${way} ${Object.entries(Type).find(([, value]) => value === type)?.[0]}`);
  };
  const client = await connect({ port: server.port, trace });
  const chat = await client.subscribe("chat");
  await client.publish("chat", "one");
  await client.publish("chat", new Uint8Array(40_000));
  while ((await chat.next()).value?.kind !== "bytes");
  await client.ping();
  await client.close();
  assertEquals(seen, [
    ...["out HELLO", "in WELCOME", "out OPEN", "in OPENED", "out MESSAGE", "out MESSAGE", "in MESSAGE"],
    ...["in MESSAGE", "out PING", "in PONG", "out BYE"],
  ]);
});
