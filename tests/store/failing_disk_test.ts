/** Failures of the disk, made by `strace`: what was refused must not be there, and what was stored must. */

import { assert, assertEquals } from "@std/assert";
import { openSqliteLog } from "../../lib/store/sqlite_log.ts";
import { makeFolder } from "../harness/folder.ts";
import { RecordedLog } from "../harness/recorded_log.ts";

const hasStrace = await new Deno.Command("strace", { args: ["-V"], stdout: "null", stderr: "null" })
  .output().then(({ success }) => success, () => false);

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
    ["an fsync of a commit fails", LOG, "inject=fsync:error=EIO:when=4"],
    ["fsyncs of a commit and of what follows fail", BOTH, "inject=fsync:error=EIO:when=4..9"],
    ["a write of a commit fails", LOG, "inject=pwrite64:error=EIO:when=23"],
    ["the disk is full for a while", BOTH, "inject=pwrite64:error=ENOSPC:when=23..26"],
    ["a write of the checkpoint after a failed commit fails", BOTH, "inject=pwrite64:error=EIO:when=23..27"],
  ] as const
) {
  Deno.test({
    name: `${what}: what was stored is there after a restart, and what was refused is not`,
    ignore: !hasStrace, // Debian's `strace` makes the failures
    async fn() {
      using folder = makeFolder();
      const store = `${folder.path}/s`;
      const { lines: first } = await commitWith(store, [], "trace=none", 1);
      assertEquals(first, ["open 0", "stored 1"]);
      const { lines } = await commitWith(store, [...files], inject, 12);
      const stored = 1 + count(lines, "stored");
      assertEquals(await reopened(store), { last: stored, read: stored, stored });
      assertEquals(stored + count(lines, "refused"), 13);
      assert(count(lines, "refused") > 0, lines.join());
    },
  });
}
