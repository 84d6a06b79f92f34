/**
 * The sources of a token, and that it appears in no process list, no log and on no screen.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { assertFailure, type Program, type ProgramOptions } from "../../harness/program.ts";
import { HAS_PYTHON } from "../../harness/permissions.ts";
import { type Site, siteTest } from "../../harness/site.ts";

/** A server that requires tokens, and a token for it. */
async function guarded(site: Site, ...args: string[]) {
  const token = await site.issue("--name", "Ada", "--subscribe", ">", "--publish", ">");
  const server = await site.serve("--auth", ...args);
  return { token, server, at: ["--port", `${server.port}`] };
}

/** Starts the client by a shell that prints its process id and then becomes the client. */
function startKnown(site: Site, args: readonly string[], env: ProgramOptions["env"]): Program {
  const program = ["sh", "-c", 'echo "pid $$" >&2; exec "$@"', "sh", ...site.programs.client];
  return site.startClient(args, { program, env });
}

siteTest("a token from PARLEY_TOKEN or @FILE is in no process list", async (site) => {
  const { token, at } = await guarded(site);
  const file = await site.write("token", `${token}\n`);
  const ways: [string[], Record<string, string>][] = [
    [[], { PARLEY_TOKEN: token }],
    [["--token", `@${file}`], {}],
    [[], { PARLEY_TOKEN: `@${file}` }],
    [[], { PARLEY_TOKEN: `${token}\n` }],
  ];
  for (const [args, env] of ways) {
    const program = startKnown(site, ["subscribe", "chat", ...at, ...args], env);
    const [, pid] = await program.stderr.until(/pid (\d+)/);
    await program.stderr.until(/"message":"subscribed"/);
    const commandLine = await Deno.readTextFile(`/proc/${pid}/cmdline`);
    assertStringIncludes(commandLine, "subscribe");
    assertEquals(commandLine.includes("eyJ"), false);
    program.kill("SIGINT");
    assertEquals((await program.ended()).code, 0);
  }
}, { ignore: Deno.build.os !== "linux" });

