/**
 * The programs of `examples/`, each started as its documentation says, with no more permissions than it names.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { connect, ParleyError, serve } from "@parley/parley";
import { makeFolder } from "../harness/folder.ts";
import { HAS_PYTHON, MAY_RUN } from "../harness/permissions.ts";
import { freePort, parley, processTest, Program } from "../harness/program.ts";
import { openTokenDesk } from "../harness/token_desk.ts";

const RUN = [Deno.execPath(), "run", "--quiet", "--no-check", "--no-prompt", "--allow-net", "--allow-env"];

/** Whether `jq` is installed. */
const HAS_JQ = MAY_RUN &&
  new Deno.Command("sh", { args: ["-c", "command -v jq"], stdout: "null" }).outputSync().success;

/** Starts an example, for the server at `url`. */
function start(
  name: string,
  args: readonly string[],
  url: string,
  env: Record<string, string> = {},
): Program {
  return new Program(args, { program: [...RUN, `examples/${name}`], env: { PARLEY_URL: url, ...env } });
}

processTest("chat: what one types, the other reads, by name, and leaving ends it", async () => {
  await using server = await serve({ port: 0 });
  await using ada = start("chat.ts", ["Ada", server.url], server.url);
  await ada.stdout.until(/here: Ada\n/);
  await using grace = start("chat.ts", ["Grace", server.url], server.url);
  await ada.stdout.until(/\* Grace joined\n/);
  await grace.stdout.until(/\* here: (Ada, Grace|Grace, Ada)\n/);
  await ada.type("hello, Grace\n");
  await grace.stdout.until(/^Ada: hello, Grace\n/m);
  await grace.type("bye\n");
  await grace.endInput();
  await Promise.all([/^Grace: bye\n/m, /^\* Grace parted\n/m].map((line) => ada.stdout.until(line)));
  assert((await Deno.readTextFile("examples/chat.ts")).trimEnd().split("\n").length <= 30);
  assertEquals((await grace.ended()).code, 0);
});

processTest(
  "quotes: a service answers with its token, and refuses with a code; others may not answer",
  async () => {
    using state = makeFolder();
    const { tokens } = openTokenDesk(state.path);
    const grants = { publish: [], subscribe: [], respond: [], direct: false };
    const issue = async (name: string, more: Partial<Record<"publish" | "respond", string[]>>) => {
      const { token } = await tokens.issue({ ...grants, ...more, name, expiresInSeconds: 600 });
      return { PARLEY_TOKEN: token };
    };
    const till = await issue("till", { publish: ["shop.*"] });
    await using server = await serve({ port: 0, auth: true, state: state.path });
    await using service = start(
      "quote_service.ts",
      [],
      server.url,
      await issue("quotes", { respond: ["shop.*"] }),
    );
    await service.stdout.until(/answering on shop.quote\n/);
    const ask = async (...args: string[]) => {
      await using client = start("quote_client.ts", args, server.url, till);
      return await client.ended();
    };
    const [good, unknown, bad] = await Promise.all([ask("hat", "2"), ask("shoe", "1"), ask("hat", "none")]);
    assertEquals(good, { code: 0, stdout: "2 x hat: 24\n", stderr: "" });
    assertEquals(unknown, { code: 1, stdout: "", stderr: "unknown_item: there is no shoe\n" });
    assertEquals([bad.code, bad.stdout], [1, ""]);
    assertMatch(bad.stderr, /^bad_order: /);
    await using impostor = start("quote_service.ts", [], server.url, till);
    assert((await impostor.ended()).code !== 0);
  },
);

processTest("thumbnails: the jobs are shared by the workers, and each is done once", async () => {
  await using server = await serve({ port: 0 });
  await using first = start("thumbnails.ts", ["worker"], server.url);
  await using second = start("thumbnails.ts", ["worker"], server.url);
  await Promise.all([first, second].map((worker) => worker.stdout.until(/is ready\n/)));
  const files = ["a.jpg", "b.jpg", "c.jpg", "d.jpg"];
  await using submitter = start("thumbnails.ts", ["submit", ...files], server.url);
  const { code, stdout } = await submitter.ended();
  const done = stdout.trim().split("\n").map((line) => line.split(" by "));
  assertEquals([code, done.map(([file]) => file).sort()], [0, files]);
  assertEquals(new Set(done.map(([, worker]) => worker)).size, 2, stdout);
});

