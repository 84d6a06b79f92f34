/**
 * `parley chat` at a terminal of its own. What the screen does in detail is tested in `terminal_screen_test.ts`, without
 * processes.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { connect } from "../../../../lib/client/connect.ts";
import { serve } from "../../../../lib/server/serve.ts";
import { makeFolder } from "../../../harness/folder.ts";
import { HAS_PYTHON } from "../../../harness/permissions.ts";
import { COMPILED, ROOT, SOURCE } from "../../../harness/program.ts";
import { PseudoTerminal } from "../../../harness/pseudo_terminal.ts";
import { ServerProcess } from "../../../harness/server_process.ts";

/** Connects as Grace, and opens the channel of the chat. */
async function join(url: string) {
  const client = await connect({ url, name: "Grace" });
  return { client, opened: await client.subscribe("chat.lobby", { echo: false }) };
}

function terminalTest(name: string, fn: () => Promise<void>, ignore = false): void {
  Deno.test({ name, ignore: ignore || !HAS_PYTHON, fn });
}

/** Starts `parley chat` as Ada at a terminal, with its files in `folder`, and waits until it is ready. */
async function chatAtTerminal(
  url: string,
  folder: string,
  { args = [] as readonly string[], program = SOURCE.client } = {},
): Promise<PseudoTerminal> {
  const env = { XDG_STATE_HOME: folder };
  const terminal = new PseudoTerminal(["--url", url, "--name", "Ada", ...args], { env, program });
  await terminal.screen.until(/^chat\.lobby>$/m);
  return terminal;
}

terminalTest("at a terminal, what is typed survives messages and a resize, and commands work", async () => {
  await using server = await serve({ port: 0 });
  using folder = makeFolder();
  const { client: grace, opened: lobby } = await join(server.url);
  await using _grace = grace;
  await using ada = await chatAtTerminal(server.url, folder.path);
  await ada.type("half typ\x1b[D\x1b[D");
  await ada.screen.until(/^chat\.lobby> half typ$/m);
  await grace.publish("chat.lobby", "hello, \x1b]0;owned\x07terminal");
  await ada.screen.until(/^Grace: hello, \\x1b\]0;owned\\x07terminal\nchat\.lobby> half typ$/m);
  await ada.resize(60, 20);
  await ada.type("\x05ed\r");
  const message = (await lobby.next()).value!;
  assertEquals(message.text(), "half typed");
  await ada.screen.until(/^Ada: half typed\nchat\.lobby>$/m);
  const long = "0123456789".repeat(500); // a terminal in its usual mode cuts lines at 4,095 bytes
  await ada.type(`${long}\r`);
  assertEquals((await lobby.next()).value!.text(), long);

  await ada.type("/msg gr\tpsst\r");
  const direct = grace.inbox[Symbol.asyncIterator]();
  assertEquals((await direct.next()).value!.text(), "psst");
  await grace.sendTo(message.sender, "got it");
  await ada.screen.until(/^Ada \(to Grace\): psst\n(.*\n)*Grace \(to you\): got it$/m);
  await ada.type("/join chat.tea\r/ask $echo hi\r/who\r");
  await ada.screen.until(/^the server \(replies on \$echo\): hi$/m);
  await ada.screen.until(/^\* chat\.tea: you \(Ada\) alone$/m);
  await grace.publish("chat.lobby", "from elsewhere");
  await ada.screen.until(/^\[chat\.lobby\] Grace: from elsewhere\nchat\.tea>$/m);
  await ada.type("/leave\r");
  await ada.screen.until(/^\* you left chat\.tea\n\* chat\.lobby: you \(Ada\) and Grace\nchat\.lobby>$/m);
  await ada.type("\x04");
  assertEquals(await ada.ended(), { code: 0, mode: "cooked" });
  assertEquals([ada.raw.endsWith("\x1b[?2004l"), ada.screen.rows.at(-1)], [
    true,
    "* chat.lobby: you (Ada) and Grace",
  ]);

  await using again = await chatAtTerminal(server.url, folder.path);
  await again.type("\x1b[A");
  await again.screen.until(/^chat\.lobby> \/leave$/m);
  await again.type("\x1b[A");
  await again.screen.until(/^chat\.lobby> \/who$/m);
  await again.type("\x03");
  assertEquals(await again.ended(), { code: 0, mode: "cooked" });
  const file = `${folder.path}/parley/chat_history.jsonl`;
  assertEquals((await Deno.stat(file)).mode! & 0o777, 0o600);
  assertEquals((await Deno.readTextFile(file)).includes("psst"), false);
});

