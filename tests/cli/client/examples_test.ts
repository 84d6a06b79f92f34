/**
 * The examples of every `--help` are run, against one server.
 */

import { assertEquals } from "@std/assert";
import { serve } from "../../../lib/server/serve.ts";
import { connect } from "../../../lib/client/connect.ts";
import { COMMANDS } from "../../../lib/cli/client/main.ts";
import { Console, parseLine } from "../../harness/console.ts";
import { MAY_RUN } from "../../harness/permissions.ts";

/** What a command that runs until it is interrupted logs when it is ready. */
const READY = /"message":"(subscribed|responding|working|watching)"/;

/** Programs that a machine may lack. An example with one of them is skipped there. */
const PROGRAMS = ["jq", "xxd", "rev"];

/** A time that is enough to see that a measurement works. */
const DURATION = "--duration 100ms";

Deno.test("every command has examples, which name it", () => {
  for (const { name, examples } of COMMANDS) {
    assertEquals(examples.length > 0, true, name);
    for (const example of examples) assertEquals(parseLine(example).env, {}, example);
    const others = examples.filter((example) => parseLine(example).args[0] !== name);
    assertEquals(others.length < examples.length, true, name);
  }
});

// The timers of `bench` do not keep a process alive, and so are not ended with it.
for (
  const [name, commands, sanitizeOps] of [
    ["every command but bench", COMMANDS.filter(({ name }) => name !== "bench"), true],
    ["bench", COMMANDS.filter(({ name }) => name === "bench"), false],
  ] as const
) {
  Deno.test({
    name: `the examples in the help of ${name} work`,
    ignore: !MAY_RUN,
    sanitizeOps,
    sanitizeResources: sanitizeOps,
    fn: (test) => runExamples(commands.flatMap(({ examples }) => examples), test),
  });
}

async function runExamples(examples: readonly string[], test: Deno.TestContext): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "parley-examples-" });
  await Deno.writeFile(`${folder}/photo.jpg`, new Uint8Array([0xff, 0xd8, 0x0a, 0x0d]));
  await Deno.writeTextFile(`${folder}/link.txt`, `  "parley://127.0.0.1:7253"\n`);
  await Deno.writeTextFile(`${folder}/orders.txt`, "one\ntwo\n");
  await Deno.writeFile(`${folder}/capture.bin`, PING);
  await Deno.writeTextFile(`${folder}/capture.hex`, `04${" 00".repeat(15)}`);
  try {
    const durable = ["orders.new", "jobs.resize", "mail.out"];
    await using server = await serve({
      port: 0,
      stored: durable.map((channels) => ({ channels, storage: "durable" })),
      store: `${folder}/store`,
    });
    const console = new Console(folder, { PARLEY_PORT: `${server.port}`, XDG_STATE_HOME: `${folder}/state` });
    await using client = await connect({ url: server.url });
    await using _billing = await client.subscribe("orders.new", { consumer: "billing" });
    await using _upper = await client.respond("text.upper", (request) => request.text().toUpperCase());
    for (const example of examples) {
      const port = example.replace(/\b7253\b/, `${server.port}`);
      const line = port.startsWith("parley bench")
        ? `${port.replace(/ --duration \S+/, "")} ${DURATION}`
        : port;
      const ignore = PROGRAMS.some((program) => line.includes(program) && !isInstalled(program));
      await test.step({ name: example, ignore, fn: () => runExample(console, line, client) });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function isInstalled(program: string): boolean {
  return new Deno.Command("sh", { args: ["-c", `command -v ${program}`], stdout: "null" }).outputSync()
    .success;
}

/** A PING frame. */
const PING = new Uint8Array([0x04, ...new Array(15).fill(0)]);

async function runExample(
  console: Console,
  line: string,
  client: Awaited<ReturnType<typeof connect>>,
): Promise<void> {
  const { args: [name, ...args], output, after } = parseLine(line);
  const endsByItself = name === "top" && args.includes("--count") || args.includes("--end");
  if (!["subscribe", "respond", "work", "top"].includes(name) || endsByItself) {
    const { code, stderr } = await console.run(line);
    assertEquals([code, /^parley: /m.test(stderr)], [0, false], stderr);
    return;
  }
  // A pipe or a file would only take what is printed to another place.
  const bare = line.replace(after === undefined ? "" : `|${after}`, "").replace(
    output === undefined ? "" : `>${output}`,
    "",
  );
  await using command = await console.start(bare, READY);
  if (args.includes("--count")) {
    const channel = args[0];
    if (name === "subscribe") await client.publish(channel, "hello");
    else await client.request(channel, "hello");
  } else {
    command.interrupt();
  }
  assertEquals((await command.ended()).code, 0);
}
