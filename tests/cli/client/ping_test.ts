import { assertEquals, assertMatch } from "@std/assert";
import { serve } from "../../../lib/server/serve.ts";
import { Type } from "../../../lib/wire/header.ts";
import { playServer } from "../../client/fake_server.ts";
import { RunningCommand, runParley } from "../../harness/in_process.ts";
import { assertFailure, LOGGED } from "../../harness/program.ts";

Deno.test("ping prints server, session and round trip", async () => {
  await using server = await serve({ port: 0, firstSessionId: 1 });
  const { code, stdout, stderr } = await runParley(["ping", "--url", server.url, "--name", "Ada"]);
  assertEquals([code, stderr], [0, ""]);
  assertMatch(
    stdout,
    /^connected to parley \d+\.\d+\.\d+ as Ada, session 1, [0-9a-f-]{36}\npong 1: \d+\.\d{3} ms\n$/,
  );
});

Deno.test("ping --count sends that many pings and prints a summary", async () => {
  await using server = await serve({ port: 0, firstSessionId: 1 });
  const { code, stdout } = await runParley(["ping", "--port", `${server.port}`, "--count", "2"]);
  assertEquals(code, 0);
  assertMatch(stdout, /pong 1: .*\npong 2: .*\n2 pings, min\/avg\/max [\d.]+\/[\d.]+\/[\d.]+ ms\n$/);
});

Deno.test("ping --json prints an object", async () => {
  await using server = await serve({ port: 0, firstSessionId: 1 });
  const { stdout } = await runParley(["ping", "--json"], {
    env: { PARLEY_URL: server.url, PARLEY_NAME: "Ada" },
  });
  const { ms, uuid, ...rest } = JSON.parse(stdout);
  assertEquals([typeof ms, uuid.length], ["number", 36]);
  assertEquals(rest, { sessionId: 1, name: "Ada", server: { name: "parley", version: rest.server.version } });
});

Deno.test("a server that is silent after WELCOME is exit code 5", async () => {
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.drain();
  }, async (port) => {
    const ended = await runParley(["ping", "--port", `${port}`, "--timeout", "300ms"]);
    assertEquals(ended.code, 5);
    assertMatch(ended.stderr, /^parley: [^\n]*did not answer a PING within 0.3 s\n$/);
  });
});

Deno.test("Ctrl-C ends a waiting ping with 130, after a BYE", async () => {
  let program: RunningCommand | undefined;
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.expect(Type.PING);
    program!.interrupt();
    assertEquals((await peer.expect(Type.BYE)).json(), { reason: "done" });
    await peer.drain();
  }, async (port) => {
    program = new RunningCommand(["ping", "--port", `${port}`, ...LOGGED]);
    await using _ = program;
    const { code, stderr } = await program.ended();
    assertEquals(code, 130);
    assertMatch(stderr, /"message":"interrupted","command":"ping"/);
  });
});

Deno.test("--trace shows every frame, field by field, and no token", async () => {
  await using server = await serve({ port: 0, firstSessionId: 1 });
  const args = ["publish", "chat.lobby", "hush-hush", "--trace", "--token", "t0p-secret"];
  const { code, stdout, stderr } = await runParley([...args, "--url", server.url]);
  assertEquals([code, stdout], [0, ""]);
  const summaries = stderr.split("\n").filter((line) => line.includes(" ms  "));
  assertEquals(
    summaries.map((line) => line.replace(/^ +[\d.]+ ms {2}/, "").replace(/\d\d+ bytes/, "N bytes")),
    [
      "client > server       HELLO    N bytes",
      "client < server       WELCOME  N bytes",
      "session 1 > server    OPEN     id=1 sender=1 N bytes",
      "session 1 < server    OPENED   id=1 channel=1 N bytes",
      "session 1 > server    MESSAGE  text channel=1 sender=1 9 bytes",
      "session 1 > server    PING     id=2 sender=1 0 bytes",
      "session 1 < server    PONG     id=2 0 bytes",
      "session 1 > server    BYE      sender=1 N bytes",
    ],
  );
  assertMatch(stderr, /^ {42}token {5}\(10 characters, not shown\)$/m);
  assertMatch(stderr, /^ +16 {2}68 75 73 68 2d 68 75 73 {2}payload {2}"hush-hus"$/m);
  assertEquals(stderr.includes("t0p"), false);
});

Deno.test("an unreachable server is one line and exit code 3", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const words = new RegExp(`nothing listens on 127\\.0\\.0\\.1:${port}; start a server there`);
  assertFailure(await runParley(["ping", "--port", `${port}`]), 3, words);
});
