import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { connect } from "../../lib/client/connect.ts";
import { ParleyError } from "../../lib/errors.ts";
import { serve } from "../../lib/server/serve.ts";
import { encodeControl } from "../../lib/wire/control.ts";
import { Type } from "../../lib/wire/header.ts";
import { type FakePeer, playServer, WELCOME } from "./fake_server.ts";

/** The error of a `connect` to a server that `script` plays. */
function failure(script: (peer: FakePeer) => Promise<unknown>, timeoutMs = 5_000): Promise<ParleyError> {
  return playServer(
    async (server) => {
      using peer = await server.accept();
      await script(peer);
      await peer.drain();
    },
    (port) => assertRejects(() => connect({ port, timeoutMs }), ParleyError),
  );
}

function answering(text: string): (peer: FakePeer) => Promise<unknown> {
  return async (peer) => {
    await peer.expect(Type.HELLO);
    await peer.write(new TextEncoder().encode(text));
  };
}

Deno.test("connect resolves to the session that the server's WELCOME describes", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ url: server.url, name: "Ada" });
  assertEquals(client.name, "Ada");
  assertStringIncludes(client.greeting, "Ada");
  assertMatch(client.uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  assert(client.sessionId > 0);
  assertEquals(client.server.name, "parley");
  assertEquals(client.limits.payload, 1_048_576);
});

Deno.test("a client without a name gets the name of a guest", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  assertEquals(client.name, `guest-${client.sessionId}`);
});

Deno.test("serverTime is the time in the WELCOME, or undefined if there is none", async () => {
  const serverTimeOf = (time: string | undefined) =>
    playServer(async (server) => {
      using peer = await server.greet({ time });
      await peer.drain();
    }, async (port) => {
      await using client = await connect({ port });
      return client.serverTime;
    });
  assertEquals(await serverTimeOf("2026-11-25T12:00:00.000Z"), new Date("2026-11-25T12:00:00.000Z"));
  assertEquals(await serverTimeOf("noon"), undefined);
  assertEquals(await serverTimeOf(undefined), undefined);
});

Deno.test("closed resolves to nothing after close, and later calls fail as closed", async () => {
  await using server = await serve({ port: 0 });
  const client = await connect({ port: server.port });
  await client.close();
  assertEquals(await client.closed, undefined);
  assertEquals((await assertRejects(() => client.ping(), ParleyError)).code, "closed");
  assertEquals((await assertRejects(() => client.subscribe("chat"), ParleyError)).code, "closed");
  await client.close();
});

Deno.test("ping measures the round trip", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  const ms = await client.ping();
  assert(ms > 0 && ms < 5_000, `${ms} ms`);
});

Deno.test("nothing listening is unreachable, and the error says what to start", async () => {
  const listener = Deno.listen({ port: 0 });
  const { port } = listener.addr;
  listener.close();
  const error = await assertRejects(
    () => connect({ port }),
    ParleyError,
    `nothing listens on 127.0.0.1:${port}`,
  );
  assertEquals(error.code, "unreachable");
});

Deno.test("an HTTP server is recognised", async () => {
  const error = await failure(answering("HTTP/1.1 400 Bad Request\r\n\r\n"));
  assertEquals(error.code, "not_parley");
  assertStringIncludes(error.message, "speaks HTTP");
});

Deno.test("a TLS server is recognised by its alert, shorter than a header", async () => {
  const error = await failure((peer) => peer.write(new Uint8Array([0x15, 3, 1, 0, 2, 2, 70])));
  assertEquals(error.code, "not_parley");
  assertStringIncludes(error.message, "speaks TLS");
});

Deno.test("an echo server is recognised", async () => {
  const error = await failure(async (peer) => {
    const { payload } = await peer.expect(Type.HELLO);
    await peer.write(encodeControl({ type: Type.HELLO }, JSON.parse(new TextDecoder().decode(payload))));
  });
  assertEquals(error.code, "not_parley");
  assertStringIncludes(error.message, "echo server");
});

Deno.test("any other banner is quoted, without bytes that could control a terminal", async () => {
  const error = await failure((peer) => peer.write(new TextEncoder().encode("SSH-2.0-x\r\n")));
  assertStringIncludes(error.message, 'answered "SSH-2.0-x"');
  const binary = await failure((peer) => peer.write(new Uint8Array([0x1b, 0x5b, 0x32, 0x4a])));
  assertStringIncludes(binary.message, "1b 5b 32 4a");
});

Deno.test("a peer that closes at once is reported as such", async () => {
  const error = await failure((peer) => Promise.resolve(peer.conn.close()));
  assertEquals(error.code, "disconnected");
  assertStringIncludes(error.message, "without a greeting");
});

Deno.test("a peer that stays silent fails connect after its timeout", async () => {
  const error = await failure(() => Promise.resolve(), 100);
  assertEquals(error.code, "timeout");
  assertStringIncludes(error.message, "did not greet within 0.1 s");
});

Deno.test("a WELCOME cut short by the end of the connection does not count", async () => {
  const frame = encodeControl({ type: Type.WELCOME }, WELCOME);
  const error = await failure(async (peer) => {
    await peer.write(frame.subarray(0, frame.length - 1));
    await peer.conn.closeWrite();
  });
  assertEquals(error.code, "disconnected");
});

Deno.test("a WELCOME that lacks a key is rejected, and the error names the key", async () => {
  const error = await failure((peer) =>
    peer.control({ type: Type.WELCOME }, { ...WELCOME, limits: undefined })
  );
  assertEquals(error.code, "bad_payload");
  assertStringIncludes(error.message, 'WELCOME lacks "limits"');
});

Deno.test("a rejection by the server keeps its code and message", async () => {
  const rejection = { code: "unauthorized", message: "a token is needed", fatal: true };
  const error = await failure((peer) => peer.control({ type: Type.ERROR }, rejection));
  assertEquals([error.code, error.message, error.fatal], ["unauthorized", "a token is needed", true]);
});

for (
  const [options, expected] of [
    [{ url: "http://127.0.0.1:7253" }, "begins with http:"],
    [{ url: "nonsense" }, "not a URL; write it as"],
    [{ url: "parley://a:1/path" }, "a link holds a host, a port"],
    [{ url: "parley://a:1", port: 2 }, "not both"],
    [{ port: 0 }, "port must be a whole number from 1 to 65535"],
    [{ port: 1, name: "" }, "a name has 1 to 64 characters"],
    [{ port: 1, name: "a\x1bb" }, "no control characters"],
    [{ port: 1, timeoutMs: 0 }, "timeoutMs must be a number above 0"],
    [{ hostname: "198.51.100.1", token: "secret" }, "unencrypted"],
  ] as const
) {
  Deno.test(`connect(${JSON.stringify(options)}) is rejected before anything is sent`, async () => {
    const error = await assertRejects(() => connect(options), ParleyError, expected);
    assertEquals(error.code, "bad_argument");
    assert(!error.message.includes("secret"));
  });
}

Deno.test("the token goes into the HELLO", async () => {
  await playServer(async (server) => {
    using peer = await server.accept();
    assertEquals((await peer.expect(Type.HELLO)).json(), { protocol: "parley/1", token: "t0k3n" });
    await peer.control({ type: Type.WELCOME }, WELCOME);
    assertEquals((await peer.expect(Type.BYE)).json(), { reason: "enough" });
  }, async (port) => {
    const client = await connect({ port, token: "t0k3n" });
    await client.close("enough");
  });
});
