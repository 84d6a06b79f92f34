import { assertEquals, assertStringIncludes } from "@std/assert";
import { serve } from "../../../lib/server/serve.ts";
import { connect } from "../../../lib/client/connect.ts";
import { processTest, Program } from "../../harness/program.ts";

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

processTest("chat --json prints an object for each event, and carries out objects", async () => {
  await using server = await serve({ port: 0, stored: [{ channels: "chat.>", storage: "history" }] });
  const { client: grace, opened: lobby } = await join(server.url, "chat.lobby");
  await using _grace = grace;
  await using ada = new Program(["--url", server.url, "--name", "Ada", "chat", "--json"]);
  await ada.stdout.until(/"type":"members","channel":"chat\.lobby","count":2/);
  await ada.type('{"text":"hello","headers":{"k":"v"}}\n\n{"json":{"n":12345678901234567890}}\n');
  const [hello, number] = [(await lobby.next()).value!, (await lobby.next()).value!];
  assertEquals([hello.text(), hello.headers, number.text()], [
    "hello",
    { k: "v" },
    '{"n":12345678901234567890}',
  ]);
  await ada.type(`{"to":"Grace","text":"psst"}\n{"to":${grace.sessionId},"text":"again"}\n`);
  const direct = grace.inbox[Symbol.asyncIterator]();
  assertEquals([(await direct.next()).value!.text(), (await direct.next()).value!.text()], ["psst", "again"]);
  await grace.publish("chat.lobby", "\x1b[2J");
  await ada.stdout.until(/"type":"message","name":"Grace","sequence":3,"text":"\\u001b\[2J"\}\n/);
  await ada.type('{"command":"history","count":1}\n{"command":"ask","channel":"$echo","text":"hi"}\n');
  await ada.stdout.until(/"type":"stored","name":"Grace","sequence":3/);
  await ada.stdout.until(/"type":"reply","name":"the server".*"text":"hi"/);
  await ada.type('{"to":"Linus","text":"hi"}\n{"command":"quit"}\n');
  const { code, stdout } = await ada.ended();
  assertEquals(code, 2); // a message was not sent
  assertStringIncludes(stdout, '{"type":"problem","text":"no session here has that name');
  for (const line of stdout.trim().split("\n")) JSON.parse(line);
});

for (
  const [line, problem] of [
    ["nonsense", "line 1 of stdin is not JSON"],
    ['{"command":"dance"}', "line 1 of stdin is not a command of chat"],
  ]
) {
  processTest(`chat --json ends with 2 after a line that is no object of its: ${line}`, async () => {
    await using server = await serve({ port: 0 });
    await using ada = new Program(["--url", server.url, "chat", "--json"]);
    await ada.type(`${line}\n`);
    const { code, stderr } = await ada.ended();
    assertEquals(code, 2);
    assertStringIncludes(stderr, problem);
  });
}
