/**
 * Runs the independent client, which knows the protocol page alone, against a server of its own.
 */

import { assertEquals } from "@std/assert";

const canRun = (await Deno.permissions.query({ name: "run" })).state === "granted";
const root = new URL("../../", import.meta.url).pathname;

function hasPython(): boolean {
  try {
    return new Deno.Command("python3", { args: ["--version"], stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}

Deno.test({
  name:
    "a client written from the protocol page alone gets the documented answer to every frame (needs Python 3)",
  ignore: !canRun || !hasPython(),
  fn: async () => {
    // Short enough for the checks of the heartbeat; long enough that who stops reading is slow before it is silent.
    const server = new Deno.Command(Deno.execPath(), {
      args: ["run", "-P=server", "server.ts", "--port", "0", "--heartbeat", "4", "--log-format", "json"],
      cwd: root,
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const lines = server.stderr.pipeThrough(new TextDecoderStream()).getReader();
    let log = "";
    while (!/"port":(\d+)/.test(log)) log += (await lines.read()).value ?? "";
    const port = /"port":(\d+)/.exec(log)![1];
    const drained = (async () => {
      while (!(await lines.read()).done);
    })();
    try {
      const { code, stdout } = await new Deno.Command("python3", {
        args: [
          "tests/independent/conformance.py",
          "--host",
          "127.0.0.1",
          "--port",
          port,
          "--pid",
          `${server.pid}`,
        ],
        cwd: root,
      }).output();
      const report = new TextDecoder().decode(stdout);
      const notes = report.split("\n").filter((line) => !line.startsWith("ok "));
      if (code !== 0) console.error(notes.join("\n"));
      assertEquals(code, 0, notes.join("\n"));
    } finally {
      server.kill("SIGTERM");
      await server.status;
      await drained;
    }
  },
});
