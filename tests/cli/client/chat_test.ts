import { assertEquals, assertStringIncludes } from "@std/assert";
import { serve } from "../../../lib/server/serve.ts";
import { connect } from "../../../lib/client/connect.ts";
import { makeFolder } from "../../harness/folder.ts";
import { HAS_PYTHON } from "../../harness/permissions.ts";
import { processTest, Program } from "../../harness/program.ts";
import { PseudoTerminal } from "../../harness/pseudo_terminal.ts";

/** Starts `parley chat ARGS` as Ada, and waits until it is ready. */
async function chat(url: string, ...args: string[]): Promise<Program> {
  const program = new Program(["--url", url, "--name", "Ada", ...args]);
  await program.stderr.until(/Ctrl-D ends/);
  return program;
}

/** Connects as Grace, and opens `channel`. */
async function join(url: string, channel: string) {
  const client = await connect({ url, name: "Grace" });
  return { client, opened: await client.subscribe(channel, { echo: false }) };
}

processTest("chat sends and shows lines with names, and announces sessions that join and leave", async () => {
  await using server = await serve({ port: 0 });
  await using ada = await chat(server.url);
  await ada.stderr.until(/^\* Welcome, Ada\..*\n\* chat\.lobby: you \(Ada\) alone; Ctrl-D ends\n$/);
  const { client: grace, opened: lobby } = await join(server.url, "chat.lobby");
  await ada.stderr.until(/^\* Grace joined$/m);
  await ada.type("hello, Grace\n\nare you there?\n");
  const heard: string[] = [];
  while (heard.length < 2) heard.push((await lobby.next()).value!.text());
  assertEquals(heard, ["hello, Grace", "are you there?"]);
  await grace.publish("chat.lobby", "hello, Ada");
  await grace.publish("chat.lobby", "and goodbye");
  await grace.close();
  await ada.stderr.until(/^\* Grace left$/m);
  await ada.endInput();
  const { code, stdout } = await ada.ended();
  assertEquals([code, stdout], [0, "Grace: hello, Ada\nGrace: and goodbye\n"]);
});

processTest("chat takes another channel, and lists the sessions there", async () => {
  await using server = await serve({ port: 0 });
  await using _client = (await join(server.url, "chat.tea")).client;
  await using ada = await chat(server.url, "chat", "chat.tea");
  await ada.stderr.until(/^\* chat\.tea: you \(Ada\) and Grace; Ctrl-D ends$/m);
  await ada.endInput();
  assertEquals((await ada.ended()).code, 0);
});

processTest("a message cannot control the terminal or forge a line of another session", async () => {
  await using server = await serve({ port: 0 });
  await using ada = await chat(server.url);
  const { client } = await join(server.url, "chat.lobby");
  await using _client = client;
  await client.publish("chat.lobby", "\x1b]0;owned\x07\x1b[2J\rEve: hi\nEve: I am Eve\x7f\u009b1m");
  await client.publish("chat.lobby", new Uint8Array([0xff, 0x1b]));
  await ada.stdout.until(/2 bytes/);
  await ada.endInput();
  const { stdout } = await ada.ended();
  assertEquals(
    stdout,
    "Grace: \\x1b]0;owned\\x07\\x1b[2J\\rEve: hi\\nEve: I am Eve\\x7f\\x9b1m\n" +
      "Grace: (2 bytes that are not text)\n",
  );
});

processTest("Ctrl-C ends chat with 0", async () => {
  await using server = await serve({ port: 0 });
  await using ada = await chat(server.url);
  ada.kill("SIGINT");
  assertEquals((await ada.ended()).code, 0);
});

processTest("with --no-reconnect, a server that stops ends chat with 3, although stdin is open", async () => {
  const server = await serve({ port: 0 });
  await using ada = await chat(server.url, "--no-reconnect");
  await server.close();
  const { code, stderr } = await ada.ended();
  assertEquals(code, 3);
  assertStringIncludes(stderr, "\nparley: ");
});

// At a terminal of its own. What the screen does in detail is tested in chat/, without processes.

function terminalTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !HAS_PYTHON, fn });
}

/** Starts `parley chat ARGS` as Ada at a terminal, with its files in `folder`, and waits until it is ready. */
async function chatAtTerminal(url: string, folder: string, ...args: string[]): Promise<PseudoTerminal> {
  const terminal = new PseudoTerminal(["--url", url, "--name", "Ada", ...args], {
    env: { XDG_STATE_HOME: folder },
  });
  await terminal.screen.until(/^chat\.lobby>$/m);
  return terminal;
}

terminalTest("at a terminal, what is typed survives messages and a resize, and commands work", async () => {
  await using server = await serve({ port: 0 });
  using folder = makeFolder();
  const { client: grace, opened: lobby } = await join(server.url, "chat.lobby");
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
  "a chat at a terminal survives its server, with what is typed and what was said meanwhile",
  async () => {
    using folder = makeFolder();
    const first = await serve({ port: 0 });
    const { port } = first;
    await using ada = await chatAtTerminal(first.url, folder.path);
    await ada.type("half");
    await ada.screen.until(/^chat\.lobby> half$/m);
    await first.close();
    await ada.screen.until(/reconnecting\nchat\.lobby \(offline\)> half$/m);
    await ada.type(" typed\rand more");
    await ada.screen.until(/^Ada: half typed\nchat\.lobby \(offline\)> and more$/m);
    await using _second = await serve({ port });
    await ada.screen.until(
      /^\* connected again after [^*]*1\s+message\s+kept[^*]*\* chat\.lobby: you \(Ada\) alone\nchat\.lobby> and more$/m,
    );
    const { client: grace } = await join(first.url, "chat.lobby");
    await using _grace = grace;
    await ada.screen.until(/^\* Grace joined\nchat\.lobby> and more$/m);
  },
);

terminalTest(
  "Ctrl-Z and signals leave the terminal as it was, and traces appear above the prompt",
  async () => {
    await using server = await serve({ port: 0 });
    using folder = makeFolder();
    await using ada = await chatAtTerminal(server.url, folder.path, "--trace");
    assertEquals(await ada.mode(), "raw");
    await ada.type("half typed");
    await ada.screen.until(/^chat\.lobby> half typed$/m);
    const { client: grace } = await join(server.url, "chat.lobby");
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
  },
);
