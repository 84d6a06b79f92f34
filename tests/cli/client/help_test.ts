import { COMMAND_OPTIONS } from "../../../lib/config/client_options.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { COMMANDS } from "../../../lib/cli/client/main.ts";
import { commandHelp, programHelp } from "../../../lib/cli/client/help.ts";
import { VERSION } from "../../../lib/version.ts";
import { RunningCommand, runParley } from "../../harness/in_process.ts";

Deno.test("the program's help names every command, the exit codes, and fits 100 columns", () => {
  const help = programHelp(COMMANDS);
  for (const { name, summary, isHidden } of COMMANDS) {
    assertEquals(new RegExp(`^  ${name} .*${summary}$`, "m").test(help), !isHidden, name);
  }
  assertStringIncludes(help, "3 server not reachable");
  assertEquals(help.split("\n").filter((line) => line.length > 100), []);
});

for (const command of COMMANDS) {
  Deno.test(`the help of ${command.name} shows its usage and its own options only`, () => {
    const help = commandHelp(command);
    assert(help.startsWith(`Usage: parley ${command.name} `));
    for (const option of COMMAND_OPTIONS) {
      assertEquals(help.includes(`      --${option} `), command.options.includes(option));
    }
    assertEquals(help.split("\n").filter((line) => line.length > 110), []);
  });
}

Deno.test("--help, help and --version print to stdout and end with 0", async () => {
  const [program, same, command, sameCommand, version] = await Promise.all(
    [["--help"], ["help"], ["ping", "-h"], ["help", "ping"], ["--version"]].map((args) => runParley(args)),
  );
  assertEquals(program, { code: 0, stdout: `${programHelp(COMMANDS)}\n`, stderr: "" });
  assertEquals(same, program);
  assertMatch(command.stdout, /^Usage: parley ping \[OPTIONS\]\n/);
  assertEquals(sameCommand, command);
  assertEquals(version, { code: 0, stdout: `${VERSION}\n`, stderr: "" });
});

Deno.test("help to a closed pipe is not a failure", async () => {
  await using program = new RunningCommand(["--help"]);
  await program.stdout.stopReading();
  const { code, stderr } = await program.ended();
  assertEquals([code, stderr], [0, ""]);
});