/** Serves durable channels from a folder of their own. */
async function serveDurable(channels: string, maxMessages?: number) {
  const folder = makeFolder();
  const store = `${folder.path}/store`;
  const server = await serve({ port: 0, store, stored: [{ channels, storage: "durable", maxMessages }] });
  return {
    url: server.url,
    async [Symbol.asyncDispose]() {
      await server.close();
      folder[Symbol.dispose]();
    },
  };
}

processTest(
  "job queue: nothing is stored twice, and the job of a worker that is killed goes to another",
  async () => {
    await using server = await serveDurable("jobs.>");
    const submit = async (...files: string[]) => {
      await using program = start("job_queue.ts", ["submit", "monday", ...files], server.url);
      return await program.ended();
    };
    const files = ["a.jpg", "b.txt", "c.jpg"];
    const first = await submit(...files.slice(0, 2));
    assertEquals(first, { code: 0, stdout: "0 were stored before\n2 are stored now\n", stderr: "" });
    assertEquals((await submit(...files)).stdout, "2 were stored before\n1 are stored now\n");
    await using killed = start("job_queue.ts", ["worker"], server.url, { WORK_MS: "600000" });
    await killed.stdout.until(/^a\.jpg: delivery 1\n/);
    killed.kill("SIGKILL");
    await using worker = start("job_queue.ts", ["worker"], server.url);
    await worker.stdout.until(/^a\.jpg: delivery 2\na\.jpg: done\n/);
    await worker.stdout.until(/^b\.txt: delivery 1\nfailed: TypeError: b\.txt is no photo\n/m);
    await worker.stdout.until(/^c\.jpg: delivery 1\nc\.jpg: done\n/m);
    worker.kill("SIGTERM");
  },
);

processTest("current values: the last value of each name is shown, then what changes", async () => {
  await using server = await serveDurable("settings.>", 1);
  const run = async (...args: string[]) => {
    await using program = start("current_values.ts", args, server.url);
    return await program.ended();
  };
  assertEquals(await run("show"), { code: 0, stdout: "", stderr: "" });
  await run("set", "theme", "dark");
  await Promise.all([run("set", "theme", "light"), run("set", "language", "de")]);
  const { stdout } = await run("show");
  assertEquals(stdout.trimEnd().split("\n").sort(), ["language = de", "theme = light"]);
  await using watch = start("current_values.ts", ["watch"], server.url);
  await watch.stdout.until(/theme = light\n/);
  await run("set", "theme", "dark");
  await watch.stdout.until(/theme = dark\n/);
  watch.kill("SIGTERM");
});

processTest("sensors: parley subscribe --json gives jq what it selects from", async () => {
  await using server = await serve({ port: 0 });
  await using sensors = start("sensors.ts", ["kitchen", "cellar"], server.url);
  const subscribe = ["subscribe", "sensors.>", "--json", "--count", "4", "--url", server.url];
  const { code, stdout } = await parley(subscribe);
  assertEquals(code, 0);
  const messages = stdout.trim().split("\n").map((line) => JSON.parse(line));
  for (const { channel, json: { celsius, at } } of messages) {
    assertMatch(channel, /^sensors\.(kitchen|cellar)\.temperature$/);
    assert(celsius >= 17 && celsius <= 23 && !Number.isNaN(Date.parse(at)));
  }
  sensors.kill("SIGTERM");
});

Deno.test({
  name: "sensors: the jq program selects",
  ignore: !HAS_JQ,
  fn: async () => {
    const filter = /jq --unbuffered -r '(.*)'/.exec(await Deno.readTextFile("examples/sensors.ts"))![1];
    await using jq = new Program(["-r", filter], { program: ["jq"] });
    await jq.type('{"channel":"sensors.a.temperature","json":{"celsius":22.5}}\n{"json":{"celsius":21}}\n');
    await jq.endInput();
    assertEquals(await jq.ended(), { code: 0, stdout: "sensors.a.temperature 22.5\n", stderr: "" });
  },
});

processTest("graceful shutdown: a request that is being handled is answered before the end", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ url: server.url });
  const made = await client.subscribe("reports.made");
  await using program = start("graceful_shutdown.ts", [], server.url);
  await program.stdout.until(/answering/);
  const reply = client.request("reports.make", "march");
  await program.stdout.until(/making march\n/);
  program.kill("SIGTERM");
  assertEquals((await reply).text(), "report of march");
  assertEquals((await made.next()).value?.text(), "march");
  const { code, stdout, stderr } = await program.ended();
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /\nSIGTERM: finishing\ndone\n$/);
});

