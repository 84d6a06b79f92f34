/**
 * What scripts rely on: bytes in and out, objects in and out, templates, commands for messages, and clean ends.
 */

import { assertEquals, assertMatch } from "@std/assert";
import type { Client, Subscription } from "../../../lib/client/api.ts";
import { connect } from "../../../lib/client/connect.ts";
import type { Message } from "../../../lib/client/message_types.ts";
import { serve } from "../../../lib/server/serve.ts";
import { within } from "../../harness/deadline.ts";
import { RunningCommand, runParley } from "../../harness/in_process.ts";
import { MAY_INSPECT, MAY_RUN } from "../../harness/permissions.ts";

const LOGGED = { PARLEY_LOG_LEVEL: "info" };

/** A server, a client of it, and commands for it. */
class Site implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly env: Record<string, string>;
  readonly client: Client;

  private constructor(client: Client, port: number) {
    this.client = client;
    this.env = { PARLEY_PORT: `${port}` };
  }

  static async open(limits?: { payloadBytes: number }): Promise<Site> {
    const server = await serve({ port: 0, limits });
    const site = new Site(await connect({ url: server.url }), server.port);
    site.#stack.use(server);
    site.#stack.use(site.client);
    return site;
  }

  /** Runs a command to its end. */
  run(args: string[], stdin: string | Uint8Array = "", env: Record<string, string> = {}) {
    return runParley(args, { env: { ...this.env, ...env }, stdin });
  }

  /** Starts a command, and waits until it is subscribed or responds. */
  async start(args: string[], env: Record<string, string> = {}): Promise<RunningCommand> {
    const command = new RunningCommand(args, { env: { ...this.env, ...LOGGED, ...env } });
    this.#stack.use(command);
    await command.stderr.until(/"message":"(subscribed|responding)"/);
    return command;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

async function take(subscription: Subscription, count: number): Promise<Message[]> {
  const taken: Message[] = [];
  while (taken.length < count) taken.push((await subscription.next()).value!);
  return taken;
}

const bytes = (...values: number[]) => new Uint8Array(values);

// Objects.

Deno.test("what subscribe --json has printed can be published again", async () => {
  await using site = await Site.open();
  await using news = await site.client.subscribe("news");
  const printed = await site.start(["subscribe", "news", "--json", "--count", "3"]);
  const sent = [["a\r", { headers: { lang: "en" } }], [bytes(0xff, 0), {}], [
    { json: { on: true } },
    {},
  ]] as const;
  for (const [payload, options] of sent) await site.client.publish("news", payload, options);
  const first = await take(news, 3);
  const { stdout } = await printed.ended();
  assertEquals(await site.run(["publish", "--json"], stdout), {
    code: 0,
    stdout: '{"messages":3}\n',
    stderr: "",
  });
  const again = await take(news, 3);
  const contents = (messages: Message[]) =>
    messages.map(({ payload, kind, headers }) => ({ payload, kind, headers }));
  assertEquals(contents(again), contents(first));
  await site.run(["publish", "news", "--json"], '{"channel":"elsewhere","text":"x"}\n\n');
  assertEquals((await take(news, 1))[0].text(), "x");
});

// Bytes.

const BINARY = Uint8Array.from({ length: 70_000 }, (_, at) => at * 7 % 256);

Deno.test("stdin and files of bytes arrive as they are, by lines or whole", async () => {
  await using site = await Site.open();
  await using all = await site.client.subscribe("bytes");
  await site.run(["publish", "bytes", "--whole", "--header", "Name=a=b"], BINARY);
  const [whole] = await take(all, 1);
  assertEquals([whole.payload, whole.kind, whole.headers], [BINARY, "bytes", { name: "a=b" }]);
  await site.run(["publish", "bytes", "--kind", "json"], "1\r\n\n2");
  const lines = await take(all, 3);
  assertEquals(lines.map((line) => [line.text(), line.kind]), [["1\r", "json"], ["", "json"], ["2", "json"]]);
  assertEquals(await site.run(["publish", "bytes"]), { code: 0, stdout: "", stderr: "" });
  assertEquals(await site.run(["publish", "bytes", "--json"]), {
    code: 0,
    stdout: '{"channel":"bytes","messages":0}\n',
    stderr: "",
  });
  await site.run(["publish", "bytes", "--whole"]);
  assertEquals((await take(all, 1))[0].payload.length, 0);
});

Deno.test(
  { name: "several files are sent, also repeatedly; stdin is kept if it is whole", ignore: !MAY_RUN },
  async () => {
    await using site = await Site.open();
    await using all = await site.client.subscribe("files");
    const file = await Deno.makeTempFile();
    try {
      await Deno.writeTextFile(file, "one\ntwo\n");
      await site.run(["publish", "files", "--file", file, "--file", "-", "--repeat", "2", "--whole"], "in");
      const texts = (await take(all, 4)).map((message) => message.text());
      assertEquals(texts, ["one\ntwo\n", "in", "one\ntwo\n", "in"]);
      const start = performance.now();
      await site.run(["publish", "files", "--file", file, "--repeat", "2", "--rate", "100"]);
      assertEquals((await take(all, 4)).map((message) => message.text()), ["one", "two", "one", "two"]);
      assertEquals(performance.now() - start >= 29, true, "the last of four is due after 30 ms");
    } finally {
      await Deno.remove(file);
    }
  },
);

Deno.test("request and subscribe print the bytes of --raw and --whole", async () => {
  await using site = await Site.open();
  const escape = "\x1b[2Jtwo\nlines";
  const request = (...args: string[]) =>
    site.run(["request", "$echo", escape, ...args]).then(({ stdout }) => stdout);
  assertEquals(await request(), "\\x1b[2Jtwo\nlines\n");
  assertEquals(await request("--raw"), `${escape}\n`);
  assertEquals(await request("--whole"), escape);
  const printed = [
    await site.start(["subscribe", "raw", "--raw", "--count", "1"]),
    await site.start(["subscribe", "raw", "--whole", "--count", "1"]),
  ];
  await site.client.publish("raw", escape);
  assertEquals([(await printed[0].ended()).stdout, (await printed[1].ended()).stdout], [
    `${escape}\n`,
    escape,
  ]);
  const base64 = await site.run(["request", "$echo", "-"], bytes(0xff, 0x1b));
  assertEquals(base64.stdout, "base64:/xs=\n");
});

// Escapes.

const HOSTILE = "\x1b]0;owned\x07\r\u202e";
// deno-lint-ignore no-control-regex -- these are what must not be printed
const UNSAFE = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/;

for (
  const args of [
    ["subscribe", "x", "--count", "1"],
    ["subscribe", "x", "--count", "1", "--json"],
    ["subscribe", "x", "--count", "1", "--format", "{payload}{header:a}{headers}"],
    ["respond", "x", "--exec", "cat >/dev/null", "--count", "1", "--json"],
    ["request", "x", "hello"],
    ["request", "x", "hello", "--json"],
    ["request", "x", "hello", "--format", "{payload}{header:a}{headers}"],
  ]
) {
  Deno.test({ name: `what others send is escaped by ${args.join(" ")}`, ignore: !MAY_RUN }, async () => {
    await using site = await Site.open();
    const options = { headers: { a: HOSTILE }, kind: "text" } as const;
    if (args[0] === "request") {
      await using _responder = await site.client.respond("x", (request) => request.reply(HOSTILE, options));
      const { stdout, code } = await site.run(args);
      assertEquals([code, UNSAFE.test(stdout)], [0, false], stdout);
      return;
    }
    const command = await site.start(args, { PATH: Deno.env.get("PATH")! });
    if (args[0] === "respond") await site.client.request("x", HOSTILE, options);
    else await site.client.publish("x", HOSTILE, options);
    const { stdout } = await command.ended();
    assertEquals([UNSAFE.test(stdout), stdout.length > 20], [false, true], stdout);
  });
}

Deno.test("the error of a responder is escaped", async () => {
  await using site = await Site.open();
  await using _responder = await site.client.respond(
    "x",
    (request) => request.reply(HOSTILE, { headers: { error: "custom" } }),
    { onError: () => {} },
  );
  const { code, stderr } = await site.run(["request", "x", "hello"]);
  assertEquals([code, UNSAFE.test(stderr)], [5, false], stderr);
});

// Ends.

Deno.test("--timeout ends subscribe: with 0, or with 5 if fewer have come than wanted", async () => {
  await using site = await Site.open();
  const few = await site.run(["subscribe", "x", "--count", "2", "--timeout", "20ms"]);
  assertEquals(few, { code: 5, stdout: "", stderr: "parley: 0 of 2 messages came within 20ms\n" });
  assertEquals(await site.run(["subscribe", "x", "--timeout", "20ms"]), { code: 0, stdout: "", stderr: "" });
  const going = await site.start(["subscribe", "x", "--count", "1"], { PARLEY_TIMEOUT: "20ms" });
  await new Promise((resolve) => setTimeout(resolve, 40)); // nothing must happen in this time
  await site.client.publish("x", "late");
  assertEquals((await going.ended()).code, 0);
});

Deno.test(
  { name: "respond ends after --count requests, all of them answered", ignore: !MAY_RUN },
  async () => {
    await using site = await Site.open();
    const args = ["respond", "x", "--exec", "cat; echo", "--count", "2", "--json"];
    const responder = await site.start(args, { PATH: Deno.env.get("PATH")! });
    for (const text of ["a", "b"]) assertEquals((await site.client.request("x", text)).text(), `${text}\n`);
    const { code, stdout } = await responder.ended();
    const printed = stdout.trim().split("\n").map((line) => JSON.parse(line));
    assertEquals([code, printed.map(({ text, answered }) => [text, answered])], [0, [["a", true], [
      "b",
      true,
    ]]]);
  },
);

for (
  const args of [["subscribe", "x"], ["subscribe", "x", "--raw"], ["subscribe", "x", "--exec", "cat; echo"]]
) {
  Deno.test(
    { name: `${args.join(" ")} ends with 0 when its reader has gone`, ignore: !MAY_RUN },
    async () => {
      await using site = await Site.open();
      const command = await site.start(args, { PATH: Deno.env.get("PATH")! });
      await site.client.publish("x", "first");
      await command.stdout.until(/first/);
      await command.stdout.stopReading();
      await site.client.publish("x", "second");
      const { code, stderr } = await command.ended();
      assertEquals([code, stderr.includes("parley:")], [0, false], stderr);
    },
  );
}

Deno.test("requests from objects stop at the first that fails, with what was answered before", async () => {
  await using site = await Site.open();
  const lines = ['{"channel":"$echo","text":"one"}', '{"channel":"nobody","text":"two"}'].join("\n");
  const { code, stdout, stderr } = await site.run(["request", "--json"], lines);
  assertEquals([code, stdout], [5, '{"channel":"$echo","sender":0,"kind":"text","text":"one"}\n']);
  assertMatch(stderr, /^parley: no session responds on nobody/);
});

// Wrong usage, each found before a connection is made.

for (
  const [args, stdin, words, code] of [
    [
      ["publish", "x", "--json"],
      '{"text":"a"}\nhello\n',
      /^parley: line 2 of stdin is not JSON; expected/,
      2,
    ],
    [["publish", "--json"], '{"text":"a"}', /line 1 of stdin names no channel/, 2],
    [["publish", "--json"], '{"text":"a","channel":"a..b"}', /line 1 of stdin: .*segment 2/, 2],
    [["publish", "x"], `ok\n${"y".repeat(1025)}\n`, /line 2 of stdin is longer than the 1024 bytes/, 1],
    [["publish", "x", "--whole"], "y".repeat(1025), /stdin has more than the 1024 bytes/, 1],
    [["publish", "x", "--header", "a=b"], `ok\n${"y".repeat(1020)}\n`, /line 2 of stdin: .*1024/, 1],
    [["publish", "x", "--header", "nonsense"], "", /--header must be NAME=VALUE, not "nonsense"/, 2],
    [["publish", "x", "text", "--file", "f"], "", /a TEXT or --file, not both/, 2],
    [
      ["publish", "x", "--file", "/nonexistent"],
      "",
      /--file: cannot read \/nonexistent: there is no such file/,
      2,
    ],
    [["publish", "x", "--file", "/tmp"], "", /--file: cannot read \/tmp: it is a folder/, 2],
    [["publish", "x", "--repeat", "2"], "", /--repeat needs a TEXT, --file or --whole/, 2],
    [["publish", "x", "--rate", "0"], "", /--rate must be a number from 0\.001 to 1000000/, 2],
    [["publish", "x", "y", "--hedaer", "a=b"], "", /--hedaer is not an option; did you mean --header\?/, 2],
    [["publish", "x", "y", "--kind", "xml"], "", /--kind must be one of text, json, bytes/, 2],
    [["publish"], "", /publish needs a CHANNEL, or --json/, 2],
    [["request", "--whole", "--json"], "", /request needs a CHANNEL/, 2],
    [
      ["subscribe", "x", "--json", "--raw"],
      "",
      /give one of --json, --raw and --format \(json: flag, raw: flag/,
      2,
    ],
    [["subscribe", "x", "--exec", "cat", "--raw"], "", /give --exec, or one of --json, --raw/, 2],
    [["subscribe", "x", "--format", "{nope}"], "", /--format: {nope} is not a field/, 2],
    [["subscribe", "x", "--cuont", "1"], "", /--cuont is not an option; did you mean --count\?/, 2],
    [
      ["parley://h?token=hush"],
      "",
      /give the join link with --url .*; or save it: parley context add NAME LINK/,
      2,
    ],
    [["completion", "tcsh"], "", /"tcsh" is not a shell that can complete; the shells are bash, zsh/, 2],
    [["context", "add", "a b", "parley://h"], "", /"a b" cannot be the name of a context/, 2],
    [["context", "add", "a", "http://h"], "", /the link cannot be used: begins with http:/, 2],
    [["context", "add", "a"], "", /there is no join link on stdin/, 2],
    [["context", "add", "a", "parley://h"], "", /no folder to keep contexts in; set HOME/, 2],
    [["context", "delete", "a"], "", /usage: parley context add NAME \[LINK\]/, 2],
    [["ping", "--context", "nowhere"], "", /no context "nowhere"; add one with parley context add/, 2],
  ] as const
) {
  const shown = stdin === "" ? "" : ` <<<${JSON.stringify(stdin.slice(0, 30))}`;
  Deno.test({ name: `parley ${args.join(" ")}${shown} ends with ${code}`, ignore: !MAY_RUN }, async () => {
    await using site = await Site.open({ payloadBytes: 1024 });
    const ended = await site.run([...args], stdin);
    assertEquals([ended.code, ended.stdout, ended.stderr.split("\n").length], [code, "", 2], ended.stderr);
    assertMatch(ended.stderr, words);
  });
}

Deno.test("a link may have quotes around it and line breaks in it, as a flag and as a variable", async () => {
  await using site = await Site.open();
  const { PARLEY_PORT: port } = site.env;
  const pasted = `  'parley://127.0.\n    0.1:${port}'\n`;
  assertEquals((await runParley(["publish", "x", "y", "--url", pasted])).code, 0);
  assertEquals(
    (await runParley(["publish", "x", "y"], { env: { PARLEY_URL: `"parley://127.0.0.1:${port}"` } })).code,
    0,
  );
});

Deno.test("respond --json lets another program answer, in any order, with objects", async () => {
  await using site = await Site.open();
  const responder = await site.start(["respond", "x", "--json", "--count", "3"]);
  const replies = ["one", "two", "three"].map((text) =>
    site.client.request("x", text).catch((error) => error)
  );
  await responder.stdout.until(/"three"/);
  const asked = responder.stdout.text.trim().split("\n").map((line) => JSON.parse(line));
  const id = (text: string) => asked.find((request) => request.text === text).id;
  assertEquals(asked.map(({ id }) => id).sort(), [1, 2, 3]);
  await responder.type(`{"id":${id("two")},"json":{"n":2},"headers":{"a":"b"}}\n{"id":9,"text":""}\n`);
  await responder.type(`{"id":${id("three")},"headers":{"error":"sold_out"},"text":"no more"}\n`);
  await responder.type(`{"id":${id("one")},"base64":"/w=="}\n`);
  const [one, two, three] = await Promise.all(replies);
  assertEquals([one.payload, two.json(), two.headers, three.code], [
    bytes(0xff),
    { n: 2 },
    { a: "b" },
    "sold_out",
  ]);
  const { code, stderr } = await responder.ended();
  assertEquals(code, 0);
  assertMatch(stderr, /parley: line 2 of stdin answers no request that waits/);
});

Deno.test("the end of stdin ends respond --json, and fails what waits; a line that is no object is an error", async () => {
  await using site = await Site.open();
  const ended = await site.start(["respond", "x", "--json"]);
  const request = site.client.request("x", "one").catch((error) => error.code);
  await ended.stdout.until(/"one"/);
  await ended.endInput();
  assertEquals([await request, (await ended.ended()).code], ["responder_failed", 0]);
  const failed = await site.start(["respond", "x", "--json", "--exec-timeout", "50ms"]);
  assertEquals(await site.client.request("x", "late").catch((error) => error.code), "responder_failed");
  await failed.type("nonsense\n");
  const { code, stderr } = await failed.ended();
  assertEquals(code, 2, stderr);
  assertMatch(stderr, /no reply within 50ms\n[^]*parley: line 1 of stdin is not JSON/);
});

// Commands for messages.

Deno.test({
  name: "subscribe --exec runs a command for each message, in order, without Parley's secrets",
  ignore: !MAY_RUN,
}, async () => {
  await using site = await Site.open();
  const command = 'echo "$PARLEY_CHANNEL $PARLEY_SENDER $PARLEY_KIND $PARLEY_HEADERS $(cat) [$PARLEY_TOKEN]"';
  const env = { PATH: Deno.env.get("PATH")!, PARLEY_TOKEN: "hush" };
  const subscriber = await site.start(["subscribe", "a", "b.*", "--exec", command, "--count", "3"], env);
  await site.client.publish("a", "one", { headers: { k: "v" } });
  await site.client.publish("b.c", "two");
  await site.client.publish("a", bytes(0x33));
  const { code, stdout } = await subscriber.ended();
  const id = site.client.sessionId;
  const lines = [`a ${id} text {"k":"v"} one []`, `b.c ${id} text {} two []`, `a ${id} bytes {} 3 []`];
  assertEquals([code, stdout.trim().split("\n").sort()], [0, lines.sort()]);
});

Deno.test({
  name: "subscribe --exec goes on after a command that fails or hangs, and ends with 1",
  ignore: !MAY_INSPECT,
}, async () => {
  await using site = await Site.open();
  const command = 'read -r text; case $text in fail) exit 3;; hang) sleep 600;; *) echo "$text";; esac';
  const args = ["subscribe", "x", "--exec", command, "--exec-timeout", "300ms", "--count", "4"];
  const subscriber = await site.start(args, { PATH: Deno.env.get("PATH")! });
  for (const text of ["fail", "hang"]) await site.client.publish("x", text);
  // Escaped, these headers are longer than a variable can be.
  await site.client.publish("x", "long", { headers: { a: "\u202e".repeat(21_842) } });
  await site.client.publish("x", "fine");
  const { code, stdout, stderr } = await subscriber.ended();
  assertEquals([code, stdout], [1, "fine\n"]);
  assertMatch(stderr, /parley: the message of session \d+ on x: .* ended with exit code 3\n/);
  assertMatch(stderr, /parley: the message of session \d+ on x: .* did not end within 300ms\n/);
  assertMatch(stderr, /parley: the message of session \d+ on x: .* could not be started: .*\n/);
  assertMatch(stderr, /parley: a command failed, see above\n$/);
});

Deno.test(
  { name: "Ctrl-C lets the command of a message finish, and starts no other", ignore: !MAY_RUN },
  async () => {
    await using site = await Site.open();
    const command = 'echo "begun $(cat)"; sleep 0.2; echo done';
    const subscriber = await site.start(["subscribe", "x", "--exec", command], {
      PATH: Deno.env.get("PATH")!,
    });
    for (const text of ["one", "two"]) await site.client.publish("x", text);
    await subscriber.stdout.until(/begun one\n/);
    subscriber.interrupt();
    const { code, stdout } = await within(subscriber.ended(), "the end of subscribe");
    assertEquals([code, stdout], [0, "begun one\ndone\n"]);
  },
);
