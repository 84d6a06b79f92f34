/**
 * `parley check` as a monitoring system runs it: the line, the performance data, the exit code.
 */

import { assertEquals, assertMatch } from "@std/assert";
import type { ChannelDiagnosis, ConsumerEntry } from "../../../lib/wire/stats.ts";
import { runParley } from "../../harness/in_process.ts";
import { SAMPLE_STORE, sampleStats } from "../../web/sample_stats.ts";
import { StatsServer } from "./stats_server.ts";

/** Runs `parley check ARGS` against `server`. The round trip, which differs from run to run, is replaced. */
async function check(server: StatsServer, ...args: string[]) {
  const { code, stdout, stderr } = await runParley(["check", "--port", `${server.port}`, ...args]);
  const line = stdout.replace(/round trip [\d.]+ ms/, "round trip N ms").replace(/=[\d.e-]+s/, "=Ns");
  return { code, line, stderr };
}

const CALM = sampleStats({ pendingBytes: 0, store: undefined });

Deno.test("a server that is well is OK, with performance data, and exit code 0", async () => {
  await using server = new StatsServer({ "$stats.now": CALM });
  assertEquals(await check(server), {
    code: 0,
    line:
      "OK: round trip N ms; parley 0.1.0 is ready | round_trip=Ns;;;0 sessions=1234;;;0 pending=0B;;;0;268435456\n",
    stderr: "",
  });
});

Deno.test("a slow round trip is a warning or critical, as --max-latency says", async () => {
  await using server = new StatsServer({ "$stats.now": CALM });
  for (
    const [levels, code, status, data] of [
      ["10s,20s", 0, "OK", ";10;20;0"],
      ["0ms,20s", 1, "WARNING", ";0;20;0"],
      ["0ms", 2, "CRITICAL", ";;0;0"],
      ["0", 2, "CRITICAL", ";;0;0"],
    ] as const
  ) {
    const ended = await check(server, "--max-latency", levels);
    assertEquals([ended.code, ended.stderr], [code, ""], levels);
    assertMatch(ended.line, new RegExp(`^${status}: .*round trip N ms.* \\| round_trip=Ns${data} `));
  }
});

Deno.test("a server that stops or cannot write its store is CRITICAL, first thing in the line", async () => {
  for (const [state, text] of [["draining", "is stopping"], ["failing", "cannot write its store"]] as const) {
    await using server = new StatsServer({ "$stats.now": { ...CALM, state } });
    const { code, line } = await check(server);
    assertEquals(code, 2);
    assertMatch(line, new RegExp(`^CRITICAL: parley 0\\.1\\.0 ${text}; round trip`));
  }
});

Deno.test("the largest lag and all set-aside messages are compared with their limits", async () => {
  await using server = new StatsServer({ "$stats.now": { ...CALM, store: SAMPLE_STORE } });
  for (
    const [args, code, words] of [
      [[], 0, /; lag 1,200; 2 set aside \|.* lag=1200;;;0 set_aside=2;;;0\n$/],
      [["--max-lag", "1200", "--max-set-aside", "2"], 0, /^OK.* lag=1200;;1200;0 set_aside=2;;2;0\n$/],
      [["--max-lag", "100,5000"], 1, /^WARNING: lag 1,200;/],
      [["--max-lag", "100,1000"], 2, /^CRITICAL: lag 1,200;/],
      [["--max-set-aside", "0"], 2, /^CRITICAL: 2 set aside;/],
      [["--max-set-aside", "0,10", "--max-lag", "0"], 2, /^CRITICAL: lag 1,200; 2 set aside;/],
    ] as const
  ) {
    const ended = await check(server, ...args);
    assertEquals(ended.code, code, ended.line);
    assertMatch(ended.line, words);
  }
});

function consumer(more: Partial<ConsumerEntry>): ConsumerEntry {
  return { consumer: "billing", position: 0, lag: 0, members: 1, isPaused: false, setAside: 0, ...more };
}

