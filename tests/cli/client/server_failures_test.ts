/**
 * Every failure of a server, as `parley` reports it: one line, one exit code, one log record.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { serve } from "../../../lib/server/serve.ts";
import { Type } from "../../../lib/wire/header.ts";
import { type FakePeer, playServer, WELCOME } from "../../client/fake_server.ts";
import { runParley } from "../../harness/in_process.ts";
import { assertFailure, LOGGED, parley, processTest, Program } from "../../harness/program.ts";

/** Runs `parley ping` against a server that `play` acts as. */
function pingAgainst(play: (peer: FakePeer) => Promise<unknown>, ...args: string[]) {
  return playServer(async (server) => {
    using peer = await server.accept();
    await play(peer);
    await peer.drain();
  }, (port) => runParley(["ping", "--port", `${port}`, ...args]));
}

const rejection = (code: string, message: string) => async (peer: FakePeer) => {
  await peer.expect(Type.HELLO);
  await peer.control({ type: Type.ERROR }, { code, message, fatal: true });
  await peer.conn.closeWrite();
};

Deno.test("an HTTP server is recognised", async () => {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response("hi"),
  );
  assertFailure(
    await runParley(["ping", "--port", `${server.addr.port}`]),
    3,
    /speaks HTTP, not Parley; check the port/,
  );
});

Deno.test("a silent server is given up after --timeout", async () => {
  const ended = await pingAgainst(() => Promise.resolve(), "--timeout", "300ms");
  assertFailure(ended, 3, /did not greet within 0\.\d s; check that it is a Parley server/);
});

Deno.test("a server that closes at once is reported", async () => {
  const ended = await pingAgainst((peer) => Promise.resolve(peer.conn.close()));
  assertFailure(ended, 3, /without a greeting; check/);
});

for (const [code, exit] of [["unauthorized", 4], ["server_full", 3], ["unsupported_protocol", 1]] as const) {
  Deno.test(`a refusal with ${code} ends with ${exit} and the server's message`, async () => {
    assertFailure(await pingAgainst(rejection(code, "not you")), exit, /^parley: not you/);
  });
}

Deno.test("a refusal for lack of a token says how to give one", async () => {
  const ended = await pingAgainst(rejection("unauthorized", "a token is needed"));
  assertEquals(
    ended.stderr,
    "parley: a token is needed; give a valid token with --token or PARLEY_TOKEN; " +
      "parley doctor, with the same options, finds the step that fails\n",
  );
});

Deno.test("a server's message cannot control the terminal", async () => {
  const ended = await pingAgainst(rejection("unauthorized", "\x1b[2J\nparley: all is well"));
  assertFailure(ended, 4, /^parley: \\x1b\[2J\\nparley: all is well/);
});

for (const command of [["subscribe", "chat"], ["respond", "chat", "--exec", "cat"], ["chat"]]) {
  processTest(`with --no-reconnect, a connection that breaks ends ${command[0]} with 3`, async () => {
    await playServer(async (server) => {
      using peer = await server.greet();
      await peer.open(1);
      peer.conn.close();
    }, async (port) => {
      await using program = new Program([...command, "--port", `${port}`, "--no-reconnect"]);
      const { code, stderr } = await program.ended();
      assertEquals(code, 3);
      assertMatch(stderr, /(^|\n)parley: the connection to 127[^\n]*connect again\n$/);
      assertEquals(/\n\s+at /.test(stderr), false);
    });
  });
}

Deno.test("a peer that breaks the protocol is a failure", async () => {
  const ended = await pingAgainst(async (peer) => {
    await peer.expect(Type.HELLO);
    await peer.control({ type: Type.WELCOME }, WELCOME);
    await peer.write(new TextEncoder().encode("this is no frame at all"));
  });
  assertEquals(ended.code, 1);
  assertMatch(ended.stderr, /^parley: [^\n]*broke the protocol[^\n]*\n$/);
});

processTest("a failure is logged with its details to --log-file, and stays one line on stderr", async () => {
  await using server = await serve({ port: 0 });
  const file = await Deno.makeTempFile();
  try {
    const args = ["request", "nobody", "x", "--token", "t0p-secret", "--log-file", file, "--url", server.url];
    assertFailure(await parley(args), 5, /no session responds/);
    const log = await Deno.readTextFile(file);
    const { level, message, command, exitCode, error } = JSON.parse(log);
    assertEquals([level, message, command, exitCode, error.code], [
      "warn",
      "failed",
      "request",
      5,
      "no_responders",
    ]);
    assertEquals(log.includes("t0p-secret"), false);
  } finally {
    await Deno.remove(file);
  }
});

processTest("with --log-level debug the details are on stderr too", async () => {
  await using server = await serve({ port: 0 });
  const args = ["request", "nobody", "x", "--log-level", "debug", "--url", server.url];
  const { code, stderr } = await parley([...args, ...LOGGED.slice(2)]);
  assertEquals(code, 5);
  assertMatch(stderr, /"message":"failed".*"code":"no_responders"/);
});

processTest("a log file that cannot be written is reported before anything else happens", async () => {
  const ended = await parley(["ping", "--log-file", "/nonexistent/parley.log"]);
  assertFailure(ended, 2, /cannot write the log file/);
});

Deno.test("a token is not sent to another machine without TLS", async () => {
  const args = ["ping", "--host", "198.51.100.1", "--timeout", "1"];
  const ended = await runParley(args, { env: { PARLEY_TOKEN: "t0p-secret" } });
  assertFailure(ended, 2, /would cross the network to .* unencrypted/);
  assertEquals(ended.stderr.includes("t0p-secret"), false);
});

for (
  const [args, words] of [
    [["pubish", "x"], /"pubish" is not a command; did you mean publish\?/],
    [["general"], /the commands are chat, publish, .*, ping/],
    [["publish"], /publish needs a CHANNEL, or --json/],
    [["publish", "a", "two", "words"], /at most 2 arguments, but got 3; put quotes around/],
    [["ping", "now"], /ping takes no arguments, but got "now"/],
    [["ping", "--prot", "1"], /--prot is not an option; did you mean --port\?/],
    [["ping", "--port", "0"], /--port must be a whole number from 1 to 65535, not "0"/],
    [["ping", "--timeout", "soon"], /timeout must be a time from 1ms to 1d, .* not "soon"/],
    [["ping", "--exec", "ls"], /--exec is not an option/],
    [["ping", "--url", "http://a"], /begins with http:/],
    [["ping", "--url", "parley://a", "--port", "1"], /one of --url, --context, and --host with --port/],
    [["ping", "--name", "a\tb"], /control characters/],
  ] as const
) {
  Deno.test(`parley ${args.join(" ")} is wrong usage`, async () => {
    assertFailure(await runParley(args), 2, words);
  });
}
