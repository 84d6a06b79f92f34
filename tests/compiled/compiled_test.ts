/**
 * The two programs as `deno task compile` made them: started from an empty folder, by themselves, talking to each
 * other. That they start at all is worth testing: a wrong runtime base makes an executable that opens a REPL instead.
 *
 * Ignored while there is no dist/, unless PARLEY_COMPILED=required says that there must be.
 *
 * @module
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { MAY_SIGNAL, Program } from "../cli/client/program.ts";

const DIST = new URL("../../dist/", import.meta.url).pathname;
const IS_REQUIRED = MAY_SIGNAL && Deno.env.get("PARLEY_COMPILED") === "required";

function compiledTest(name: string, fn: (folder: string) => Promise<void>): void {
  Deno.test({
    name: `compiled: ${name}`,
    ignore: !MAY_SIGNAL || !(IS_REQUIRED || isFile(`${DIST}parley`) && isFile(`${DIST}parley-server`)),
    fn: async () => {
      const folder = await Deno.makeTempDir();
      try {
        await fn(folder);
        assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), [], "left in the folder");
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Starts one of the executables in `cwd`. */
function start(name: "parley" | "parley-server", cwd: string, ...args: string[]): Program {
  return new Program(args, { program: [DIST + name], cwd });
}

/** Runs `parley ARGS` to its end. */
async function parley(cwd: string, ...args: string[]) {
  await using program = start("parley", cwd, ...args);
  await program.endInput();
  return await program.ended();
}

/** Starts a server on a free port; resolves to it and the port it logs. */
async function serve(cwd: string) {
  const server = start("parley-server", cwd, "--port", "0");
  const [line] = await server.stderr.until(/^\{.*"message":"listening".*\}$/m);
  return { server, port: String(JSON.parse(line).port) };
}

compiledTest("the client pings the server, and SIGTERM ends the server with 0", async (folder) => {
  const { server, port } = await serve(folder);
  await using _ = server;
  const ping = await parley(folder, "ping", "--port", port, "--name", "Ada");
  assertEquals([ping.code, ping.stderr], [0, ""]);
  assertMatch(ping.stdout, /^connected to parley [\d.]+ as Ada, session 1, .*\npong 1: [\d.]+ ms\n$/);
  server.kill("SIGTERM");
  const { code, stdout, stderr } = await server.ended();
  assertEquals([code, stdout], [0, ""]);
  assertStringIncludes(stderr, '"message":"stopped"');
});

compiledTest("what one client publishes another prints", async (folder) => {
  const { server, port } = await serve(folder);
  await using _ = server;
  await using listener = start(
    "parley",
    folder,
    ...["subscribe", "chat.*", "--count", "1", "--port", port, "--log-level", "info"],
  );
  await listener.stderr.until(/"subscribed"/);
  assertEquals((await parley(folder, "publish", "chat.lobby", "hello", "--port", port)).code, 0);
  const { code, stdout } = await listener.ended();
  assertEquals([code, stdout], [0, "chat.lobby 2 hello\n"]);
});

compiledTest("what one client asks another answers with a command", async (folder) => {
  const { server, port } = await serve(folder);
  await using _ = server;
  await using responder = start(
    "parley",
    folder,
    ...["respond", "text.upper", "--exec", "tr a-z A-Z", "--port", port, "--log-level", "info"],
  );
  await responder.stderr.until(/"responding"/);
  const asked = await parley(folder, "request", "text.upper", "quiet", "--port", port);
  assertEquals(asked, { code: 0, stdout: "QUIET\n", stderr: "" });
  responder.kill("SIGINT");
  assertEquals((await responder.ended()).code, 0);
});

compiledTest("failures are one line and their exit code", async (folder) => {
  const { server, port } = await serve(folder);
  await using _ = server;
  const nobody = await parley(folder, "request", "nobody", "x", "--port", port);
  const [usage, typo] = [await parley(folder, "publish"), await parley(folder, "pnig")];
  server.kill("SIGTERM");
  await server.ended();
  const gone = await parley(folder, "ping", "--port", port);
  assertEquals([nobody, usage, typo, gone].map(({ code }) => code), [5, 2, 2, 3]);
  for (const { stderr } of [nobody, usage, typo, gone]) assertMatch(stderr, /^parley: [^\n]+\n$/);
  assertStringIncludes(typo.stderr, "did you mean ping?");
});

compiledTest("help, version and config need no server", async (folder) => {
  for (const name of ["parley", "parley-server"] as const) {
    for (
      const [flag, expected] of [["--version", /^\d+\.\d+\.\d+\n$/], ["--help", /^Usage: parley/m]] as const
    ) {
      await using program = start(name, folder, flag);
      const { code, stdout, stderr } = await program.ended();
      assertEquals([code, stderr], [0, ""]);
      assertMatch(stdout, expected);
    }
  }
  await using program = start("parley-server", folder, "config", "--port", "7000");
  const { code, stdout } = await program.ended();
  assertEquals(code, 0);
  assertMatch(stdout, /^ {2}port +7000 +flag$/m);
});
