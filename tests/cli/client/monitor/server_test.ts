/**
 * `parley top`, `why` and `check` against the server itself.
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Client } from "../../../../lib/client/api.ts";
import { connect } from "../../../../lib/client/connect.ts";
import { serve } from "../../../../lib/server/serve.ts";
import type { ChannelDiagnosis } from "../../../../lib/wire/stats.ts";
import { within } from "../../../harness/deadline.ts";
import { makeFolder } from "../../../harness/folder.ts";
import { runParley } from "../../../harness/in_process.ts";
import { HAS_PYTHON, MAY_USE_FILES } from "../../../harness/permissions.ts";
import { PseudoTerminal } from "../../../harness/pseudo_terminal.ts";
import { openTokenDesk } from "../../../harness/token_desk.ts";

/** Registers a test with a server that has durable channels `orders.>`. */
function storedTest(name: string, fn: (url: string) => Promise<void>): void {
  Deno.test({
    name,
    ignore: !MAY_USE_FILES,
    fn: async () => {
      using folder = makeFolder();
      await using server = await serve({
        port: 0,
        stored: [{ channels: "orders.>", storage: "durable" }],
        store: `${folder.path}/store`,
      });
      await fn(server.url);
    },
  });
}

storedTest("check sees the lag of a consumer and what it has set aside", async (url) => {
  const check = (...args: string[]) => {
    return runParley(["check", "--url", url, "--consumer", "orders.new/billing", ...args]);
  };
  await using client = await connect({ url });
  for (let at = 0; at < 5; at++) await client.publish("orders.new", `order ${at}`);
  assertMatch((await check()).stdout, /^UNKNOWN: orders\.new has no consumer billing; /);
  await using subscription = await client.subscribe("orders.new", { consumer: "billing" });
  (await subscription.next()).value!.ack();
  (await subscription.next()).value!.setAside();
  await within(untilLag(client, "orders.new", 3), "position of the consumer");
  const behind = await check("--max-lag", "1,2");
  assertEquals(behind.code, 2);
  assertMatch(behind.stdout, /^CRITICAL: lag 3; .*consumer orders\.new\/billing; 1 set aside \|/);
  const aside = await check("--max-lag", "100", "--max-set-aside", "0,5");
  assertEquals(aside.code, 1);
  assertMatch(aside.stdout, /^WARNING: 1 set aside; .* lag=3;;100;0 set_aside=1;0;5;0\n$/);
  const all = await runParley(["check", "--url", url, "--max-lag", "2"]);
  assertEquals(all.code, 2);
});

/** Asks again and again: a position is stored some time after the acknowledgement. */
async function untilLag(client: Client, channel: string, lag: number): Promise<void> {
  while (true) {
    const { consumers } = (await client.request("$stats.why", { json: { channel } })).json<
      ChannelDiagnosis
    >();
    if (consumers[0]?.lag === lag) return;
  }
}

storedTest("why says where a message would go, and which member of a group is passed over", async (url) => {
  await using ada = await connect({ url, name: "Ada" });
  await using grace = await connect({ url, name: "Grace" });
  await using _one = await ada.subscribe("jobs.resize", { group: "workers" });
  await using _other = await grace.subscribe("jobs.*", { group: "workers" });
  const { code, stdout } = await runParley(["why", "jobs.resize", "--url", url]);
  assertEquals(code, 0);
  assertMatch(stdout, /^jobs\.resize: not stored; 1 session would receive the next message; 0 responders\n/);
  assertMatch(
    stdout,
    /\nthe next message goes to\n {2}session \d+ (Ada|Grace), by jobs\.\S+, group workers\n/,
  );
  assertMatch(stdout, /\nit does not go to\n {2}session \d+ (Ada|Grace), by jobs\.\S+, group workers: /);
  const nobody = await runParley(["why", "nobody.hears", "--url", url]);
  assertMatch(nobody.stdout, /^nobody\.hears: no session has it open, and it is not stored\n/);
  await ada.publish("nobody.hears", "hello");
  await ada.flush();
  const slow = await runParley(["why", "--url", url]);
  assertStringIncludes(slow.stdout, "channels without a subscriber\n  nobody.hears, 1 message\n");
});

storedTest("top counts what was sent", async (url) => {
  await using client = await connect({ url });
  await using _lobby = await client.subscribe("chat.lobby");
  for (let at = 0; at < 10; at++) await client.publish("chat.lobby", "hello");
  await client.publish("orders.new", "a hat");
  await client.flush();
  const { code, stdout } = await runParley(["top", "--json", "--count", "1", "--url", url]);
  const { messagesIn, messagesOut, sessions, state, store } = JSON.parse(stdout);
  assertEquals([code, messagesIn, messagesOut, sessions, state, store.messages], [0, 11, 10, 2, "ready", 1]);
});

Deno.test({
  name: "top shows the channels and sessions of the server at a terminal",
  ignore: !HAS_PYTHON,
  fn: async () => {
    await using server = await serve({ port: 0 });
    await using client = await connect({ url: server.url, name: "Ada" });
    await using _lobby = await client.subscribe("chat.lobby");
    await client.publish("chat.lobby", "hello");
    await using top = new PseudoTerminal(["top", "--url", server.url]);
    await top.screen.until(new RegExp(`^chat\\.lobby [^]*^${client.sessionId} Ada `, "m"));
    await top.type("q");
    assertEquals(await top.ended(), { code: 0, mode: "cooked" });
  },
});

Deno.test({
  name: "with tokens, all three need one that grants monitor, and say so",
  ignore: !MAY_USE_FILES,
  fn: async () => {
    using folder = makeFolder();
    const { tokens } = openTokenDesk(folder.path);
    const grants = { publish: [">"], subscribe: [">"], respond: [">"], direct: true };
    const issue = async (monitor: boolean) => {
      return (await tokens.issue({ ...grants, monitor, name: "ops", expiresInSeconds: 600 })).token;
    };
    const [looks, cannot] = [await issue(true), await issue(false)];
    await using server = await serve({ port: 0, auth: true, state: folder.path });
    const run = (token: string, ...args: string[]) => {
      return runParley(args, { env: { PARLEY_URL: server.url, PARLEY_TOKEN: token } });
    };
    for (const args of [["top", "--json", "--count", "1"], ["why"], ["why", "chat.lobby"]]) {
      const refused = await run(cannot, ...args);
      assertEquals([refused.code, refused.stdout], [4, ""], args.join(" "));
      assertMatch(
        refused.stderr,
        /^parley: .*token lacks the grant "monitor".*; issue one with .* --monitor\n$/,
      );
      assertEquals((await run(looks, ...args)).code, 0, args.join(" "));
    }
    const plain = await run(cannot, "check");
    assertEquals(plain.code, 0);
    assertMatch(plain.stdout, /^OK: round trip [\d.]+ ms; the server's state is not known: .*"monitor"/);
    assertMatch((await run(looks, "check")).stdout, /^OK: round trip [\d.]+ ms; parley \S+ is ready \|/);
    const expired = await run("not.a.token", "check");
    assertEquals(expired.code, 3);
    assertMatch(expired.stdout, /^UNKNOWN: /);
  },
});
