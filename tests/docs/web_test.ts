/**
 * Runs the curl transcripts of docs/web.md: what stands below a command is what it prints. Times, epochs and numbers of
 * sessions may differ. A stream is read until it has printed what is shown; a `parley` with `&` runs beside the others.
 */

import { assertEquals } from "@std/assert";
import { serve } from "../../lib/mod.ts";
import { HAS_CURL } from "../harness/curl.ts";
import { makeFolder } from "../harness/folder.ts";
import { RunningCommand } from "../harness/in_process.ts";
import { Program } from "../harness/program.ts";

/** Lines of one command. */
interface Shown {
  readonly command: string;
  readonly output: string[];
}

function* transcriptsOf(markdown: string): Iterable<Shown[]> {
  for (const [, fence] of markdown.matchAll(/^```console\n([\s\S]*?)^```$/gm)) {
    const shown: Shown[] = [];
    for (const line of fence.trimEnd().split("\n")) {
      if (line.startsWith("$ ")) shown.push({ command: line.slice(2), output: [] });
      else shown.at(-1)?.output.push(line);
    }
    if (shown.some(({ command }) => command.startsWith("curl "))) yield shown;
  }
}

function masked(lines: string[]): string[] {
  return lines.map((line) =>
    line.replace(/\b[0-9a-f]{8}\b/g, "EPOCH").replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME").replace(
      /"sender":\d+/g,
      '"sender":N',
    )
  );
}

Deno.test({
  name: "the transcripts of docs/web.md are what one really sees",
  ignore: !HAS_CURL,
  fn: () => run(),
});

async function run(): Promise<void> {
  using folder = makeFolder();
  await using server = await serve({
    web: { port: 0 },
    stored: [{ channels: "orders.>", storage: "durable" }],
    store: `${folder.path}/store`,
  });
  const markdown = await Deno.readTextFile(new URL("../../docs/web.md", import.meta.url));
  const { host } = new URL(server.webUrl!);
  for (const transcript of transcriptsOf(markdown)) {
    await using beside = new AsyncDisposableStack();
    for (const { command, output } of transcript) {
      if (command.endsWith("&")) {
        const args = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word)
          .slice(1, -1);
        const env = { PARLEY_PORT: `${server.port}`, PARLEY_LOG_FORMAT: "json", PARLEY_LOG_LEVEL: "info" };
        const responder = beside.use(new RunningCommand(args, { env }));
        await responder.stderr.until(/"message":"responding"/);
        continue;
      }
      const real = command.replaceAll("localhost:7254", host).replace(/^curl/, "exec curl -q");
      const lines: string[] = [];
      const isComplete = Promise.withResolvers<void>();
      const onOutputLine = (line: string) => {
        if (lines.push(line) === output.length) isComplete.resolve();
        // The stream of alerts is shown with the message that was published before it.
        if (line === "retry: 2000" && command.includes("/subscribe/alerts")) void publish(server.webUrl!);
      };
      await using curl = new Program([`${real} -sS`], { program: ["sh", "-c"], onOutputLine });
      if (!command.includes(" -sN ")) await curl.ended();
      else await Promise.race([isComplete.promise, curl.status]);
      assertEquals(
        masked(lines.join("\n").trimEnd().split("\n")),
        masked(output.join("\n").split("\n")),
        command,
      );
    }
  }
}

async function publish(url: string): Promise<void> {
  const response = await fetch(`${url}/publish/alerts`, { method: "POST", body: "disk full" });
  await response.body?.cancel();
}
