import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { EXPLAIN } from "../../../lib/cli/client/commands/explain.ts";
import type { Context } from "../../../lib/cli/client/command.ts";
import { EXPLANATIONS } from "../../../lib/cli/client/explanations.ts";
import { Output } from "../../../lib/cli/output.ts";
import { FATAL, type ParleyError } from "../../../lib/errors.ts";
import { runParley } from "../../harness/in_process.ts";
import { assertFailure } from "../../harness/program.ts";
import { isGranted } from "../../harness/permissions.ts";

/** Runs `parley explain ARGS` in this process; resolves to what it prints. */
async function explain(operands: string[], json = false): Promise<string> {
  let printed = "";
  const output = new Output({
    write: (bytes) => {
      printed += new TextDecoder().decode(bytes);
      return Promise.resolve(bytes.length);
    },
  });
  await EXPLAIN.run({ values: { json }, operands, output } as unknown as Context);
  await output.flush();
  return printed;
}

Deno.test({
  name: "every code has a meaning, which is that of its documentation, a cause and something to do",
  ignore: !isGranted("read"),
  fn: async () => {
    const source = await Deno.readTextFile(new URL("../../../lib/errors.ts", import.meta.url));
    const documented = [...source.matchAll(/\/\*\* (.*) \*\/\n {2}\| "(\w+)"/g)].map(([, meaning, code]) => ({
      code,
      meaning,
    }));
    const explained = Object.entries(EXPLANATIONS).map(([code, { meaning }]) => ({ code, meaning }));
    assertEquals(explained, documented);
    for (const code of Object.keys(FATAL)) assert(code in EXPLANATIONS, code);
    for (const [code, { meaning, cause, action }] of Object.entries(EXPLANATIONS)) {
      for (const text of [meaning, cause, action]) assertMatch(text, /^["A-Z*].{20,}\.$/, code);
    }
  },
});

Deno.test({
  name: "the documents of the protocol and of the library list every code",
  ignore: !isGranted("read"),
  fn: async () => {
    const read = (name: string) => Deno.readTextFile(new URL(`../../../docs/${name}`, import.meta.url));
    const [protocol, library] = [await read("protocol.md"), await read("library.md")];
    const missing = Object.keys(EXPLANATIONS).filter((code) =>
      !new RegExp(`^\\| [^|]*\\b${code}\\b`, "m").test(code in FATAL ? protocol : library)
    );
    assertEquals(missing, []);
  },
});

Deno.test("a code is explained within 80 columns, however it is written", async () => {
  const text = await explain(["no_responders"]);
  assertMatch(
    text,
    /^no_responders: the server sends it; the connection goes on; exit code 5\n\nmeaning {2}/,
  );
  assertStringIncludes(text, "parley respond");
  assertEquals(text.split("\n").filter((line) => line.length > 80), []);
  assertEquals(await explain(["No-Responders"]), text);
  assertMatch(await explain(["unreachable"]), /^unreachable: arises at the client; exit code 3\n/);
  const { code, exitCode, ...rest } = JSON.parse(await explain(["forbidden"], true));
  assertEquals([code, exitCode, Object.keys(rest)], ["forbidden", 4, ["from", "meaning", "cause", "action"]]);
});

Deno.test("an exit code is explained by the codes that lead to it", async () => {
  const text = await explain(["4"]);
  assertEquals(text, "exit code 4: refused (token or permission)\n\ncodes    unauthorized, forbidden\n");
  assertEquals(await explain(["0"]), "exit code 0: done\n");
  assertEquals(JSON.parse(await explain(["3"], true)).codes.includes("unreachable"), true);
});

Deno.test("without a code all are listed", async () => {
  const text = await explain([]);
  for (const code of Object.keys(EXPLANATIONS)) assertMatch(text, new RegExp(`^${code} `, "m"));
  assertEquals((await explain([], true)).trim().split("\n").length, Object.keys(EXPLANATIONS).length);
});

Deno.test("an unknown code is wrong usage, with the nearest one", async () => {
  const problem = (code: string) => explain([code]).then(() => "", (error: ParleyError) => error.message);
  assertMatch(
    await problem("unauthorised"),
    /"unauthorised" is not an error code of Parley; did you mean unauthorized\?/,
  );
  assertMatch(await problem("out_of_stock"), /parley explain lists them\. The codes of an application/);
});

Deno.test("explain needs no server, and takes no options about one", async () => {
  const { code, stdout } = await runParley(["explain", "untrusted"]);
  assertEquals([code, stdout.startsWith("untrusted: ")], [0, true]);
  assertFailure(
    await runParley(["explain", "untrusted", "--url", "parley://hub"]),
    2,
    /--url is not an option/,
  );
});