siteTest("a token that cannot be read", async (site) => {
  const { token, at } = await guarded(site);
  await site.write("empty", "\n");
  await site.write("two", `${token}\n${token}\n`);
  const cases: [string, RegExp][] = [
    ["@gone", /^parley: --token: cannot read gone: there is no such file$/m],
    ["@", /^parley: --token: @ must be followed by a file: @FILE$/m],
    [
      "@empty",
      /^parley: --token: the content of empty must be one word, without white space \(its value is secret/m,
    ],
    [
      "@two",
      /^parley: --token: the content of two must be one word, without white space \(its value is secret/m,
    ],
    [`${token} ${token}`, /^parley: --token must be one word, without white space \(its value is secret/m],
    [
      "-",
      /^parley: cannot ask for the token: stdin is not a terminal; give it in PARLEY_TOKEN, or as --token @FILE$/m,
    ],
  ];
  for (const [given, words] of cases) {
    const ended = await site.parley(["ping", ...at, `--token=${given}`]);
    assertFailure(ended, 2, words);
    assertEquals(ended.stderr.includes("eyJ"), false);
  }
});

/** Runs a program at its own terminal: types `answer` once `question` appears. Prints exit code and screen. */
const TERMINAL = `
import os, pty, select, sys, termios
question, answer = sys.argv[1].encode(), sys.argv[2].encode().decode("unicode_escape").encode()
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[3], sys.argv[3:])
screen, asked, seen = b"", False, ""
while True:
    ready, _, _ = select.select([terminal], [], [], 30)
    if not ready: break
    try: chunk = os.read(terminal, 4096)
    except OSError: break
    if not chunk: break
    screen += chunk
    if question in screen and not asked:
        asked = True
        seen = open("/proc/%d/cmdline" % pid).read()
        # The question comes before the terminal stops to echo: wait until it has.
        while termios.tcgetattr(terminal)[3] & termios.ECHO: select.select([], [], [], 0.01)
        os.write(terminal, answer)
_, status = os.waitpid(pid, 0)
sys.stdout.write("%d\\n%s\\n%s" % (os.waitstatus_to_exitcode(status), seen.replace("\\0", " "), screen.decode()))
`;

async function atTerminal(
  site: Site,
  answer: string,
  args: readonly string[],
  client: readonly string[] = site.programs.client,
  question = "token: ",
) {
  const program = ["python3", "-c", TERMINAL, question, answer, ...client];
  await using terminal = site.start("client", args, { program });
  const { code, stdout, stderr } = await terminal.ended();
  assertEquals([code, stderr], [0, ""]);
  const [exitCode, commandLine, ...screen] = stdout.split("\n");
  return { code: Number(exitCode), commandLine, screen: screen.join("\n") };
}

siteTest("a typed token is neither shown nor in the process list", async (site) => {
  const { token, at } = await guarded(site);
  const { code, commandLine, screen } = await atTerminal(site, `x\\x7f${token}\\r`, [
    "ping",
    "--token=-",
    ...at,
  ]);
  assertEquals([code, screen.includes("eyJ")], [0, false], screen);
  assertMatch(screen, /^token: \r?\n(.*\n)*connected to parley .* as Ada/);
  assertEquals(commandLine.includes("eyJ"), false);
  assertStringIncludes(commandLine, "--token=-");
}, { compiled: true, ignore: !HAS_PYTHON });

siteTest("context add asks for a link, and shows neither it nor its token", async (site) => {
  const client = ["env", `XDG_STATE_HOME=${site.path}/home`, ...site.programs.client];
  const link = '"parley://hub.example?token=eyJ.a.b"';
  const { code, screen } = await atTerminal(
    site,
    `${link}\\r`,
    ["context", "add", "hub"],
    client,
    "join link: ",
  );
  assertEquals([code, screen.includes("eyJ")], [0, false], screen);
  assertMatch(
    screen,
    /^join link: \r?\n.*saved hub {2}parley:\/\/hub\.example, with a token; commands that name no/,
  );
  const { contexts } = JSON.parse(await Deno.readTextFile(`${site.path}/home/parley/contexts.json`));
  assertEquals(contexts, { hub: { url: "parley://hub.example?token=eyJ.a.b" } });
}, { ignore: !HAS_PYTHON });

siteTest("the prompt for a token is not in the output, and Ctrl-C cancels it", async (site) => {
  const { token, at } = await guarded(site);
  const out = `${site.path}/out`;
  const redirected = ["sh", "-c", `exec "$@" >${out}`, "sh", ...site.programs.client];
  const typed = await atTerminal(site, ` ${token} \\n`, ["ping", "--token=-", ...at], redirected);
  assertEquals(typed.code, 0);
  assertMatch(await Deno.readTextFile(out), /^connected to parley/);
  const interrupted = await atTerminal(site, "\\x03", ["ping", "--token=-", ...at]);
  assertEquals(interrupted.code, 130, interrupted.screen);
  const nothing = await atTerminal(site, "\\r", ["ping", "--token=-", ...at]);
  assertEquals(nothing.code, 2);
  assertMatch(nothing.screen, /parley: the token typed must be one word, without white space/);
}, { ignore: !HAS_PYTHON });

siteTest("no token, key or payload is in any log, not even at debug", async (site) => {
  const { token, server, at } = await guarded(
    site,
    "--log-level",
    "debug",
    "--log-file",
    "server.log",
    "--tls",
  );
  const secrets = ["eyJ", token.split(".")[2], "pay-load-secret", "PRIVATE KEY"];
  const log = ["--log-level", "debug", "--log-file", "client.log", "--trace", "--ca", "certs/ca.pem"];
  const env = { PARLEY_TOKEN: token };
  const runs = await Promise.all([
    site.parley(["publish", "chat", "pay-load-secret", ...at, ...log], { env }),
    site.parley(["request", "chat", "pay-load-secret", ...at, ...log], { env }),
    site.parley(["ping", ...at, ...log], { env: { PARLEY_TOKEN: `${token}x` } }),
    site.parley(["ping", ...at, ...log, "--token", "y".repeat(9000)]),
    site.parley(["ping", ...at, ...log, "--token", `${token.replaceAll(".", "%")}\n`]),
    site.parley(["ping", ...log, "--url", `parleys://127.0.0.1:1?token=${token}`]),
    site.parley(["ping", ...log, "--url", `parleys://127.0.0.1:99999?token=${token}`]),
    site.parley(["ping", ...log, "--url", `parleys://127.0.0.1:1?tokn=${token}`]),
  ]);
  assertEquals(runs.map(({ code }) => code), [0, 5, 4, 4, 4, 3, 2, 2]);
  await site.ok("token", "revoke", (await site.tokens())[0].id);
  const ended = await server.stop();
  const texts = {
    ...Object.fromEntries(runs.map(({ stdout, stderr }, at) => [`client ${at}`, stdout + stderr])),
    server: ended.stdout + ended.stderr,
    "server.log": await Deno.readTextFile(`${site.path}/server.log`),
    "client.log": await Deno.readTextFile(`${site.path}/client.log`),
  };
  assert(texts["server.log"].length > 0 && texts["client.log"].length > 0);
  for (const [where, text] of Object.entries(texts)) {
    for (const secret of secrets) {
      assertEquals(text.includes(secret), false, `${secret} in ${where}: ${text}`);
    }
  }
});

siteTest("a link or token in the wrong place is not repeated in the error", async (site) => {
  const link = "parleys://127.0.0.1:1?token=eyJhbGci.eyJz.c2ln";
  for (const args of [[link], ["ping", link], ["ping", "eyJhbGci.eyJz.c2ln"], ["publish", "a", "b", link]]) {
    const ended = await site.parley(args);
    assertFailure(ended, 2, /give the (join link|token) with --(url|token) or in PARLEY_(URL|TOKEN)/);
    assertEquals(ended.stderr.includes("eyJ"), false);
  }
});
