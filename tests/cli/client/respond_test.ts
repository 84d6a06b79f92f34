import { assertEquals, assertMatch } from "@std/assert";
import { serve } from "../../../lib/server/serve.ts";
import { connect } from "../../../lib/client/connect.ts";
import { within } from "../../harness/deadline.ts";
import { MAY_INSPECT } from "../../harness/permissions.ts";
import { assertFailure, LOGGED, parley, processTest, Program } from "../../harness/program.ts";

/** Starts `parley respond`, and waits until it responds. */
async function respond(
  url: string,
  channel: string,
  command: string,
  args: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<Program> {
  const program = new Program(["respond", channel, "--exec", command, "--url", url, ...args, ...LOGGED], {
    env,
  });
  await program.stderr.until(/"message":"responding"/);
  return program;
}

processTest("respond answers with the output of its command, until Ctrl-C", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ url: server.url });
  await using program = await respond(server.url, "text.upper", "tr a-z A-Z");
  const replies = await Promise.all(["one", "two", ""].map((text) => client.request("text.upper", text)));
  assertEquals(replies.map((reply) => [reply.text(), reply.kind]), [["ONE", "text"], ["TWO", "text"], [
    "",
    "text",
  ]]);
  program.kill("SIGINT");
  const { code, stderr } = await program.ended();
  assertEquals(code, 0);
  assertEquals(stderr.match(/"message":"request answered"/g)?.length, 3);
});

processTest("respond passes bytes through, and accepts a command that reads no stdin", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ url: server.url });
  await using _cat = await respond(server.url, "cat", "cat");
  const bytes = crypto.getRandomValues(new Uint8Array(60_000)).fill(0xff, 0, 1);
  const reply = await client.request("cat", bytes);
  assertEquals([reply.kind, reply.payload], ["bytes", bytes]);
  await using _true = await respond(server.url, "deaf", "echo deaf");
  assertEquals((await client.request("deaf", new Uint8Array(1_000_000))).text(), "deaf\n");
});

processTest("a command that fails is reported on stderr, and the requester gets an error", async () => {
  await using server = await serve({ port: 0, firstSessionId: 1 });
  await using program = await respond(server.url, "broken", "echo details >&2; exit 3");
  const ended = await parley(["request", "broken", "x", "--url", server.url]);
  assertFailure(ended, 5, /responder failed/);
  assertEquals(ended.stderr.includes("details"), false);
  await program.stderr.until(/^details$/m);
  await program.stderr.until(/^parley: the request of session 2 on broken failed: .* exit code 3$/m);
  program.kill("SIGTERM");
  assertEquals((await program.ended()).code, 0);
});

processTest("respond finishes running commands before Ctrl-C ends it", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ url: server.url });
  await using gate = await respond(server.url, "outer", "cat >/dev/null; echo begun >&2; exec sleep 0.5");
  const reply = client.request("outer", "x");
  await gate.stderr.until(/^begun$/m);
  gate.kill("SIGINT");
  assertEquals((await reply).text(), "");
  assertEquals((await gate.ended()).code, 0);
});

/** A command that hangs with a child of its own if the request says so; the child's id goes to `file`. */
const hanging = (file: string, before = "") =>
  `${before} if grep -q hang; then sleep 600 & echo $! >>${file}; wait; sleep 600; else echo fine; fi`;

/** Waits until none of the processes in `file` is there. */
async function untilGone(file: string): Promise<void> {
  for (const pid of (await Deno.readTextFile(file)).trim().split("\n")) {
    while (isRunning(pid)) await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Whether a process is there, and has not only not been waited for. */
function isRunning(pid: string): boolean {
  try {
    return !/^State:\s+Z/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}

Deno.test(
  { name: "hung commands are ended, with their children, and respond goes on", ignore: !MAY_INSPECT },
  async () => {
    const file = await Deno.makeTempFile();
    await using server = await serve({ port: 0 });
    await using client = await connect({ url: server.url });
    // One that ignores SIGTERM, too.
    await using program = await respond(server.url, "jobs", hanging(file, "trap '' TERM;"), [
      "--exec-timeout",
      "500ms",
    ]);
    const hung = Array.from(
      { length: navigator.hardwareConcurrency + 1 },
      () => client.request("jobs", "hang"),
    );
    for (const result of await Promise.allSettled(hung)) {
      assertMatch(`${(result as PromiseRejectedResult).reason}`, /responder failed/);
    }
    assertEquals((await client.request("jobs", "work")).text(), "fine\n");
    await program.stderr.until(/failed: .* did not end within 500ms$/m);
    await within(untilGone(file), "end of the children");
    await Deno.remove(file);
  },
);

for (const signals of [["SIGTERM"], ["SIGTERM", "SIGINT"]] as const) {
  Deno.test({
    name: `commands that hang end with respond, by ${signals.join(" and ")}`,
    ignore: !MAY_INSPECT,
  }, async () => {
    const file = await Deno.makeTempFile();
    await using server = await serve({ port: 0 });
    await using client = await connect({ url: server.url });
    await using program = await respond(server.url, "jobs", hanging(file));
    const request = client.request("jobs", "hang").catch(String);
    while ((await Deno.readTextFile(file)) === "") await new Promise((resolve) => setTimeout(resolve, 10));
    for (const signal of signals) {
      program.kill(signal);
      if (signal !== signals.at(-1)) await new Promise((resolve) => setTimeout(resolve, 1100));
    }
    assertEquals((await program.ended()).code, signals.length === 1 ? 0 : 130);
    assertMatch(`${await request}`, /responder failed|ended before it answered/);
    await within(untilGone(file), "end of the children");
    await Deno.remove(file);
  });
}

processTest("a command gets the environment, but not Parley's secrets", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ url: server.url });
  const env = { PARLEY_URL: server.url, PARLEY_TOKEN: "hush", PARLEY_NAME: "Ada", OTHER: "there" };
  await using _program = await respond(server.url, "env", "env", [], env);
  const reply = (await client.request("env", "")).text();
  assertMatch(reply, /^OTHER=there$/m);
  assertMatch(reply, /^PARLEY_NAME=Ada$/m);
  assertEquals(/^PARLEY_(TOKEN|URL)=|hush/m.test(reply), false);
});

processTest("a command that writes without end is ended", async () => {
  await using server = await serve({ port: 0 });
  await using program = await respond(server.url, "endless", "exec yes");
  assertFailure(await parley(["request", "endless", "x", "--url", server.url]), 5, /responder failed/);
  await program.stderr.until(/exec yes wrote more than the 1048576 bytes that this server accepts$/m);
});

processTest("respond without --exec is wrong usage", async () => {
  const ended = await parley(["respond", "jobs"]);
  assertFailure(ended, 2, /respond needs --exec COMMAND/);
  assertMatch(ended.stderr, /parley respond jobs --exec/);
});
