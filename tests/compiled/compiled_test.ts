/**
 * The two programs as `deno task compile` made them: started from an empty folder, by themselves, talking to each
 * other. That they start at all must be tested: with a wrong runtime base, an executable opens a REPL instead.
 *
 * Ignored while there is no dist/, unless PARLEY_COMPILED=required says that there must be.
 *
 * @module
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { connect } from "../../lib/mod.ts";
import { COMPILED } from "../harness/program.ts";
import { Site } from "../harness/site.ts";

function compiledTest(name: string, fn: (site: Site) => Promise<void>): void {
  Deno.test({
    name: `compiled: ${name}`,
    ignore: COMPILED === undefined,
    fn: async () => {
      await using site = new Site(COMPILED);
      await fn(site);
      assertEquals([...Deno.readDirSync(site.path)].map(({ name }) => name), [], "left in the folder");
    },
  });
}

compiledTest("the client pings the server, and SIGTERM ends the server with 0", async (site) => {
  const server = await site.serve();
  const port = `${server.port}`;
  const ping = await site.parley(["ping", "--port", port, "--name", "Ada"]);
  assertEquals([ping.code, ping.stderr], [0, ""]);
  assertMatch(ping.stdout, /^connected to parley [\d.]+ as Ada, session \d+, .*\npong 1: [\d.]+ ms\n$/);
  const { stdout, stderr } = await server.stop();
  assertEquals(stdout, "");
  assertStringIncludes(stderr, '"message":"stopped"');
});

compiledTest("a client prints what another publishes", async (site) => {
  const server = await site.serve();
  const port = `${server.port}`;
  const listener = site.startClient(["subscribe", "chat.*", "--count", "1", "--port", port]);
  await listener.stderr.until(/"subscribed"/);
  assertEquals((await site.parley(["publish", "chat.lobby", "hello", "--port", port])).code, 0);
  const { code, stdout } = await listener.ended();
  assertEquals(code, 0);
  assertMatch(stdout, /^chat\.lobby \d+ hello\n$/);
});

compiledTest("a client answers the request of another with a command", async (site) => {
  const server = await site.serve();
  const port = `${server.port}`;
  const responder = site.startClient(["respond", "text.upper", "--exec", "tr a-z A-Z", "--port", port]);
  await responder.stderr.until(/"responding"/);
  const asked = await site.parley(["request", "text.upper", "quiet", "--port", port]);
  assertEquals(asked, { code: 0, stdout: "QUIET\n", stderr: "" });
  responder.kill("SIGINT");
  assertEquals((await responder.ended()).code, 0);
});

compiledTest("bench finds its threads in the executable", async (site) => {
  const server = await site.serve();
  const args = ["publish", "--duration", "300ms", "--under-way", "1", "--json", "--port", `${server.port}`];
  const { code, stdout, stderr } = await site.parley(["bench", ...args]);
  assertEquals([code, stderr, JSON.parse(stdout).messages > 0], [0, "", true]);
});

compiledTest(
  "what a durable channel has survives SIGKILL, and only one server opens its store",
  async (site) => {
    const store = await site.folder("store");
    const durable = ["--durable", "d.>", "--store", store];
    const first = await site.serve(...durable);
    assertEquals((await site.parley(["publish", "d.a", "hello", "--port", `${first.port}`])).code, 0);
    const second = await site.server(["--port", "0", ...durable]);
    assertEquals([second.code, second.stdout], [1, ""]);
    assertStringIncludes(second.stderr, "another process has the store");
    first.kill("SIGKILL");
    await first.program.status;
    const again = await site.serve(...durable);
    const replay = ["subscribe", "d.a", "--from", "all", "--end", "--raw", "--port", `${again.port}`];
    assertEquals((await site.parley(replay)).stdout, "hello\n");
    await again.stop();
    await Deno.remove(store, { recursive: true });
  },
);

compiledTest("failures are one line and their exit code", async (site) => {
  const server = await site.serve();
  const port = `${server.port}`;
  const unanswered = await site.parley(["request", "nothing", "x", "--port", port]);
  const [usage, typo] = [await site.parley(["publish"]), await site.parley(["pnig"])];
  await server.stop();
  const gone = await site.parley(["ping", "--port", port]);
  assertEquals([unanswered, usage, typo, gone].map(({ code }) => code), [5, 2, 2, 3]);
  for (const { stderr } of [unanswered, usage, typo, gone]) assertMatch(stderr, /^parley: [^\n]+\n$/);
  assertStringIncludes(typo.stderr, "did you mean ping?");
});

compiledTest("help, version and config need no server", async (site) => {
  const flags = [["--version", /^\d+\.\d+\.\d+\n$/], ["--help", /^Usage: parley/m]] as const;
  for (const run of [(args: string[]) => site.parley(args), (args: string[]) => site.server(args)]) {
    for (const [flag, expected] of flags) {
      const { code, stdout, stderr } = await run([flag]);
      assertEquals([code, stderr], [0, ""]);
      assertMatch(stdout, expected);
    }
  }
  assertMatch(await site.ok("config", "--port", "7000"), /^ {2}port +7000 +flag$/m);
});

compiledTest(
  "nothing is read from the folder for temporary files, in which any user can write",
  async (site) => {
    const folder = await site.folder("tmp");
    // Deno's code cache for a compiled program is a file of a name that can be guessed. A FIFO there is a read without end.
    const caches = ["parley-server", "parley"].map((name) => `${folder}/deno-compile-${name}.cache`);
    assertEquals((await new Deno.Command("mkfifo", { args: caches }).output()).code, 0);
    const env = { TMPDIR: folder };
    const runs = [site.server(["--version"], { env }), site.parley(["--version"], { env })];
    for (const { code, stderr } of await Promise.all(runs)) assertEquals([code, stderr], [0, ""]);
    await Deno.remove(folder, { recursive: true });
  },
);

compiledTest("--web serves health, the page, and a session over a WebSocket", async (site) => {
  const server = await site.serve("--web", "0");
  const url = `${(await server.log.until("web")).url}`;
  const ready = await fetch(`${url}/health/ready`);
  assertEquals([ready.status, await ready.json()], [200, { status: "ready" }]);
  const page = await fetch(url);
  assertStringIncludes(await page.text(), "<title>Parley</title>");
  await using client = await connect({ url: url.replace("http", "ws"), name: "Ada" });
  assertEquals((await client.request("$echo", "over a WebSocket")).text(), "over a WebSocket");
  const elsewhere = await fetch(`${url}/health/live`, { headers: { origin: "https://elsewhere.example" } });
  assertEquals([elsewhere.status, (await elsewhere.json()).code], [403, "wrong_origin"]);
  await client.close();
  const { stderr } = await server.stop();
  assertStringIncludes(stderr, '"message":"stopped"');
});
