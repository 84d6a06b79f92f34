/**
 * Runs the independent client, which knows the protocol page alone, against a server of its own.
 */

import { assertEquals } from "@std/assert";
import { MAY_RUN } from "../harness/permissions.ts";
import { ROOT } from "../harness/program.ts";
import { ServerProcess } from "../harness/server_process.ts";

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
  ignore: !MAY_RUN || !hasPython(),
  fn: async () => {
    // Short times for the checks that wait for them. A session that stops reading must still be closed as a slow
    // consumer before it is closed as silent (after two heartbeats).
    const times = ["--handshake-time", "2", "--request-time", "3", "--slow-consumer-timeout", "2"];
    await using server = await ServerProcess.start({ args: ["--heartbeat", "2", ...times] });
    const { code, stdout } = await new Deno.Command("python3", {
      args: [
        "tests/independent/conformance.py",
        ...["--host", server.hostname, "--port", `${server.port}`, "--pid", `${server.pid}`],
        ...times,
      ],
      cwd: ROOT,
    }).output();
    const report = new TextDecoder().decode(stdout);
    const notes = report.split("\n").filter((line) => !line.startsWith("ok "));
    if (code !== 0) console.error(notes.join("\n"));
    assertEquals(code, 0, notes.join("\n"));
  },
});
