import { assertEquals } from "@std/assert";
import { serve } from "../../../lib/server/serve.ts";
import { connect } from "../../../lib/client/connect.ts";
import { RunningCommand, runParley } from "../../harness/in_process.ts";
import { HAS_PYTHON } from "../../harness/permissions.ts";
import { assertFailure, processTest, Program } from "../../harness/program.ts";
import { PseudoTerminal } from "../../harness/pseudo_terminal.ts";

Deno.test("request prints the reply, text with a newline at its end", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ url: server.url });
  await using _responder = await worker.respond("text.upper", (request) => request.text().toUpperCase());
  const { code, stdout } = await runParley(["request", "text.upper", "quiet", "--url", server.url]);
  assertEquals([code, stdout], [0, "QUIET\n"]);
});

for (const operands of [["$echo", "-"], ["$echo"]]) {
  Deno.test(
    `request ${operands.join(" ")} sends all of stdin, and prints bytes unchanged`,
    async () => {
      await using server = await serve({ port: 0 });
      const stdin = "two\nlines";
      const text = await runParley(["request", ...operands, "--url", server.url], { stdin });
      assertEquals(text.stdout, `${stdin}\n`);
      const bytes = await runParley(["request", ...operands, "--json", "--whole", "--url", server.url], {
        stdin: new Uint8Array([0xff, 0x0a]),
      });
      const { kind, base64 } = JSON.parse(bytes.stdout);
      assertEquals([kind, base64], ["bytes", "/wo="]);
    },
  );
}

Deno.test("a request without responder is exit code 5", async () => {
  await using server = await serve({ port: 0 });
  const ended = await runParley(["request", "nobody.there", "hello?", "--url", server.url]);
  assertFailure(ended, 5, /no session responds on nobody\.there; start one with parley respond/);
});

Deno.test("no reply in time is exit code 5", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ url: server.url });
  const asked = Promise.withResolvers<void>();
  await using _responder = await worker.respond("slow", () => asked.promise);
  const ended = await runParley(["request", "slow", "hello?", "--timeout", "300ms", "--url", server.url]);
  asked.resolve();
  assertFailure(ended, 5, /no reply on slow within 0\.3 s/);
});

/** Asks for what is never answered; `run` ends the request once it has come. */
async function whileWaiting(run: (args: string[], asked: Promise<void>) => Promise<void>): Promise<void> {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ url: server.url });
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  await using _responder = await worker.respond("slow", () => {
    asked.resolve();
    return answer.promise;
  });
  await run(["request", "slow", "x", "--url", server.url], asked.promise);
  answer.resolve();
}

Deno.test("Ctrl-C ends a waiting request with 130", () =>
  whileWaiting(async (args, asked) => {
    await using program = new RunningCommand(args);
    await asked;
    program.interrupt();
    assertEquals(await program.ended(), { code: 130, stdout: "", stderr: "" });
  }));

processTest("SIGTERM ends a waiting request with 143", () =>
  whileWaiting(async (args, asked) => {
    await using program = new Program(args);
    await asked;
    program.kill("SIGTERM");
    assertEquals(await program.ended(), { code: 143, stdout: "", stderr: "" });
  }));

Deno.test({
  name: "the end of the terminal ends a waiting request with 129",
  ignore: !HAS_PYTHON,
  fn: () =>
    whileWaiting(async (args, asked) => {
      await using terminal = new PseudoTerminal(args);
      await asked;
      await terminal.kill("SIGHUP");
      assertEquals((await terminal.ended()).code, 129);
    }),
});
