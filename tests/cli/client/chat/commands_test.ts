import { assertEquals, assertStringIncludes } from "@std/assert";
import { chatHelp, complete, parseEntry } from "../../../../lib/cli/client/chat/commands.ts";
import { MAY_USE_FILES } from "../../../harness/permissions.ts";

Deno.test("a line is text, a command, or a mistake that is explained", () => {
  assertEquals(parseEntry("hello /who"), { kind: "text", text: "hello /who" });
  assertEquals(parseEntry("//who"), { kind: "text", text: "/who" });
  assertEquals(parseEntry("/msg Ada  a b "), { kind: "command", name: "msg", argument: "Ada  a b" });
  assertEquals(parseEntry("/quit"), { kind: "command", name: "quit", argument: "" });
  const problem = (line: string) => {
    const entry = parseEntry(line);
    return entry.kind === "unknown" ? entry.problem : "";
  };
  assertStringIncludes(problem("/jion chat.tea"), "did you mean /join?");
  assertStringIncludes(problem("/etc/passwd"), "/help lists the commands");
  assertStringIncludes(problem("/toString"), "is not a command");
  for (const line of chatHelp().split("\n")) assertEquals(line.length < 110, true, line);
});

Deno.test("Tab completes commands, channels and names, in any case of letters, as far as they agree", () => {
  const candidates = {
    channels: ["chat.lobby", "chat.tea", "jobs"],
    joined: ["chat.lobby"],
    names: ["Grace", "Grant", "Ada Lovelace"],
  };
  const completed = (text: string) => {
    const completion = complete(text, candidates);
    if (completion === undefined) return undefined;
    const { typed, text: replacement, choices } = completion;
    return [text.slice(0, text.length - typed) + replacement, ...choices];
  };
  assertEquals(completed("/jo"), ["/join "]);
  assertEquals(completed("/"), [
    "/",
    "/ask",
    "/help",
    "/history",
    "/join",
    "/leave",
    "/msg",
    "/quit",
    "/who",
  ]);
  assertEquals(completed("/join c"), ["/join chat."]);
  assertEquals(completed("/join chat."), ["/join chat.", "chat.lobby", "chat.tea"]);
  assertEquals(completed("/leave c"), ["/leave chat.lobby"]);
  assertEquals(completed("/ask j"), ["/ask jobs "]);
  assertEquals(completed("/msg g"), ["/msg Gra"]);
  assertEquals(completed("/msg ada l"), ["/msg Ada Lovelace "]);
  assertEquals(completed("grac"), ["Grace: "]);
  assertEquals(completed("hello grac"), ["hello Grace "]);
  assertEquals([completed(""), completed("hello "), completed("/help x")], [undefined, undefined, undefined]);
});

Deno.test({ name: "docs/cli.md has every command of a chat", ignore: !MAY_USE_FILES }, async () => {
  const page = await Deno.readTextFile(new URL("../../../../docs/cli.md", import.meta.url));
  const usages = chatHelp().match(/^\/.*?(?= {2})/gm) ?? [];
  assertEquals(usages.filter((usage) => !page.includes(`| \`${usage}\` `)), []);
  assertEquals(usages.length, 8);
});
