/**
 * Runs the independent client, which knows the protocol page alone, against a server of its own.
 */

import { assertEquals } from "@std/assert";
import { makeFolder } from "../harness/folder.ts";
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

/** Runs `script` against `server`, and fails with what it found. */
async function run(script: string, server: ServerProcess, ...args: string[]): Promise<void> {
  const { code, stdout } = await new Deno.Command("python3", {
    args: [`tests/independent/${script}`, "--host", server.hostname, "--port", `${server.port}`, ...args],
    cwd: ROOT,
  }).output();
  const notes = new TextDecoder().decode(stdout).split("\n").filter((line) => !line.startsWith("ok "));
  if (code !== 0) console.error(notes.join("\n"));
  assertEquals(code, 0, notes.join("\n"));
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
    await run("conformance.py", server, "--pid", `${server.pid}`, ...times);
  },
});

/** What `conformance_stored.py` needs of its server. */
const STORED = {
  "durable": ["cd.>"],
  "history": ["ch.>"],
  "stored": [
    { "channels": "cdfew.>", "storage": "durable", "maxMessages": 3 },
    { "channels": "cdfull.>", "storage": "durable", "maxMessages": 3, "full": "refuse" },
    { "channels": "cdold.>", "storage": "durable", "maxMessages": 3, "maxAge": "1s", "full": "refuse" },
  ],
};

Deno.test({
  name: "the same client finds the rules of stored channels kept, also after a restart (needs Python 3)",
  ignore: !MAY_RUN || !hasPython(),
  fn: async () => {
    using folder = makeFolder();
    const config = `${folder.path}/parley.jsonc`;
    await Deno.writeTextFile(config, JSON.stringify(STORED));
    const times = ["--slow-consumer-timeout", "2"];
    const args = [
      ...["--config", config, "--store", `${folder.path}/store`, "--heartbeat", "2"],
      ...times,
    ];
    {
      await using server = await ServerProcess.start({ args });
      await run("conformance_stored.py", server, ...times);
      await run("conformance_stored.py", server, "--run", "r", "--phase", "before");
      await server.stop();
    }
    await using server = await ServerProcess.start({ args });
    await run("conformance_stored.py", server, "--run", "r", "--phase", "after");
  },
});
