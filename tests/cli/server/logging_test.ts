/**
 * The log of a running server: it never stops the server, and goes where it is told to.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { connect } from "../../../lib/client/connect.ts";
import { within } from "../../harness/deadline.ts";
import { assertFailure } from "../../harness/program.ts";
import { siteTest } from "../../harness/site.ts";

const isLinux = Deno.build.os === "linux";

/** The objects in JSON lines. */
const objects = (text: string) => text.trimEnd().split("\n").map((line) => JSON.parse(line));

siteTest("a server whose stderr and log file nothing reads goes on, and stops on SIGTERM", async (site) => {
  const pipe = `${site.path}/pipe`;
  assertEquals((await new Deno.Command("mkfifo", { args: [pipe] }).output()).code, 0);
  const [program, ...first] = site.programs.server;
  const args = [
    ...first,
    "--port",
    "0",
    "--log-level",
    "debug",
    "--log-format",
    "json",
    "--log-file",
    pipe,
  ];
  const child = new Deno.Command(program, { args, cwd: site.path, stderr: "piped", stdout: "null" }).spawn();
  const ended = child.status;
  const stderr = child.stderr.getReader();
  const decoder = new TextDecoder();
  let text = "";
  const readMore = async () => {
    const { done, value } = await stderr.read();
    assert(!done, `the server ended; it said: ${text}`);
    text += decoder.decode(value);
  };
  const LISTENING = /^.*"listening".*$\n/m;
  while (!LISTENING.test(text)) await readMore();
  const { port } = JSON.parse(LISTENING.exec(text)![0]);
  // A pipe holds 64 KiB. Each connection is three lines of some 200 bytes.
  for (let count = 0; count < 400; count++) {
    await using client = await within(connect({ port, name: "n".repeat(60) }), `connection ${count}`);
    await client.ping();
  }
  // Once it is read, the number of lines that were lost follows.
  const read = async () => {
    while (!/"lines of the log were lost","lines":\d+/.test(text)) {
      await readMore();
    }
  };
  // What waited fits into the queue, so nothing is lost until that is full.
  for (let count = 0; count < 2500; count++) {
    using socket = await Deno.connect({ hostname: "127.0.0.1", port });
    await socket.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    await socket.read(new Uint8Array(512)); // so the server has read it, and logged what it is
  }
  await using client = await within(connect({ port, reconnect: false }), "connection");
  const released = client.closed;
  await within(read(), "the number of lost lines");
  for (let count = 0; count < 400; count++) {
    await using _client = await within(connect({ port, name: "n".repeat(60) }), `connection ${count}`);
  }
  child.kill("SIGTERM");
  const { code } = await within(ended, "end of the server", 8_000);
  await released;
  assertEquals(code, 0);
  await stderr.cancel();
}, { ignore: !isLinux });

siteTest("SIGHUP opens the log file anew", async (site) => {
  const file = `${site.path}/log`;
  const server = await site.serve("--log-file", file, "--log-level", "info");
  await server.log.untilLike("listening");
  await Deno.rename(file, `${file}.old`);
  server.program.kill("SIGHUP");
  await server.log.untilLike("checked for a new certificate and changed tokens");
  await server.stop();
  const [old, now] = [
    objects(await Deno.readTextFile(`${file}.old`)),
    objects(await Deno.readTextFile(file)),
  ];
  assertStringIncludes(old.map(({ message }) => message).join(), "listening");
  assertEquals(now.at(-1).message, "stopped");
}, { ignore: !isLinux });

siteTest(
  "the log file may be /dev/stdout or a process, and options may come from /dev/stdin",
  async (site) => {
    await using server = site.start("server", ["--config", "/dev/stdin", "--log-file", "/dev/stdout"]);
    await server.type('{ "port": 0, "log-format": "json", "auth": true }');
    await server.endInput();
    const [, port] = await server.stdout.until(/"message":"listening".*"port":(\d+)/);
    const token = await site.issue("--name", "Ada", "--publish", ">");
    for (const from of ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"]) {
      await using client = site.start("client", ["ping", "--port", port, "--token", `@${from}`]);
      await client.type(`${token}\n`);
      await client.endInput();
      const { code, stderr } = await client.ended();
      assertEquals([code, stderr], [0, ""], from);
    }
    await using twice = site.start("client", ["request", "x", "-", "--port", port, "--token", "@/dev/stdin"]);
    await twice.type(`${token}\n`);
    await twice.endInput();
    assertFailure(await twice.ended(), 2, /stdin has been read for --token or --ca/);
    const script = 'exec "$@" --token @<(echo "$TOKEN") --log-file >(cat >&2) --log-level info';
    const program = ["bash", "-c", script, "bash", ...site.programs.client];
    const substituted = await site.parley(["ping", "--port", port], { program, env: { TOKEN: token } });
    assertEquals(substituted.code, 0, substituted.stderr);
    assertMatch(substituted.stderr, /"message":"connected"/);
    server.kill("SIGTERM");
    const { code, stdout } = await server.ended();
    assertEquals(code, 0);
    // The join link stands between the lines of the log.
    const log = stdout.trimEnd().split("\n").filter((line) => line.startsWith("{"));
    assert(log.some((line) => JSON.parse(line).message === "stopped"));
  },
  { ignore: !isLinux, compiled: true },
);

siteTest("what cannot be opened is an error that says what can", async (site) => {
  const { code, stderr } = await site.server(["--port", "0", "--log-file", "/dev/full"]);
  assertEquals(code, 1);
  assertMatch(stderr, /^parley-server: cannot write the log file: .*\/dev\/stdout or \/dev\/stderr\n$/);
  assertEquals(stderr.includes("allow-all"), false);
}, { ignore: !isLinux });

for (const tls of [false, true]) {
  siteTest(
    `with${tls ? "" : "out"} TLS, a health check is no warning, and a PROXY header gets a hint`,
    async (site) => {
      const server = await site.serve("--log-level", "debug", ...tls ? ["--tls"] : []);
      const address = { hostname: "127.0.0.1", port: server.port };
      (await Deno.connect(address)).close();
      const { level } = await server.log.until(tls ? "TLS handshake failed" : "closed");
      assertEquals(level, tls ? "debug" : "info");
      for (const header of ["PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c"]) {
        const proxy = await Deno.connect(address); // reading all of it closes it
        await proxy.write(new TextEncoder().encode(header));
        const answer = await new Response(proxy.readable).text().catch(() => "");
        if (!tls) assertStringIncludes(answer, "turn it off in the proxy");
      }
      await server.stop();
      const warnings = server.log.lines.filter(({ level }) => level === "warn");
      assertEquals(warnings.length, 2);
      for (const warning of warnings) {
        assertStringIncludes(String(warning.reason), "turn it off in the proxy");
      }
    },
    { ignore: !isLinux },
  );
}
