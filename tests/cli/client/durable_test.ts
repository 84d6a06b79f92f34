/**
 * The commands on durable channels: importing, replaying, working, also while the server is killed again and again.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { LOGGED, processTest, Program } from "../../harness/program.ts";
import { ServerProcess } from "../../harness/server_process.ts";
import { type Site, siteTest } from "../../harness/site.ts";

function serve(site: Site, listenPort = 0): Promise<ServerProcess> {
  const args = ["--durable", "d.>", "--store", `${site.path}/store`];
  return ServerProcess.start({ args, listenPort, cwd: site.path });
}

/** Runs `parley ARGS` with `input` as its stdin; resolves to its exit code. */
async function feed(site: Site, args: readonly string[], input: string): Promise<number> {
  await using program = site.start("client", args);
  await program.type(input);
  await program.endInput();
  return (await program.ended()).code;
}

siteTest("an import goes on where it was, and everything stored can be shown", async (site) => {
  await using server = await serve(site);
  const port = ["--port", `${server.port}`];
  const lines = (count: number) => Array.from({ length: count }, (_, i) => `line ${i + 1}\n`).join("");
  const publish = ["publish", "d.lines", "-", "--producer", "p1", ...port];
  assertEquals(await feed(site, publish, lines(3)), 0);
  assertEquals(await feed(site, publish, lines(5)), 0);
  const shown = await site.parley(["subscribe", "d.lines", "--from", "all", "--end", "--raw", ...port]);
  assertEquals([shown.code, shown.stdout], [0, lines(5)]);
  const part = ["subscribe", "d.lines", "--from", "4", "--end", "--format", "{sequence} {payload}", ...port];
  assertEquals((await site.parley(part)).stdout, "4 line 4\n5 line 5\n");
  const [first] =
    (await site.parley(["subscribe", "d.lines", "--from", "all", "--count", "1", "--json", ...port]))
      .stdout.split("\n");
  assertEquals(JSON.parse(first).sequence, 1);
  const consumed = ["subscribe", "d.lines", "--consumer", "c", "--count", "2", "--raw", ...port];
  assertEquals((await site.parley(consumed)).stdout, "line 1\nline 2\n");
  assertEquals((await site.parley(consumed)).stdout, "line 3\nline 4\n");
});

siteTest("work does what the exit code of its command says", async (site) => {
  await using server = await serve(site);
  const port = ["--port", `${server.port}`];
  await feed(site, ["publish", "d.jobs", "-", ...port], "good\nwrong\nlater\nbad\n");
  const script = 'read job; echo "$job $PARLEY_SEQUENCE $PARLEY_DELIVERIES"; case $job in wrong) exit 65;; ' +
    'later) [ "$PARLEY_DELIVERIES" -gt 1 ] || exit 75;; bad) exit 1;; esac';
  const work = await site.parley(
    ["work", "d.jobs", "--consumer", "w", "--exec", script, "--retries", "1", "--count", "6", ...port],
  );
  assertEquals(work.code, 0, work.stderr);
  assertEquals(work.stdout.trimEnd().split("\n").sort(), [
    "bad 4 1",
    "bad 4 2",
    "good 1 1",
    "later 3 1",
    "later 3 2",
    "wrong 2 1",
  ]);
  assertMatch(work.stderr, /message 2 of d\.jobs is set aside: /);
  assertMatch(work.stderr, /message 3 of d\.jobs is tried again in [\d.]+ s\n/);
  assertMatch(work.stderr, /message 4 of d\.jobs is set aside after 2 deliveries: /);
  const listed = await site.ok("store", "list", "--store", `${site.path}/store`);
  assertMatch(listed, / consumer w {2}lag 0, at 4, 0 sessions, 2 set aside\n/);
});

processTest("every line arrives once and in order while the server is killed again and again", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "parley-test-" });
  const args = ["--durable", "d.>", "--store", `${folder}/store`];
  let server = await ServerProcess.start({ args });
  const { port } = server;
  try {
    const start = (...command: string[]) => new Program([...command, "--port", `${port}`, ...LOGGED]);
    await using subscribe = start("subscribe", "d.lines", "--from", "all", "--raw");
    await using work = start(
      "work",
      "d.lines",
      "--consumer",
      "w",
      "--exec",
      'echo "$(cat)"',
      "--parallel",
      "8",
    );
    await using publish = start("publish", "d.lines", "-", "--producer", "p1");
    await Promise.all([subscribe.stderr.until(/"subscribed"/), work.stderr.until(/"working"/)]);
    let count = 0;
    for (let kills = 0; kills < 3; kills++) {
      const lines = Array.from({ length: 60 }, () => `line ${++count}\n`);
      const typing = publish.type(lines.join(""));
      await subscribe.stdout.until(new RegExp(`line ${count - 40}\\n`));
      server.kill("SIGKILL");
      await server[Symbol.asyncDispose]();
      server = await ServerProcess.start({ args, listenPort: port });
      await typing;
    }
    await subscribe.stdout.until(new RegExp(`line ${count}\\n`));
    const expected = Array.from({ length: count }, (_, i) => `line ${i + 1}`);
    assertEquals(subscribe.stdout.text.trimEnd().split("\n"), expected);
    await publish.stderr.until(/connected again/);
    await subscribe.stderr.until(/connected again after [\d.]+ s\n/); // and nothing may be missing
    // A worker does each line at least once, in no certain order.
    for (const line of expected) await work.stdout.until(new RegExp(`${line}\\b`));
    await publish.endInput();
    assertEquals((await publish.status).code, 0);
  } finally {
    await server[Symbol.asyncDispose]();
    Deno.removeSync(folder, { recursive: true });
  }
});
