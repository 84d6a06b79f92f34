import { assert, assertEquals } from "@std/assert";
import { type Asked, readCommandLine } from "../../../lib/cli/client/command_line.ts";
import { COMMANDS } from "../../../lib/cli/client/commands.ts";
import { CLIENT_OPTIONS, clientProgram, parseMilliseconds } from "../../../lib/config/client_options.ts";

function read(line: string, env: Record<string, string> = {}): Asked {
  const args = line.split(" ").filter((arg) => arg !== "");
  return readCommandLine(COMMANDS, { args, env, isTerminal: false });
}

function run(line: string, env?: Record<string, string>): Asked & { kind: "run" } {
  const asked = read(line, env);
  assert(asked.kind === "run", JSON.stringify(asked));
  return asked;
}

Deno.test("a command may stand before, between and behind its options", () => {
  for (const line of ["publish chat hi --port 1", "--port 1 publish chat hi", "publish --port=1 chat hi"]) {
    const { command, operands, values } = run(line);
    assertEquals([command.name, operands, values.port], ["publish", ["chat", "hi"], 1]);
  }
});

Deno.test("without a command it is chat", () => {
  assertEquals(run("--port 1").command.name, "chat");
});

Deno.test("a text that begins with - goes behind --, and - alone is itself", () => {
  assertEquals(run("publish chat -- --help").operands, ["chat", "--help"]);
  assertEquals(run("publish chat -").operands, ["chat", "-"]);
  assertEquals(read("publish chat -5").kind, "wrong");
});

Deno.test("the server is the one that flags name, then the one of PARLEY_URL, then host and port", () => {
  const env = { PARLEY_URL: "parley://a:1", PARLEY_PORT: "2" };
  assertEquals(run("ping", env).where, { url: "parley://a:1" });
  assertEquals(run("ping --port 3", env).where, { hostname: "127.0.0.1", port: 3 });
  assertEquals(run("ping --url parley://b:4", env).where, { url: "parley://b:4" });
  assertEquals(run("ping", { PARLEY_PORT: "2" }).where, { hostname: "127.0.0.1", port: 2 });
  assertEquals(run("ping").where, { hostname: "127.0.0.1", port: 7253 });
  assertEquals(read("ping --url parley://b:4 --host c").kind, "wrong");
});

Deno.test("times are seconds, or carry their unit", () => {
  const cases = {
    "10": 10_000,
    "500ms": 500,
    "1.5s": 1500,
    "2m": 120_000,
    "1h": 3_600_000,
    "24 h": 86_400_000,
  };
  for (const [text, ms] of Object.entries(cases)) assertEquals(parseMilliseconds(text), ms, text);
  for (const text of ["", "0", "-1", "0.1ms", "25h", "s", "1d", "1e3", "Infinity"]) {
    assertEquals(parseMilliseconds(text), undefined, text);
  }
  assertEquals(run("ping --timeout 500ms").timeoutMs, 500);
});

Deno.test("every problem is told, and a secret is not", () => {
  const asked = read("ping --prot 1 --timeout x", { PARLEY_TOKE: "hush", PARLEY_STATE: "server's own" });
  assert(asked.kind === "wrong");
  assertEquals(asked.problems, [
    "--prot is not an option; did you mean --port?",
    "PARLEY_TOKE is not an option; did you mean PARLEY_TOKEN?",
    'timeout must be a time from 1ms to 24h, such as 10, 10s or 500ms, not "x" (timeout: flag)',
  ]);
});

Deno.test("what is an option of another command is none of this one, but its variable is no mistake", () => {
  assertEquals(read("publish chat hi --count 3").kind, "wrong");
  assertEquals(run("respond jobs --exec cat", { PARLEY_JSON: "true" }).command.name, "respond");
  const known = Object.keys(CLIENT_OPTIONS).length;
  assertEquals(Object.keys(clientProgram([]).options).length, known - 3);
  assertEquals(Object.keys(clientProgram(["json"]).options).length, known - 2);
});

Deno.test("help and version win over what is wrong elsewhere", () => {
  assertEquals(read("--help"), { kind: "help", command: undefined });
  assertEquals(read("publish --help"), { kind: "help", command: COMMANDS[1] });
  assertEquals(read("help publish"), { kind: "help", command: COMMANDS[1] });
  assertEquals(read("--version").kind, "version");
});
