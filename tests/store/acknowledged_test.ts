/** On disk means on disk: what a server does, in order, as `strace` sees it. */

import { assert, assertEquals } from "@std/assert";
import { Type } from "../../lib/wire/header.ts";
import { makeFolder } from "../harness/folder.ts";
import { MAY_RUN } from "../harness/permissions.ts";
import { SOURCE } from "../harness/program.ts";
import { RawClient } from "../harness/raw_client.ts";
import { ServerProcess } from "../harness/server_process.ts";
import { hasStrace } from "./disk_trace.ts";

const CAN_TRACE = MAY_RUN && await hasStrace();
const COUNT = 10;
/** The end of the write-ahead log's path. */
const LOG = [...new TextEncoder().encode("channels.db-wal")].map(hex).join("") + ">";

/** Publishes messages with a receipt, each after the one before was acknowledged; resolves to the server's trace. */
async function trace(folder: string): Promise<string> {
  const calls = "trace=fsync,fdatasync,write,writev,sendto,sendmsg";
  await using server = await ServerProcess.start({
    args: ["--durable", "d.>", "--store", `${folder}/store`],
    program: ["strace", "-f", "-qq", "-y", "-xx", "-o", `${folder}/trace`, "-e", calls, ...SOURCE.server],
  });
  using client = await RawClient.greet(server);
  const channel = await client.openToPublish("d.a");
  for (let id = 1; id <= COUNT; id++) {
    await client.send(client.durable(id, channel, "hello"));
    assertEquals(await client.acked(), { id, sequence: id });
  }
  const children = await Deno.readTextFile(`/proc/${server.pid}/task/${server.pid}/children`);
  Deno.kill(Number(children), "SIGTERM"); // strace itself would let go of it and leave it running
  await server.status;
  return await Deno.readTextFile(`${folder}/trace`);
}

Deno.test({
  name: "no ACK leaves the server before the fsync of its commit has returned",
  ignore: !CAN_TRACE,
  async fn() {
    using folder = makeFolder();
    const isOfLog = new Set<string>(); // threads in an fsync of the write-ahead log
    let isSynced = false;
    let acks = 0;
    for (const line of (await trace(folder.path)).split("\n")) {
      const thread = line.split(" ", 1)[0];
      if (/ f(data)?sync\(/.test(line)) {
        if (line.includes(LOG)) isOfLog.add(thread);
        else isOfLog.delete(thread);
      }
      if (/(\bf(data)?sync\(.*|sync resumed>)\) += 0$/.test(line) && isOfLog.has(thread)) isSynced = true;
      if (!line.includes(` "${hex(Type.ACK)}`)) continue;
      assert(isSynced, line);
      isSynced = false;
      acks++;
    }
    assertEquals(acks, COUNT);
  },
});

/** A byte as `strace` shows it. */
function hex(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}