terminalTest(
  "a chat at a terminal survives a kill of its server, with what is typed and what was said",
  async () => {
    using folder = makeFolder();
    await using first = await ServerProcess.start();
    const { port } = first;
    const url = `parley://127.0.0.1:${port}`;
    await using ada = await chatAtTerminal(url, folder.path);
    {
      await using _grace = (await join(url)).client;
      await ada.type("half");
      await ada.screen.until(/^\* Grace joined\nchat\.lobby> half$/m);
      first.kill("SIGKILL");
      await ada.screen.until(/reconnecting\nchat\.lobby \(offline\)> half$/m);
    }
    await ada.type(" typed\rand more");
    await ada.screen.until(/^Ada: half typed\nchat\.lobby \(offline\)> and more$/m);
    await using _second = await ServerProcess.start({ listenPort: port });
    await ada.screen.until(
      /^\* connected again after [^*]*1\s+message\s+kept[^*]*\* chat\.lobby: you \(Ada\) alone\nchat\.lobby> and more$/m,
    );
    // What it said before belongs to sessions of the server that is gone.
    await using script = await connect({ url, name: "Script" });
    await script.publish("chat.lobby", "from a script");
    await ada.screen.until(
      new RegExp(`^session ${script.sessionId}: from a script\nchat\\.lobby> and more$`, "m"),
    );
  },
);

async function stopAndEnd(program: readonly string[]): Promise<void> {
  await using server = await serve({ port: 0 });
  using folder = makeFolder();
  await using ada = await chatAtTerminal(server.url, folder.path, { args: ["--trace"], program });
  assertEquals(await ada.mode(), "raw");
  await ada.type("half typed");
  await ada.screen.until(/^chat\.lobby> half typed$/m);
  const { client: grace } = await join(server.url);
  await using _grace = grace;
  await ada.screen.until(/JOINED.*\n(.*\n)*\* Grace joined\nchat\.lobby> half typed$/m);
  await ada.type("\x1a");
  await ada.stopped();
  assertEquals(await ada.mode(), "cooked");
  await ada.screen.until(/\* Grace joined$/); // the prompt is gone
  await ada.kill("SIGCONT");
  await ada.screen.until(/^chat\.lobby> half typed$/m);
  assertEquals(await ada.mode(), "raw");
  await ada.kill("SIGTERM");
  assertEquals(await ada.ended(), { code: 0, mode: "cooked" });
}

const STOPS = "Ctrl-Z and signals leave the terminal as it was, and traces appear above the prompt";
terminalTest(STOPS, () => stopAndEnd(SOURCE.client));
terminalTest(`compiled: ${STOPS}`, () => stopAndEnd(COMPILED!.client), COMPILED === undefined);

terminalTest("a trace that stderr takes late comes before the prompt, not into it", async () => {
  await using server = await serve({ port: 0 });
  using folder = makeFolder();
  const script = `
    import { main } from "${new URL("lib/cli/client/main.ts", `file://${ROOT}`)}";
    import { processHost } from "${new URL("lib/cli/host.ts", `file://${ROOT}`)}";
    const host = processHost();
    const write = async (bytes) => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      return await host.stderr.write(bytes);
    };
    const stderr = { isTerminal: () => true, write };
    Deno.exit(await main(Deno.args, { ...host, stderr }));`;
  const program = [Deno.execPath(), "eval", "--quiet", script];
  await using ada = await chatAtTerminal(server.url, folder.path, { args: ["--trace"], program });
  assertEquals(ada.screen.rows.some((row) => row.includes("< server OPENED")), true);
  await ada.type("\x04");
  assertEquals(await ada.ended(), { code: 0, mode: "cooked" });
});

for (const end of ["throw new Error('unexpected')", "Promise.reject(new Error('unexpected'))"]) {
  terminalTest(`an error that nothing handles leaves the terminal as it was: ${end}`, async () => {
    const script = `
      import { MARKED_PASTES, RawTerminal } from "${new URL(
      "lib/cli/client/raw_terminal.ts",
      `file://${ROOT}`,
    )}";
      new RawTerminal({ resized: () => {}, continued: () => {} }, MARKED_PASTES);
      setTimeout(() => { ${end} });`;
    await using terminal = new PseudoTerminal([script], { program: [Deno.execPath(), "eval", "--quiet"] });
    assertEquals(await terminal.ended(), { code: 1, mode: "cooked" });
    assertEquals(terminal.raw.lastIndexOf("\x1b[?2004l") > terminal.raw.indexOf("\x1b[?2004h"), true);
  });
}
