/**
 * The examples of every `--help` of `parley-server` are run.
 */

import { assertEquals } from "@std/assert";
import { parseLine } from "../../harness/console.ts";
import { type Site, siteTest } from "../../harness/site.ts";

/** The examples of `parley-server ARGS --help`. */
async function examplesOf(site: Site, ...args: string[]): Promise<string[]> {
  const help = await site.ok(...args, "--help");
  const [, lines] = /^Examples:\n((?: {2}.*\n)+)$/m.exec(help) ?? [];
  return lines.trim().split("\n").map((line) => line.trim());
}

siteTest("the examples in the help of parley-server work", async (site) => {
  for (const command of [["certs"], ["token"], []]) {
    const examples = await examplesOf(site, ...command);
    for (const example of examples) {
      const { args, env } = parseLine(example);
      if (args[0]?.startsWith("-")) {
        await site.serve(...args.filter((arg, at) => arg !== "--port" && args[at - 1] !== "--port"));
        continue;
      }
      const [{ id }] = args[1] === "revoke" ? await site.tokens() : [{ id: "" }];
      const { code, stderr } = await site.server(args.map((arg) => arg === "5f0c" ? id : arg), { env });
      assertEquals([code, /^parley-server: /m.test(stderr)], [
        0,
        args[1] === "issue" && /new state/.test(stderr),
      ], stderr);
    }
  }
});
