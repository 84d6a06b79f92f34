/**
 * Runs the command lines of docs/cli.md and docs/durable.md: what stands below them is what they print, and the exit codes are what they end
 * with.
 *
 * A fence marked `console` holds commands (`$ ...`), each followed by what it prints. One with `&` at its end is left
 * running; what it prints is at the end of the fence. A line `...` stands for any lines. Numbers of sessions, times, UUIDs
 * and milliseconds may differ.
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { COMMANDS } from "../../lib/cli/client/main.ts";
import { serve } from "../../lib/server/serve.ts";
import { Console } from "../harness/console.ts";
import type { RunningCommand } from "../harness/in_process.ts";
import { MAY_RUN } from "../harness/permissions.ts";

const READY = /"message":"(subscribed|responding)"/;

/** The pages, and the channels that are durable on each. */
const PAGES = { "docs/cli.md": ["orders.>"], "docs/durable.md": ["orders.>", "jobs.>"] };

/** Runs `fn` with the page, and a console that has the files which the page names. */
function pageTest(
  page: keyof typeof PAGES,
  name: string,
  fn: (markdown: string, console: Console, test: Deno.TestContext) => Promise<void>,
) {
  Deno.test({
    name: `${page}: ${name}`,
    ignore: !MAY_RUN,
    fn: async (test) => {
      const folder = await Deno.makeTempDir({ prefix: "parley-cli-" });
      await Deno.writeTextFile(`${folder}/app.log`, "started\n");
      await Deno.writeTextFile(`${folder}/big.txt`, "x".repeat(2_000_000));
      await Deno.writeFile(`${folder}/photo.jpg`, new Uint8Array([0xff, 0xd8, 0x0a, 0x0d]));
      try {
        await using server = await serve({
          port: 0,
          store: `${folder}/store`,
          stored: PAGES[page].map((channels) => ({ channels, storage: "durable" })),
        });
        const env = { PARLEY_PORT: `${server.port}`, XDG_STATE_HOME: `${folder}/state` };
        const markdown = (await Deno.readTextFile(new URL(`../../${page}`, import.meta.url))).replaceAll(
          "127.0.0.1:7253",
          `127.0.0.1:${server.port}`,
        );
        await fn(markdown, new Console(folder, env), test);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

for (const page of ["docs/cli.md", "docs/durable.md"] as const) {
  pageTest(page, "every transcript is what one sees", async (markdown, console, test) => {
    for (const fence of markdown.matchAll(/^```console\n([\s\S]*?)^```$/gm)) {
      const line = markdown.slice(0, fence.index).split("\n").length;
      const lines = fence[1].trimEnd().split("\n");
      await test.step(`${page}:${line}`, async () => {
        const printed = await play(lines.filter((text) => text.startsWith("$ ")), console);
        assertTranscript(printed.map(masked), lines.map(masked));
      });
    }
  });
}

/** Asserts that the lines are those that are shown. */
function assertTranscript(printed: string[], shown: string[]): void {
  if (!shown.includes("...")) return assertEquals(printed, shown);
  let rest = `${printed.join("\n")}\n`;
  for (const part of `${shown.join("\n")}\n`.split("...\n")) {
    assertStringIncludes(rest, part);
    rest = rest.slice(rest.indexOf(part) + part.length);
  }
}

/** Runs the commands of a fence; resolves to the commands with what they have printed. */
async function play(commands: string[], console: Console): Promise<string[]> {
  await using stack = new AsyncDisposableStack();
  const beside: RunningCommand[] = [];
  const printed: string[] = [];
  for (const command of commands) {
    printed.push(command);
    const line = command.slice(2);
    if (line.endsWith("&")) {
      beside.push(stack.use(await console.start(line.slice(0, -1), READY)));
    } else {
      const { stdout, stderr } = await console.run(line);
      printed.push(...linesOf(stdout + stderr));
    }
  }
  for (const command of beside) printed.push(...linesOf((await command.ended()).stdout));
  return printed;
}

function linesOf(text: string): string[] {
  return text === "" ? [] : text.trimEnd().split("\n");
}

/** What may differ from run to run, made the same. */
function masked(line: string): string {
  return line
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "UUID")
    .replace(/guest-\d+/g, "guest-N")
    .replace(/^ *[\d.]+ ms +session \d+.*/, (frame) => frame.replace(/ +/g, " ").replace(/^ ?[\d.]+/, "N"))
    .replace(/\b(session|channel number|channel=|sender=) ?\d+/g, "$1 N")
    .replace(/( [0-9a-f]{2}){4} +(channel|sender)/, " H $2")
    .replace(/"(sender|ms|sessionId)":[\d.]+/g, '"$1":N')
    .replace(/"(seconds|messages|perSecond|min|p\d+|max|sending|receiving|cores)":[\d.]+/g, '"$1":N')
    .replace(/round trip [\d.]+ ms/, "round trip N ms")
    .replace(/=[\de.-]+s;/, "=Ns;")
    .replace(/ (sessions|lag)=\d+;/g, " $1=N;")
    .replace(/; lag [\d,]+/, "; lag N")
    .replace(/ pending=\d+B;;;0;\d+/, " pending=NB;;;0;N") // what may wait depends on the machine
    .replace(/"isLimitedByBench":\w+/, '"isLimitedByBench":false') // on a machine that is busy with other tests
    .replace(/^([a-z.]+) \d+ /, "$1 N ");
}

pageTest("docs/cli.md", "every exit code is what its example ends with", async (markdown, console, test) => {
  const rows = [...markdown.matchAll(/^\| (\d+) +\|.*\| `(parley [^`]+)` *\|$/gm)];
  assertEquals(rows.map(([, code]) => code), ["0", "1", "2", "3", "4", "5"]);
  for (const [, code, line] of rows) {
    await test.step(`${line} ends with ${code}`, async () => {
      const ended = await console.run(line);
      assertEquals(ended.code, Number(code), ended.stderr);
    });
  }
});

pageTest("docs/cli.md", "every other command line works", async (markdown, console) => {
  for (const [, fence] of markdown.matchAll(/^```sh\n([\s\S]*?)^```$/gm)) {
    for (const line of fence.trimEnd().split("\n")) {
      const { code, stderr } = await console.run(line.replace(/ +#.*/, ""));
      assertEquals([code, stderr], [0, ""], line);
    }
  }
});

pageTest("docs/cli.md", "every command is listed", (markdown) => {
  const listed = [...markdown.matchAll(/^\| ((?:`[a-z]+`(?:, )?)+) +\|/gm)].flatMap(([, names]) =>
    [...names.matchAll(/`([a-z]+)`/g)].map(([, name]) => name)
  );
  const missing = COMMANDS.filter(({ name, isHidden }) => !isHidden && !listed.includes(name));
  assertEquals(missing.map(({ name }) => name), []);
  return Promise.resolve();
});
