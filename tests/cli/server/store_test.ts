/**
 * `parley-server store`: through a running server, and without one.
 *
 * @module
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { RawClient } from "../../harness/raw_client.ts";
import { type Site, siteTest } from "../../harness/site.ts";

/** Publishes five messages on `d.jobs` as a producer; a consumer sets two of them aside. */
async function fill(port: number): Promise<void> {
  using client = await RawClient.greet({ hostname: "127.0.0.1", port });
  const { number } = await client.open("d.jobs", { subscribe: false, producer: "import" });
  for (let i = 1; i <= 5; i++) await client.send(client.durable(i, number, `job ${i}\x1b[2J`));
  while ((await client.acked()).id !== 5) { /* the receipts before it */ }
  await client.open("d.jobs", { consumer: "billing", deliveries: 1, window: 2 });
  await client.stored(2);
}

/** Runs `parley-server store ARGS`; its stdout, or stderr if there is none. */
async function store(site: Site, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await site.server(["store", ...args, "--store", `${site.path}/store`]);
  assertEquals(code, 0, stderr);
  return stdout === "" ? stderr : stdout;
}

siteTest(
  "store: an operator sees and changes what is stored while the server runs, and without it",
  async (site) => {
    await using server = await site.serve("--durable", "d.>", "--store", `${site.path}/store`);
    await fill(server.port);
    const listed = await store(site, "list");
    assertMatch(listed, /^d\.jobs {2}5 messages, \d+ bytes, sequences 1 to 5, /);
    assertStringIncludes(listed, "  producer import  5 stored\n");
    assertMatch(listed, / {2}consumer billing {2}lag 3, at 2, 0 sessions, 2 set aside\n$/);
    const [, message] = (await store(site, "show", "d.jobs", "--from", "2", "--count", "2")).trimEnd().split(
      "\n",
    );
    assertMatch(message, /^3 {2}\S+Z {2}from \d+ {2}job 3\\x1b\[2J$/);
    assertMatch(
      await store(site, "consumer", "set-aside", "d.jobs", "billing"),
      /^1 {2}delivered 1 times, .*\n2 {2}/,
    );
    assertEquals(
      await store(site, "consumer", "give-back", "d.jobs", "billing", "1"),
      "1 messages are delivered again\n",
    );
    await store(site, "consumer", "pause", "d.jobs", "billing");
    assertEquals(JSON.parse(await store(site, "list", "--json")).consumers[0].isPaused, true);
    assertStringIncludes(await store(site, "verify"), "the store is sound");
    await store(site, "backup", `${site.path}/copy.db`);
    assertEquals(await store(site, "purge", "d.jobs", "--before", "4"), "dropped 3 messages of d.jobs\n");
    assertMatch(await store(site, "list"), /^d\.jobs {2}2 messages, \d+ bytes, sequences 4 to 5/);
    const running = await site.server([
      "store",
      "restore",
      `${site.path}/copy.db`,
      "--store",
      `${site.path}/store`,
    ]);
    assertEquals(running.code, 1);
    assertMatch(running.stderr, /another process has the store .* open/);
    await server.stop();

    await store(site, "restore", `${site.path}/copy.db`);
    assertMatch(await store(site, "list"), /^d\.jobs {2}5 messages, \d+ bytes, sequences 1 to 5/);
    await store(site, "delete", "d.jobs");
    assertStringIncludes(await store(site, "list"), "nothing is stored");
  },
);

siteTest("store: a wrong command line says what is wrong", async (site) => {
  const wrong: [string[], number, RegExp][] = [
    [[], 2, /store: the commands are list, show, consumer, purge, delete, verify, backup, restore/],
    [["show"], 2, /store show takes 1 operands, got 0/],
    [["list", "--from", "3"], 2, /store list does not take --from/],
    [["consumer", "stop", "d.a", "b"], 2, /"stop": the actions are reset, pause, resume, /],
    [
      ["consumer", "reset", "d.a", "b", "all"],
      2,
      /store consumer reset needs a sequence after CHANNEL and NAME/,
    ],
    [["list", "--store", "nowhere"], 1, /there is no store nowhere/],
  ];
  await Deno.mkdir(`${site.path}/parley-state/store`, { recursive: true });
  for (const [args, code, text] of wrong) {
    const ended = await site.server(["store", ...args]);
    assertMatch(ended.stderr, text);
    assertEquals(ended.code, code, ended.stderr);
  }
});
