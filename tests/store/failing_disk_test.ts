/** Failures of the disk, made by `strace`: what was refused must not be there, and what was stored must. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { openSqliteLog } from "../../lib/store/sqlite_log.ts";
import { makeFolder } from "../harness/folder.ts";
import { MAY_RUN } from "../harness/permissions.ts";
import { RecordedLog } from "../harness/recorded_log.ts";
import { canMount, SmallDisk } from "../harness/small_disk.ts";
import { CHANNEL, NOTHING, run } from "./commits.ts";
import { hasStrace } from "./disk_trace.ts";

const CAN_TRACE = MAY_RUN && await hasStrace();

/** What a process that commits has said, and whether it ended by itself. */
interface Said {
  readonly lines: readonly string[];
  readonly success: boolean;
}

/** Runs `commit_process.ts`, with a failure of the system calls of some files. */
async function commitWith(folder: string, files: string[], inject: string, count: number): Promise<Said> {
  const command = new Deno.Command("strace", {
    args: [
      ...["-f", "-qq", "-o", "/dev/null", "-e", inject],
      ...files.flatMap((file) => ["-P", `${folder}/${file}`]),
      ...[Deno.execPath(), "run", "-A", "--no-check", "tests/store/commit_process.ts", folder, String(count)],
    ],
    stderr: "inherit",
  });
  const { stdout, success } = await command.output();
  return { lines: new TextDecoder().decode(stdout).trim().split("\n"), success };
}

function count(lines: readonly string[], word: string): number {
  return lines.filter((line) => line.startsWith(word)).length;
}

/** Opens the store as after a crash, and returns the last sequence and how many are read. */
async function reopened(folder: string): Promise<{ last: number; read: number; stored: number }> {
  const log = await openSqliteLog(folder, { log: new RecordedLog().log });
  const runs = await log.read(7, 1, 1e9);
  const { last } = log.state.channels[0];
  const { stored } = log.state.producers[0];
  await log.close();
  return { last, read: runs.length, stored };
}

const LOG = ["channels.db-wal"];
const BOTH = ["channels.db-wal", "channels.db"];

for (
  const [what, files, inject] of [
    ["every fourth fsync of the log fails", LOG, "inject=fsync:error=EIO:when=4+4"],
    ["fsyncs of a commit and of what follows fail", BOTH, "inject=fsync:error=EIO:when=4..9"],
    ["a write of a commit fails", LOG, "inject=pwrite64:error=EIO:when=23"],
    ["the disk is full for a while", BOTH, "inject=pwrite64:error=ENOSPC:when=23..26"],
    ["a write of the checkpoint after a failed commit fails", BOTH, "inject=pwrite64:error=EIO:when=23..27"],
  ] as const
) {
  Deno.test({
    name: `${what}: what was stored is there after a restart, and what was refused is not`,
    ignore: !CAN_TRACE, // Debian's `strace` makes the failures
    async fn() {
      using folder = makeFolder();
      const store = `${folder.path}/s`;
      const log = await openSqliteLog(store, { log: new RecordedLog().log });
      const producers = [{ channel: 7, producer: "/p", stored: 1 }];
      await log.commit({ ...NOTHING, channels: [CHANNEL], runs: [run(1, 1)], producers });
      await log.close();
      const { lines } = await commitWith(store, [...files], inject, 12);
      const stored = 1 + count(lines, "stored");
      assertEquals(await reopened(store), { last: stored, read: stored, stored });
      assertEquals(stored + count(lines, "refused"), 13);
      assert(count(lines, "refused") > 0, lines.join());
    },
  });
}

Deno.test({
  name: "a process that is killed amid its commits has stored what it said, and at most one more",
  ignore: !MAY_RUN,
  async fn() {
    using folder = makeFolder();
    const process = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "tests/store/commit_process.ts", `${folder.path}/s`, "1000000"],
      stdout: "piped",
    }).spawn();
    let said = "";
    for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
      said += text;
      if (said.includes("stored 50\n")) process.kill("SIGKILL");
    }
    await process.status;
    const stored = count(said.split("\n").slice(0, -1), "stored");
    const { last, read, stored: produced } = await reopened(`${folder.path}/s`);
    assertEquals([read, produced], [last, last]);
    assert(last === stored || last === stored + 1, `${stored} said, ${last} stored`);
  },
});

Deno.test({
  name: "a full disk refuses at once, and commits go on when there is room; a read-only one is refused",
  ignore: !await canMount(),
  async fn() {
    await using disk = await SmallDisk.mount("1m");
    const lines = new RecordedLog();
    const log = await openSqliteLog(`${disk.path}/s`, { log: lines.log });
    const commit = (first: number) =>
      log.commit({ ...NOTHING, channels: first === 1 ? [CHANNEL] : [], runs: [run(first, 1, 100_000)] });
    let stored = 0;
    const error = await assertRejects(async () => {
      while (true) {
        await commit(stored + 1);
        stored++;
      }
    });
    assertEquals((error as Error).message, "database or disk is full");
    assertEquals((await log.read(7, 1, 1e9)).length, stored);
    await assertRejects(() => commit(stored + 1));
    await disk.remount("size=4m");
    await commit(++stored);
    await log.close();
    const reopened = await openSqliteLog(`${disk.path}/s`, { log: lines.log });
    assertEquals((await reopened.read(7, 1, 1e9)).length, stored);
    await reopened.close();
    await disk.remount("ro");
    const readOnly = await assertRejects(() => openSqliteLog(`${disk.path}/s`, { log: lines.log }));
    assertMatch((readOnly as Error).message, /^cannot write .*: Read-only file system/);
  },
});