Deno.test({
  name: "the client in Python publishes, subscribes, responds and requests, and has under 150 lines",
  ignore: !HAS_PYTHON,
  fn: async () => {
    const lines = (await Deno.readTextFile("examples/client.py")).trimEnd().split("\n");
    assert(lines.length < 150, `it has ${lines.length}`);
    await using server = await serve({ port: 0 });
    await using client = await connect({ url: server.url });
    const python = (...args: string[]) =>
      new Program(args, {
        program: ["python3", "-u", "examples/client.py"],
        env: { PARLEY_URL: server.url },
      });

    await using _responder = python("respond", "text.upper");
    await until(async () => (await client.request("text.upper", "loud")).text() === "LOUD");
    await using requester = python("request", "text.upper", "grüße");
    assertEquals(await requester.ended(), { code: 0, stdout: "GRÜSSE\n", stderr: "" });

    await using subscriber = python("subscribe", "chat.*");
    await using lobby = await client.subscribe("chat.lobby", { presence: true });
    await until(() => Promise.resolve(lobby.memberCount === 1));
    await until(async () => {
      await client.publish("chat.lobby", "hello", { headers: { lang: "en" } });
      return subscriber.stdout.text !== "";
    });
    await subscriber.stdout.until(new RegExp(`^chat.lobby ${client.sessionId} hello\n`));
    await using publisher = python("publish", "chat.hall", "from Python");
    assertEquals((await publisher.ended()).code, 0);
    await subscriber.stdout.until(/^chat.hall \d+ from Python\n/m);

    await using unanswered = python("request", "text.lower", "x");
    const { code, stderr } = await unanswered.ended();
    assertEquals(code, 1);
    assertMatch(stderr, /^client\.py: [^\n]*responds[^\n]*\n$/);
  },
});

/** Tries until `attempt` succeeds: a program beside it is not ready at once. */
async function until(attempt: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !await attempt().catch(() => false); tries++) {
    assert(tries < 200, "not ready in time");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

processTest(
  "web backend: whoever has logged in gets a token that Parley accepts, and no one else",
  async () => {
    const port = freePort();
    const origin = `http://localhost:${port}`;
    await using backend = start("web_backend.ts", [], "", { ORIGIN: origin });
    await backend.stdout.until(/open http:/);
    using state = makeFolder();
    const keys = `http://127.0.0.1:${port}/.well-known/jwks.json`;
    const auth = { keys, issuer: origin, audience: "parley.example" };
    await using server = await serve({ port: 0, auth, state: state.path });
    const post = async (path: string, headers: Record<string, string>, body?: URLSearchParams) => {
      const url = `http://127.0.0.1:${port}${path}`;
      const response = await fetch(url, { method: "POST", headers, body, redirect: "manual" });
      return { response, status: response.status, text: await response.text() };
    };
    const form = (password: string) => new URLSearchParams({ user: "ada", password });
    const refused = await Promise.all([
      post("/token", { origin }),
      post("/token", { origin, cookie: "session=guessed" }),
      post("/login", { origin }, form("wrong")),
      post("/login", { origin: "https://evil.example" }, form("lovelace")),
      post("/login", { origin }, form("lovelace".repeat(1000))),
    ]);
    assertEquals(refused.map(({ status }) => status), [401, 401, 401, 403, 413]);
    const login = await post("/login", { origin }, form("lovelace"));
    const setCookie = login.response.headers.get("set-cookie")!;
    assertMatch(setCookie, /^session=[^;]+; HttpOnly; SameSite=Strict; Path=\//);
    const [cookie] = setCookie.split(";");
    await using client = await connect({
      url: server.url,
      token: async () => (await post("/token", { origin, cookie })).text,
    });
    assertEquals(client.name, "ada");
    await using lobby = await client.subscribe("chat.lobby");
    await client.publish("chat.lobby", "hello");
    assertEquals((await lobby.next()).value?.text(), "hello");
    await assertRejects(() => client.subscribe("jobs.>"), ParleyError, "does not allow");
    const page = await fetch(`http://127.0.0.1:${port}/`, { headers: { cookie } });
    assertMatch(page.headers.get("content-security-policy")!, /default-src 'none'; script-src 'self'/);
    assertMatch(await page.text(), /<script type="module" src="\/page.js">/);
    assertEquals((await post("/logout", { origin, cookie })).status, 303);
    assertEquals((await post("/token", { origin, cookie })).status, 401);
    backend.kill("SIGTERM");
  },
);
