/** A loss of power at any moment: what was said to be stored is there, and what was refused is not. */

import { assert, assertEquals } from "@std/assert";
import { DATABASE } from "../../lib/store/database.ts";
import { Reader } from "../../lib/store/reader.ts";
import { Writer } from "../../lib/store/writer.ts";
import { makeFolder } from "../harness/folder.ts";
import { MAY_RUN } from "../harness/permissions.ts";
import { seeded } from "../harness/seeded.ts";
import { Disk, type Event, hasStrace, traced } from "./disk_trace.ts";

const CAN_TRACE = MAY_RUN && await hasStrace(); // Debian's `strace` records, and makes the failures

/** A folder in memory: what is synced there costs no time. */
const MEMORY = "/dev/shm";

/** Opens the store that a disk has, and returns the attempts that are stored. */
function attempts(files: Map<string, Uint8Array>): number[] {
  using folder = makeFolder(MEMORY);
  for (const [file, bytes] of files) Deno.writeFileSync(`${folder.path}/${file}`, bytes);
  const path = `${folder.path}/${DATABASE}`;
  const writer = new Writer(path, "e", (problem) => assert(false, problem));
  const reader = new Reader(path);
  const { channels, producers } = writer.state();
  const { runs, bytes, damaged } = reader.read(7, 1, 1e9);
  const problems = reader.problems();
  reader.close();
  writer.close();
  assertEquals([damaged, problems], [[], []]);
  const last = runs.length / 4;
  assertEquals([channels.map(({ last }) => last), producers.map(({ stored }) => stored)], [
    channels.length === 0 ? [] : [last],
    channels.length === 0 ? [] : [last],
  ]);
  return Array.from({ length: last }, (_, i) => bytes[i * 1000]);
}

/** Cuts the power after each of `events`, and checks what is left. */
function cutEverywhere(events: readonly Event[], failedShare: number, seed: number): void {
  const disk = new Disk(seeded(seed), failedShare);
  const stored: number[] = [];
  const refused: number[] = [];
  events.forEach((event, i) => {
    disk.do(event);
    if (event.what === "said") {
      const [word, attempt] = event.text.split(" ");
      (word === "stored" ? stored : refused).push(Number(attempt));
    }
    const share = [0, 0.5, 0.9][i % 3];
    const found = attempts(disk.cut(share));
    const next = stored.length + refused.length + 1;
    const isInFlight = found.at(-1) === next;
    assertEquals(found, isInFlight ? [...stored, next] : stored, `seed ${seed}, after event ${i}`);
  });
}

for (
  const [what, count, inject, hasRefused] of [
    ["commits and checkpoints", 12, [], false],
    ["an fsync of a checkpoint that fails", 8, ["inject=fsync:error=EIO:when=13"], false],
    ["a disk that is full for a checkpoint", 8, ["inject=pwrite64:error=ENOSPC:when=88"], false],
    ["an fsync of a commit that fails", 8, ["inject=fsync:error=EIO:when=9"], true],
    ["fsyncs that fail for a while", 8, ["inject=fsync:error=EIO:when=9..13"], true],
    ["a write that fails", 8, ["inject=pwrite64:error=EIO:when=75"], true],
  ] as const
) {
  Deno.test({
    name: `a loss of power at any moment, with ${what}`,
    ignore: !CAN_TRACE,
    async fn() {
      using folder = makeFolder();
      const events = await traced("writer_process.ts", folder.path, count, [...inject]);
      const said = events.flatMap((event) => event.what === "said" ? [event.text.split(" ")[0]] : []);
      assertEquals([said.length, said.includes("refused")], [count, hasRefused]);
      for (const failedShare of inject.length > 0 ? [0, 1] : [0]) cutEverywhere(events, failedShare, 1);
    },
  });
}

Deno.test({
  name: "nothing is said to be stored before the fsync of its commit has returned",
  ignore: !CAN_TRACE,
  async fn() {
    using folder = makeFolder();
    const store = `${folder.path}/s`;
    await Deno.mkdir(store, { mode: 0o700 });
    const events = await traced("commit_process.ts", store, 20, []);
    let isSynced = false;
    let count = 0;
    for (const event of events) {
      if (event.what === "write") isSynced = false;
      if (event.what === "sync" && event.isDone && event.file === "channels.db-wal") isSynced = true;
      if (event.what !== "said" || !event.text.startsWith("stored")) continue;
      assert(isSynced, `${event.text} was said before`);
      count++;
    }
    assertEquals(count, 20);
  },
});
