import { assertEquals } from "@std/assert";
import { serve } from "../../../lib/server/serve.ts";
import { connect } from "../../../lib/client/connect.ts";
import { assertFailure, parley, processTest, Program } from "../../harness/program.ts";

processTest("request prints the reply, text with a newline at its end", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ url: server.url });
  await using _responder = await worker.respond("text.upper", (request) => request.text().toUpperCase());
  const { code, stdout } = await parley(["request", "text.upper", "quiet", "--url", server.url]);
  assertEquals([code, stdout], [0, "QUIET\n"]);
});

for (const operands of [["$echo", "-"], ["$echo"]]) {
  processTest(
    `request ${operands.join(" ")} sends all of stdin, and prints bytes unchanged`,
    async () => {
      await using server = await serve({ port: 0 });
      const stdin = "two\nlines";
      const text = await parley(["request", ...operands, "--url", server.url], { stdin });
      assertEquals(text.stdout, `${stdin}\n`);
      const bytes = await parley(["request", ...operands, "--json", "--whole", "--url", server.url], {
        stdin: new Uint8Array([0xff, 0x0a]),
      });
      const { kind, base64 } = JSON.parse(bytes.stdout);
      assertEquals([kind, base64], ["bytes", "/wo="]);
    },
  );
}

processTest("a request without responder is exit code 5", async () => {
  await using server = await serve({ port: 0 });
  const ended = await parley(["request", "nobody.there", "hello?", "--url", server.url]);
  assertFailure(ended, 5, /no session responds on nobody\.there; start one with parley respond/);
});

processTest("no reply in time is exit code 5", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ url: server.url });
  const asked = Promise.withResolvers<void>();
  await using _responder = await worker.respond("slow", () => asked.promise);
  const ended = await parley(["request", "slow", "hello?", "--timeout", "1500ms", "--url", server.url]);
  asked.resolve();
  assertFailure(ended, 5, /no reply on slow within 1\.5 s/);
});

processTest("Ctrl-C ends a waiting request with 130", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ url: server.url });
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  await using _responder = await worker.respond("slow", () => {
    asked.resolve();
    return answer.promise;
  });
  await using program = new Program(["request", "slow", "x", "--url", server.url]);
  await asked.promise;
  program.kill("SIGINT");
  assertEquals(await program.ended(), { code: 130, stdout: "", stderr: "" });
  answer.resolve();
});
