import { assertEquals } from "@std/assert";
import { serve } from "../../../lib/server/serve.ts";
import { connect } from "../../../lib/client/connect.ts";
import { RunningCommand, runParley } from "../../harness/in_process.ts";
import { assertFailure } from "../../harness/program.ts";

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

Deno.test("Ctrl-C ends a waiting request with 130", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ url: server.url });
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  await using _responder = await worker.respond("slow", () => {
    asked.resolve();
    return answer.promise;
  });
  await using program = new RunningCommand(["request", "slow", "x", "--url", server.url]);
  await asked.promise;
  program.interrupt();
  assertEquals(await program.ended(), { code: 130, stdout: "", stderr: "" });
  answer.resolve();
});
