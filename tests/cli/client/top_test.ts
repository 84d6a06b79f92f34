/**
 * `parley top`: objects for programs, and a terminal of its own. What the rows show is tested in
 * `monitor/dashboard_test.ts`.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { RunningCommand, runParley } from "../../harness/in_process.ts";
import { HAS_PYTHON } from "../../harness/permissions.ts";
import { COMPILED, LOGGED, SOURCE } from "../../harness/program.ts";
import { PseudoTerminal } from "../../harness/pseudo_terminal.ts";
import { sampleChannel, sampleSession, sampleStats } from "../../web/sample_stats.ts";
import { StatsServer } from "./stats_server.ts";

/** What a server says `second` seconds after the first sample, with 1,000 messages a second. */
function second(second: number) {
  const first = sampleStats();
  return sampleStats({
    uptimeSeconds: first.uptimeSeconds + second,
    messagesIn: first.messagesIn + 1_000 * second,
  });
}

function listServer(): StatsServer {
  return new StatsServer({
    "$stats.history": {
      stepSeconds: 1,
      until: "2026-11-25T12:00:00.000Z",
      columns: ["bytesIn", "messagesIn"],
      samples: [[1, 250], [1, 500]],
    },
    "$stats.channels": ({ sort, limit }) => ({
      count: 300,
      channels: [sampleChannel(`${sort}.first`), sampleChannel(`limit.${limit}`)],
    }),
    "$stats.sessions": ({ sort }) => ({
      count: 1,
      sessions: [sampleSession(17, `by ${sort}\x1b]0;owned\x07`)],
    }),
  });
}

Deno.test("without a terminal, top prints an object each second, and ends after --count", async () => {
  await using server = new StatsServer();
  await using command = new RunningCommand(["top", "--count", "2", "--port", `${server.port}`]);
  await server.subscribed;
  await server.publish(second(0));
  await server.publish({ ...second(1), version: "\x1b[2J" });
  await server.publish(second(2));
  const { code, stdout, stderr } = await command.ended();
  assertEquals([code, stderr], [0, ""]);
  const lines = stdout.trimEnd().split("\n");
  assertEquals(lines.map((line) => JSON.parse(line)), [second(0), { ...second(1), version: "\x1b[2J" }]);
  assertEquals(stdout.includes("\x1b"), false);
});

Deno.test("Ctrl-C ends top with 0", async () => {
  await using server = new StatsServer();
  await using command = new RunningCommand(["top", "--json", "--port", `${server.port}`, ...LOGGED]);
  await command.stderr.until(/"message":"watching"/);
  command.interrupt();
  assertEquals((await command.ended()).code, 0);
});

Deno.test("top goes on after its connection broke; with --no-reconnect it ends with 3", async () => {
  await using server = new StatsServer();
  await using command = new RunningCommand(["top", "--json", "--count", "2", "--port", `${server.port}`]);
  await server.subscribed;
  await server.publish(second(0));
  await command.stdout.until(/\n/);
  server.disconnect();
  await server.subscribed;
  await server.publish(second(5));
  const { code, stdout, stderr } = await command.ended();
  assertEquals([code, stdout.trimEnd().split("\n").length], [0, 2]);
  assertMatch(stderr, /reconnecting\nparley: connected again/);

  await using other = new StatsServer();
  await using once = new RunningCommand(["top", "--json", "--no-reconnect", "--port", `${other.port}`]);
  await other.subscribed;
  other.disconnect();
  assertEquals((await once.ended()).code, 3);
});

Deno.test("a message that is not as expected ends top with a line that says so", async () => {
  await using server = new StatsServer();
  await using command = new RunningCommand(["top", "--json", "--port", `${server.port}`]);
  await server.subscribed;
  await server.publish({ ...second(0), sessions: "\x1b[2J" as unknown as number });
  const { code, stdout, stderr } = await command.ended();
  assertEquals([code, stdout], [1, ""]);
  assertMatch(stderr, /^parley: [^\n]*is not as expected[^\n]*\n$/);
});

Deno.test("an unreachable server ends top with 3", async () => {
  assertEquals((await runParley(["top", "--port", "1"])).code, 3);
});

function terminalTest(name: string, fn: () => Promise<void>, ignore = false): void {
  Deno.test({ name, ignore: ignore || !HAS_PYTHON, fn });
}

/** Starts `parley top` at a terminal, and sends it two seconds. */
async function topAtTerminal(
  server: StatsServer,
  { args = [] as readonly string[], program = SOURCE.client, env = {} as Record<string, string> } = {},
): Promise<PseudoTerminal> {
  const terminal = new PseudoTerminal(["top", "--port", `${server.port}`, ...args], { program, env });
  await server.subscribed;
  await server.publish(second(0));
  await server.publish(second(1));
  await terminal.screen.until(/^messages +in 1,000\/s/m);
  return terminal;
}

