/**
 * Programs at a terminal that is closed, as by its window, and beside one.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { HAS_PYTHON } from "../../harness/permissions.ts";
import { type Site, siteTest } from "../../harness/site.ts";

/**
 * Runs a program at a terminal of its own by a shell, which writes its process id to the file pid. Closes the terminal
 * once WORDS are on it, and prints whether the program has ended within SECONDS or goes on.
 */
const TERMINAL = `
import os, pty, select, signal, sys, time
words, seconds, shell = sys.argv[1].encode(), float(sys.argv[2]), sys.argv[3]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp("sh", ["sh", "-c", shell, "sh"] + sys.argv[4:])
screen = b""
while words not in screen:
    ready, _, _ = select.select([terminal], [], [], 30)
    if not ready: sys.exit("not started: " + screen.decode())
    screen += os.read(terminal, 4096)
program = int(open("pid").read())
os.close(terminal)
deadline = time.time() + seconds
while time.time() < deadline:
    try:
        if open("/proc/%d/stat" % program).read().rsplit(")", 1)[1].split()[0] == "Z": break
    except OSError: break
    time.sleep(0.02)
else:
    print("goes on", flush=True)
    os.kill(program, signal.SIGKILL)
    sys.exit(0)
print("ended", flush=True)
`;

/** A shell that waits for the program in the foreground. */
const FOREGROUND = `sh -c 'echo $$ >pid; exec "$@"' sh "$@"; true`;

/** A shell that starts it under nohup and is left. */
const NOHUP = `
nohup sh -c 'echo $$ >pid; exec "$@"' sh "$@" >out 2>&1 </dev/null &
until grep -q listening out; do sleep 0.1; done
cat out; wait`;

/** Closes the terminal of the server or the client. */
async function closeTerminal(
  site: Site,
  args: readonly string[],
  { which = "server" as "server" | "client", words = "listening", shell = FOREGROUND, seconds = 8 } = {},
): Promise<string> {
  const program = ["python3", "-c", TERMINAL, words, `${seconds}`, shell, ...site.programs[which]];
  await using terminal = site.start(which, args, { program });
  const { stdout, stderr } = await terminal.ended();
  assertEquals(stderr, "");
  return stdout.trim();
}

siteTest("a server whose terminal is closed drains and ends", async (site) => {
  const file = `${site.path}/log`;
  assertEquals(await closeTerminal(site, ["--port", "0", "--log-file", file]), "ended");
  const log = await Deno.readTextFile(file);
  assertMatch(log, /"signal":"SIGHUP","reason":"the terminal was closed"/);
  assertMatch(log, /"message":"stopped"\}\n$/);
}, { ignore: !HAS_PYTHON || Deno.build.os !== "linux", compiled: true });

siteTest("a server under nohup goes on when its terminal is closed", async (site) => {
  const file = `${site.path}/log`;
  const args = ["--port", "0", "--log-file", file];
  assertEquals(await closeTerminal(site, args, { shell: NOHUP, seconds: 2 }), "goes on");
}, { ignore: !HAS_PYTHON || Deno.build.os !== "linux" });

siteTest("a client whose terminal is closed says goodbye", async (site) => {
  const server = await site.serve();
  const args = ["subscribe", "chat", "--port", `${server.port}`];
  assertEquals(await closeTerminal(site, args, { which: "client", words: "subscribed to" }), "ended");
  await server.log.until("closed", { reason: "bye" });
}, { ignore: !HAS_PYTHON || Deno.build.os !== "linux" });
