import { assert, assertEquals } from "@std/assert";
import { type CommandLine, parseCommandLine } from "../../../lib/cli/client/command_line.ts";
import { COMMANDS } from "../../../lib/cli/client/main.ts";
import { CLIENT_OPTIONS, clientProgram, COMMAND_OPTIONS } from "../../../lib/config/client_options.ts";

function read(line: string, env: Record<string, string> = {}): CommandLine {
  const args = line.split(" ").filter((arg) => arg !== "");
  return parseCommandLine(COMMANDS, { args, env, isTerminal: false });
}

function run(line: string, env?: Record<string, string>): CommandLine & { kind: "run" } {
  const parsed = read(line, env);
  assert(parsed.kind === "run", JSON.stringify(parsed));
  return parsed;
}

Deno.test("a command may come before, between and after its options", () => {
  for (const line of ["publish chat hi --port 1", "--port 1 publish chat hi", "publish --port=1 chat hi"]) {
    const { command, operands, values } = run(line);
    assertEquals([command.name, operands, values.port], ["publish", ["chat", "hi"], 1]);
  }
});

Deno.test("without a command, chat runs", () => {
  assertEquals(run("--port 1").command.name, "chat");
});

Deno.test("a text that begins with - follows --, and a lone - is an operand", () => {
  assertEquals(run("publish chat -- --help").operands, ["chat", "--help"]);
  assertEquals(run("publish chat -").operands, ["chat", "-"]);
  assertEquals(read("publish chat -5").kind, "invalid");
});

Deno.test("the server address comes from flags, then PARLEY_URL, then host and port", () => {
  const env = { PARLEY_URL: "parley://a:1", PARLEY_PORT: "2" };
  assertEquals(run("ping", env).address, { url: "parley://a:1" });
  assertEquals(run("ping --port 3", env).address, { hostname: "127.0.0.1", port: 3 });
  assertEquals(run("ping --url parley://b:4", env).address, { url: "parley://b:4" });
  assertEquals(run("ping", { PARLEY_PORT: "2" }).address, { hostname: "127.0.0.1", port: 2 });
  assertEquals(run("ping").address, { context: undefined });
  assertEquals(run("ping --context home", env).address, { context: "home" });
  assertEquals(run("ping", { PARLEY_CONTEXT: "home", PARLEY_PORT: "2" }).address, { context: "home" });
  assertEquals(run("ping", { ...env, PARLEY_CONTEXT: "home" }).address, { url: "parley://a:1" });
  assertEquals(run("ping --port 3", { PARLEY_CONTEXT: "home" }).address, { hostname: "127.0.0.1", port: 3 });
  assertEquals(read("ping --context home --url parley://b:4").kind, "invalid");
  assertEquals(read("ping --url parley://b:4 --host c").kind, "invalid");
});

Deno.test("times are seconds, or have a unit", () => {
  const cases = {
    "10": 10_000,
    "500ms": 500,
    "1.5s": 1500,
    "1.1": 1100,
    "2m": 120_000,
    "1h": 3_600_000,
    "24 h": 86_400_000,
    "1d": 86_400_000,
  };
  for (const [text, ms] of Object.entries(cases)) {
    assertEquals(run("ping", { PARLEY_TIMEOUT: text }).values.timeout, ms, text);
  }
  for (const text of ["0", "-1", "0.1ms", "25h", "s", "1e3", "Infinity"]) {
    assertEquals(read(`ping --timeout=${text}`).kind, "invalid", text);
  }
});

Deno.test("every problem is reported, without secrets", () => {
  const parsed = read("ping --prot 1 --timeout x --token=hush\nhush", { PARLEY_STATE: "server's own" });
  assert(parsed.kind === "invalid");
  assertEquals(parsed.problems, [
    "--prot is not an option; did you mean --port?",
    "--token must be one word, without white space (its value is secret and not shown)",
    '--timeout must be a time from 1ms to 1d, such as 10, 10s or 500ms, not "x"',
  ]);
});

Deno.test("a variable that is close to a known one is a warning, without its value", () => {
  const { warnings } = run("ping", { PARLEY_TOKE: "hush", PARLEY_COUNT: "3", PARLEY_FLAVOUR: "mint" });
  assertEquals(warnings, [
    "PARLEY_TOKE is ignored: it is not an option; did you mean PARLEY_TOKEN?",
    "PARLEY_COUNT is ignored: it cannot be set here, only as --count",
  ]);
});

Deno.test("what a container platform sets for a service called parley is ignored", () => {
  const { values, warnings } = run("ping", {
    PARLEY_PORT: "tcp://10.0.0.11:7253",
    PARLEY_NAME: "/web/parley", // of a link between containers
    PARLEY_SERVICE_HOST: "10.0.0.11",
  });
  assertEquals([values.port, values.name, warnings], [7253, undefined, []]);
  assertEquals(run("ping", { PARLEY_NAME: "Ada" }).values.name, "Ada");
});

Deno.test("an IPv6 address may have its brackets", () => {
  for (const host of ["::1", "[::1]"]) {
    assertEquals(run(`ping --host ${host}`).address, { hostname: "::1", port: 7253 });
  }
});

Deno.test("a command refuses the options of others, but ignores their variables", () => {
  assertEquals(read("publish chat hi --count 3").kind, "invalid");
  assertEquals(run("respond jobs --exec cat", { PARLEY_JSON: "true" }).command.name, "respond");
  const common = Object.keys(CLIENT_OPTIONS).length - COMMAND_OPTIONS.length;
  assertEquals(Object.keys(clientProgram([]).options).length, common);
  assertEquals(Object.keys(clientProgram(["json"]).options).length, common + 1);
});

Deno.test("help and version win over problems", () => {
  assertEquals(read("--help"), { kind: "help", command: undefined });
  assertEquals(read("publish --help"), { kind: "help", command: COMMANDS[1] });
  assertEquals(read("help publish"), { kind: "help", command: COMMANDS[1] });
  assertEquals(read("--version").kind, "version");
});