async function showSortResize(program: readonly string[]): Promise<void> {
  await using server = listServer();
  await using top = await topAtTerminal(server, { program });
  const { screen } = top;
  await screen.until(/by rate\\x1b\]0;owned\\x07/);
  await screen.until(/^rate\.first.*\nlimit\.24 /m);
  await screen.until(/^messages in +▃▅█ {3}at most 1,000\/s$/m); // the first two are the server's history
  assertEquals([screen.rows.length, screen.title], [24, ""]);
  assertMatch(screen.rows[0], /^parley 0\.1\.0 at 127\.0\.0\.1:\d+ {3}ready {3}up 3h 12m {3}12:00:00 UTC$/);
  assertMatch(screen.rows[23], /^q quit {2}Tab view {2}r rate .* w wait$/);
  assertEquals(await top.mode(), "raw");

  await top.type("o");
  await screen.until(/^messagesOut\.first/m);
  await screen.until(/^17 by messagesOut/m);
  await top.type("\x1b[A\x1b[Bw"); // arrows are not letters
  await screen.until(/^17 by pendingBytes/m);
  assertMatch(screen.rows.join("\n"), /^messagesOut\.first/m); // channels have no such column
  await top.type("\t");
  await screen.until(/^(?![^]*SESSION)[^]*CHANNEL/);
  await top.type("\t");
  await screen.until(/^(?![^]*CHANNEL)[^]*SESSION/);

  await top.resize(60, 16);
  await server.publish(second(2));
  await screen.until(/^q quit {2}Tab view .*…$/m);
  assertEquals(screen.rows.length, 16);
  assert(screen.rows.every((row) => row.length <= 60), screen.rows.join("\n"));
  await top.resize(100, 30);
  await screen.until(/^q quit .* w wait$/m);
  assertEquals(screen.rows.length, 30);

  await top.type("q");
  assertEquals(await top.ended(), { code: 0, mode: "cooked" });
  assertEquals(screen.rows, [""]); // the screen from before
  assertEquals(top.raw.endsWith("\x1b[?7h\x1b[?25h\x1b[?1049l"), true);
}

const SHOWS = "top shows the server, sorts by keys, follows a resize, and leaves the terminal as it was";
terminalTest(SHOWS, () => showSortResize(SOURCE.client));
terminalTest(`compiled: ${SHOWS}`, () => showSortResize(COMPILED!.client), COMPILED === undefined);

terminalTest("only rows that have changed are written, and all at once", async () => {
  await using server = listServer();
  await using top = await topAtTerminal(server);
  await top.screen.until(/^rate\.first/m);
  await top.screen.settled();
  const before = top.raw.length;
  await server.publish({ ...second(2), sessions: 77 });
  await top.screen.until(/^open +77 sessions/m);
  const drawing = top.raw.slice(before).split("\x1b[?2026h").find((text) => text.includes("77 sessions"))!;
  const rows = drawing.split("\x1b[?2026l")[0].split(";1H\x1b[K");
  assertEquals(rows.length, 3, drawing); // what moves to the chart's row, the chart, and the row that has changed
  assertMatch(rows[2], /77 sessions/);
  await top.type("\x03");
  assertEquals(await top.ended(), { code: 0, mode: "cooked" });
});

terminalTest("top says that it is not connected, goes on, and survives Ctrl-Z", async () => {
  await using server = listServer();
  await using top = await topAtTerminal(server);
  server.disconnect();
  await top.screen.until(/^parley .* not connected /m);
  await server.subscribed;
  for (const at of [9, 10, 11]) await server.publish(second(at)); // the notice stays for three seconds
  await top.screen.until(/^parley [^\n]* ready [^]*\nq quit/m);
  await top.type("\x1a");
  await top.stopped();
  await top.screen.until(/^$/); // the screen from before
  assertEquals(await top.mode(), "cooked");
  await top.kill("SIGCONT");
  await top.screen.until(/^parley .* ready [^]*q quit/m);
  await top.kill("SIGTERM");
  assertEquals(await top.ended(), { code: 0, mode: "cooked" });
});

terminalTest("with NO_COLOR there is no colour, and --count ends it", async () => {
  await using server = listServer();
  await using top = await topAtTerminal(server, { args: ["--count", "3"], env: { NO_COLOR: "1" } });
  await server.publish(second(2));
  assertEquals(await top.ended(), { code: 0, mode: "cooked" });
  assertEquals(["\x1b[1m", "\x1b[2m", "\x1b[32m"].filter((colour) => top.raw.includes(colour)), []);
});

terminalTest("a refusal is printed where the shell was, not on a screen that disappears", async () => {
  await using server = new StatsServer();
  server.refusal = { code: "forbidden", message: "it is only for others" };
  await using top = new PseudoTerminal(["top", "--port", `${server.port}`]);
  assertEquals(await top.ended(), { code: 4, mode: "cooked" });
  assertMatch(top.screen.rows.join(" "), /^parley: it is only for others/);
  assertEquals(top.raw.includes("\x1b[?1049h"), false);
});
