import { assert, assertEquals, assertMatch } from "@std/assert";
import { RunningCommand, runParley } from "../../../harness/in_process.ts";
import { HAS_PYTHON } from "../../../harness/permissions.ts";
import { assertFailure, LOGGED, processTest } from "../../../harness/program.ts";
import { PseudoTerminal } from "../../../harness/pseudo_terminal.ts";
import { makeFolder } from "../../../harness/folder.ts";
import { connect } from "../../../../lib/client/connect.ts";
import { serve } from "../../../../lib/server/serve.ts";
import { siteTest } from "../../../harness/site.ts";

/** Quick, and without load: other tests run beside these. */
const LIGHT = ["--duration", "300ms", "--under-way", "4"];

processTest("bench measures every workload, and prints an object for each", async () => {
  await using server = await serve({ port: 0 });
  const args = ["bench", ...LIGHT, "--json", "--url", server.url, "--connections", "2", "--size", "16"];
  const { code, stdout, stderr } = await runParley(args);
  assertEquals([code, stderr], [0, ""]);
  const results = stdout.trim().split("\n").map((line) => JSON.parse(line));
  const plan = { size: 16, connections: 2, underWay: 4 };
  assertEquals(
    results.map(({ workload, size, connections, subscribers, underWay }) => (
      { workload, size, connections, subscribers, underWay }
    )),
    [
      { workload: "publish", subscribers: 1, ...plan },
      { workload: "fan-out", subscribers: 10, ...plan },
      { workload: "request", subscribers: 1, ...plan },
    ],
  );
  for (const { messages, perSecond, seconds, latencyMs: { min, p50, max }, isInterrupted } of results) {
    const rate = messages / seconds;
    const isConsistent = messages > 0 && Math.abs(rate / perSecond - 1) < 0.05 && min <= p50 && p50 <= max;
    assertEquals([isConsistent, isInterrupted], [true, false], stdout);
  }
});

processTest("on a durable channel bench says that it was stored, and where", async () => {
  using folder = makeFolder();
  const stored = [{ channels: "parley-bench.*", storage: "durable" }] as const;
  await using server = await serve({ port: 0, stored, store: `${folder.path}/store` });
  const args = ["bench", "publish", "--duration", "300ms", "--url", server.url];
  const { code, stdout } = await runParley(args);
  assertEquals(code, 0);
  assertMatch(stdout, /^publish: .*\n {2}[\d,]+ messages\/s/);
  const [, channel] = /parley-server store delete (\S+)\n$/.exec(stdout) ?? [];
  await using client = await connect({ url: server.url });
  await using subscription = await client.subscribe(channel);
  assert(subscription.stored!.last > 0);
});

processTest("Ctrl-C prints what was measured so far", async () => {
  await using server = await serve({ port: 0 });
  const args = ["bench", "publish", "--duration", "1h", "--under-way", "1", "--url", server.url, ...LOGGED];
  await using command = new RunningCommand(args);
  await command.stderr.until(/"measuring"/);
  command.interrupt();
  const { code, stdout } = await command.ended();
  assertEquals(code, 130);
  assertMatch(stdout, /^publish: .* s, interrupted\n {2}[\d,]+ messages\/s, .*\n/);
});

Deno.test({
  name: "at a terminal a bar shows how far it is, and gives way to the report",
  ignore: !HAS_PYTHON,
  fn: async () => {
    await using server = await serve({ port: 0 });
    const args = ["bench", "publish", "--duration", "1h", "--under-way", "1", "--url", server.url];
    await using terminal = new PseudoTerminal(args);
    await terminal.screen.until(/^publish {2}░{30} warming up$/m);
    await terminal.screen.until(/^publish {2}░{30} [\d,]+\/s$/m);
    await terminal.type("\x03");
    assertEquals((await terminal.ended()).code, 130);
    const [first, second] = terminal.screen.rows.filter((row) => !row.includes("^C"));
    assertMatch(first, /^publish: 128 B, 1 publisher, 1 subscriber, 1 under way, [\d.]+ s, interrupted$/);
    assertMatch(second, /^ {2}[\d,]+ messages\/s/);
    assertEquals(terminal.screen.rows.join().includes("░"), false);
  },
});

siteTest("bench without permission says which one it needs", async (site) => {
  const { port } = await site.serve("--auth");
  const token = await site.issue("--name", "ada", "--publish", "parley-bench.*");
  const args = ["bench", "publish", "--port", `${port}`, ...LIGHT];
  const refused = await site.parley(args, { env: { PARLEY_TOKEN: token } });
  assertFailure(refused, 4, /--publish 'parley-bench\.\*' --subscribe 'parley-bench\.\*'\n$/);
  assertFailure(await site.parley(args), 4, /token/);
});

processTest("bench without a server, or with arguments that do not fit, fails as every command", async () => {
  const server = await serve({ port: 0, limits: { payloadBytes: 1024 } });
  const url = ["--url", server.url];
  assertFailure(await runParley(["bench", "pubish", ...url]), 2, /"pubish".* publish, fan-out, request/);
  assertFailure(await runParley(["bench", "--size", "2KiB", ...url]), 2, /payloads of up to 1KiB/);
  await server.close();
  assertFailure(await runParley(["bench", ...url]), 3, /nothing listens/);
});
