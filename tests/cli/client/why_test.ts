import { assertEquals, assertStringIncludes } from "@std/assert";
import type { ChannelDiagnosis, SlowDiagnosis } from "../../../lib/wire/stats.ts";
import { runParley } from "../../harness/in_process.ts";
import { assertFailure } from "../../harness/program.ts";
import { sampleSession } from "../../web/sample_stats.ts";
import { StatsServer } from "./stats_server.ts";

const DIAGNOSIS: ChannelDiagnosis = {
  channel: "orders.new",
  isKnown: true,
  storage: "durable",
  receivers: [
    { session: 17, name: "Ada", by: "orders.>", pendingBytes: 0 },
    { session: 18, name: "mailer\x1b[2J", by: "orders.new", group: "workers", pendingBytes: 2_048 },
  ],
  receiverCount: 2,
  passedOver: [{
    session: 19,
    name: "Grace",
    by: "orders.new",
    group: "workers",
    pendingBytes: 0,
    reason: "it is the turn of session 18",
  }],
  responders: [],
  consumers: [{
    consumer: "billing",
    subject: "shop",
    position: 12,
    lag: 1_200,
    members: 1,
    isPaused: true,
    setAside: 2,
  }],
  findings: ["The consumer billing is paused.\n\x1b[31m"],
};

Deno.test("why CHANNEL says what is found first, then where a message would go", async () => {
  await using server = new StatsServer({ "$stats.why": DIAGNOSIS });
  const { code, stdout, stderr } = await runParley(["why", "orders.new", "--port", `${server.port}`]);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(server.asked, [{ channel: "$stats.why", ask: { channel: "orders.new" } }]);
  assertEquals(stdout.split("\n"), [
    "orders.new: durable; 2 sessions would receive the next message; 0 responders",
    "- The consumer billing is paused.\\n\\x1b[31m",
    "the next message goes to",
    "  session 17 Ada, by orders.>",
    "  session 18 mailer\\x1b[2J, by orders.new, group workers, 2.00 KiB waiting for it",
    "it does not go to",
    "  session 19 Grace, by orders.new, group workers: it is the turn of session 18",
    "consumers",
    "  billing of shop, lag 1,200, position 12, 1 member, 2 messages set aside, paused",
    "",
  ]);
});

Deno.test("a long list is cut, and says how many more there are", async () => {
  const receivers = Array.from({ length: 100 }, (_, at) => ({
    session: at + 1,
    name: "guest",
    by: ">",
    pendingBytes: 0,
  }));
  await using server = new StatsServer({ "$stats.why": { ...DIAGNOSIS, receivers, receiverCount: 5_000 } });
  const { stdout } = await runParley(["why", "orders.new", "--port", `${server.port}`]);
  assertStringIncludes(stdout, "  session 20 guest, by >\n  and 4,980 more\nit does not go to\n");
});

Deno.test("why --json prints what the server says, escaped for the terminal", async () => {
  await using server = new StatsServer({ "$stats.why": DIAGNOSIS });
  const { stdout } = await runParley(["why", "orders.new", "--json", "--port", `${server.port}`]);
  assertEquals(JSON.parse(stdout), DIAGNOSIS);
  assertEquals([stdout.includes("\x1b"), stdout.trimEnd().includes("\n")], [false, false]);
});

Deno.test("why without a channel says who holds whom, and what nobody hears", async () => {
  const slow: SlowDiagnosis = {
    slowest: [sampleSession(18, "mailer", { isSlow: true, pendingBytes: 1e7 }), sampleSession(19, "Grace")],
    waiting: [{ session: 5, name: "shop", seconds: 3.25, for: [18, 0, 77] }],
    unheard: [{ channel: "chat.old", messages: 1_234 }],
  };
  await using server = new StatsServer({ "$stats.slow": slow });
  const { code, stdout } = await runParley(["why", "--port", `${server.port}`]);
  assertEquals(code, 0);
  assertEquals(stdout.split("\n"), [
    "1 publisher waits",
    "publishers that wait",
    "  session 5 shop, for 3.3 s now: session 18 mailer, the store, session 77",
    "sessions that bytes wait for",
    "  session 18 mailer at 192.0.2.7, 9.54 MiB, has no more room",
    "channels without a subscriber",
    "  chat.old, 1,234 messages",
    "",
  ]);
  server.answers = { "$stats.slow": { slowest: [], waiting: [], unheard: [] } };
  const calm = await runParley(["why", "--port", `${server.port}`]);
  assertEquals(calm.stdout, "no publisher waits for another session or the store\n");
});

Deno.test("a pattern, a wrong name and a second argument are wrong usage", async () => {
  for (
    const [args, words] of [
      [["orders.*"], /orders\.\* is a pattern; why needs the name of one channel/],
      [["or ders"], /or ders/],
      [["a", "b"], /why takes at most 1 argument/],
    ] as const
  ) assertFailure(await runParley(["why", ...args, "--port", "1"]), 2, words);
});

Deno.test("a session that may not look is told what it needs", async () => {
  await using server = new StatsServer();
  for (
    const [message, words] of [
      [
        'this session\'s token lacks the grant "monitor", which $stats.why needs',
        /token lacks the grant "monitor", which \$stats\.why needs; issue one with .* --monitor$/m,
      ],
      [
        "$stats is only for clients on the server's own machine: it asks for no tokens",
        /^parley: \$stats is only for clients on the server's own machine: it asks for no tokens$/m,
      ],
    ] as const
  ) {
    server.refusal = { code: "forbidden", message };
    for (const command of [["why"], ["why", "orders.new"], ["top", "--json"]]) {
      assertFailure(await runParley([...command, "--port", `${server.port}`]), 4, words);
    }
  }
});

Deno.test("a server that is older does not tell this about itself, and the error says so", async () => {
  await using server = new StatsServer();
  const words =
    /the server \(fake 0\) is older than this client, and does not tell this about itself; update it/;
  for (
    const message of [
      "$stats.why is the server's own; sessions may open $echo only",
      "$stats.why would be the server's own, and it has no such channel; it has $echo, $stats",
    ]
  ) {
    server.refusal = { code: "forbidden", message };
    assertFailure(await runParley(["why", "orders.new", "--port", `${server.port}`]), 1, words);
    assertFailure(await runParley(["top", "--json", "--port", `${server.port}`]), 1, words);
  }
});

Deno.test("an answer that is not as expected, and a refusal, are one line", async () => {
  await using server = new StatsServer({ "$stats.slow": { slowest: "\x1b[2J" } as unknown as SlowDiagnosis });
  const odd = await runParley(["why", "--port", `${server.port}`]);
  assertFailure(odd, 1, /is not as expected.*server and client may be of versions that do not fit/);
  server.failure = { code: "busy", message: "too many questions\x1b[2J at once" };
  assertFailure(
    await runParley(["why", "--port", `${server.port}`]),
    1,
    /the server refuses: too many questions\\x1b\[2J at once/,
  );
});