Deno.test("--consumer looks at one consumer, of all subjects that have one of that name", async () => {
  const consumers = [
    consumer({ lag: 5, subject: "one" }),
    consumer({ lag: 7, setAside: 1, subject: "two", isPaused: true }),
    consumer({ consumer: "mailer", lag: 900 }),
  ];
  const diagnosis: ChannelDiagnosis = {
    channel: "orders.new",
    isKnown: true,
    storage: "durable",
    receivers: [],
    receiverCount: 0,
    passedOver: [],
    responders: [],
    findings: [],
    consumers,
  };
  await using server = new StatsServer({ "$stats.now": CALM, "$stats.why": diagnosis });
  const ended = await check(
    server,
    "--consumer",
    "orders.new/billing",
    "--max-lag",
    "6",
    "--max-set-aside",
    "1",
  );
  assertEquals(ended.code, 2);
  assertMatch(ended.line, /^CRITICAL: lag 7; .*consumer orders\.new\/billing is paused; 1 set aside \|/);
  assertEquals(server.asked.at(-1), { channel: "$stats.why", ask: { channel: "orders.new" } });
  const missing = await check(server, "--consumer", "orders.new/shipping");
  assertEquals(missing.code, 3);
  assertMatch(
    missing.line,
    /^UNKNOWN: orders\.new has no consumer shipping; it has billing, billing, mailer; /,
  );
});

Deno.test("what is not reachable is CRITICAL, and a server that falls silent, too", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const ended = await runParley(["check", "--port", `${port}`]);
  assertEquals([ended.code, ended.stderr], [2, ""]);
  assertMatch(ended.stdout, /^CRITICAL: nothing listens on 127\.0\.0\.1:\d+; [^|\n]*\n$/);
  await using server = new StatsServer({ "$stats.now": CALM });
  server.answersPings = false;
  const silent = await check(server, "--timeout", "200ms");
  assertEquals(silent.code, 2);
  assertMatch(silent.line, /^CRITICAL: .*did not answer a PING/);
});

Deno.test("without the right to look, the round trip is checked, and anything else is UNKNOWN", async () => {
  await using server = new StatsServer();
  server.refusal = { code: "forbidden", message: 'this session\'s token lacks the grant "monitor"' };
  const plain = await check(server, "--max-latency", "10s");
  assertEquals(plain.code, 0);
  assertMatch(plain.line, /^OK: round trip N ms; the server's state is not known: .*--monitor/);
  const more = await check(server, "--max-lag", "5");
  assertEquals(more.code, 3);
  assertMatch(more.line, /^UNKNOWN: the server's state is not known: .*--monitor.*; round trip N ms \|/);
});

Deno.test("a server that has no durable channels cannot tell of a lag", async () => {
  await using server = new StatsServer({ "$stats.now": CALM });
  const { code, line } = await check(server, "--max-lag", "5");
  assertEquals(code, 3);
  assertMatch(line, /^UNKNOWN: the server has no durable channels/);
});

Deno.test("wrong usage is UNKNOWN, 3, and not what a plugin calls critical", async () => {
  for (
    const [args, where] of [
      [["--max-lag", "many"], "stdout"],
      [["--max-latency", "2s,1s"], "stdout"],
      [["--max-latency", "1s,2s,3s"], "stdout"],
      [["--consumer", "billing"], "stdout"],
      [["--consumer", "/billing"], "stdout"],
      [["--no-such-option"], "stderr"],
      [["operand"], "stderr"],
    ] as const
  ) {
    const ended = await runParley(["check", "--port", "1", ...args]);
    assertEquals(ended.code, 3, args.join(" "));
    assertMatch(ended[where], where === "stdout" ? /^UNKNOWN: --/ : /^parley: /);
  }
});

Deno.test("a text of the server cannot forge performance data, or control the terminal", async () => {
  await using server = new StatsServer();
  server.failure = { code: "busy", message: "later | lag=0\x1b[2J\nOK" };
  const { line } = await check(server, "--max-lag", "5");
  assertMatch(line, /^UNKNOWN: [^|\n]*later \/ lag=0\\x1b\[2J\\nOK[^|\n]* \| round_trip=[^|\n]*\n$/);
});

Deno.test("check --json prints one object", async () => {
  await using server = new StatsServer({ "$stats.now": { ...CALM, store: SAMPLE_STORE } });
  const { code, stdout } = await runParley(
    ["check", "--json", "--max-lag", "100,1000", "--port", `${server.port}`],
  );
  assertEquals(code, 2);
  const { status, exitCode, checks } = JSON.parse(stdout);
  assertEquals([status, exitCode], ["critical", 2]);
  assertEquals(checks.find(({ check }: { check: string }) => check === "lag"), {
    check: "lag",
    status: "critical",
    text: "lag 1,200",
    value: 1200,
    warning: 100,
    critical: 1000,
  });
});
