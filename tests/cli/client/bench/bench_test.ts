import { assertEquals, assertMatch } from "@std/assert";
import { assertFailure, LOGGED, parley, processTest, Program } from "../../../harness/program.ts";
import { serve } from "../../../../lib/server/serve.ts";
import { siteTest } from "../../../harness/site.ts";

/** Quick, and without load: other tests run beside these. */
const LIGHT = ["--duration", "200ms", "--under-way", "4"];

processTest("bench measures every workload, and prints an object for each", async () => {
  await using server = await serve({ port: 0 });
  const args = ["bench", ...LIGHT, "--json", "--url", server.url, "--connections", "2", "--size", "16"];
  const { code, stdout, stderr } = await parley(args);
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

processTest("Ctrl-C prints what was measured so far", async () => {
  await using server = await serve({ port: 0 });
  const args = ["bench", "publish", "--duration", "1h", "--under-way", "1", "--url", server.url, ...LOGGED];
  await using program = new Program(args);
  await program.stderr.until(/"measuring"/);
  program.kill("SIGINT");
  const { code, stdout } = await program.ended();
  assertEquals(code, 130);
  assertMatch(stdout, /^publish: .* s, interrupted\n {2}[\d,]+ messages\/s, .*\n/);
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
  assertFailure(await parley(["bench", "pubish", ...url]), 2, /"pubish".* publish, fan-out, request/);
  assertFailure(await parley(["bench", "--size", "2KiB", ...url]), 2, /payloads of up to 1KiB/);
  await server.close();
  assertFailure(await parley(["bench", ...url]), 3, /nothing listens/);
});
