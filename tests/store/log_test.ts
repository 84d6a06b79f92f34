/** One suite for both logs: what `lib/broker/stored/log.ts` promises. */

import { assertEquals } from "@std/assert";
import type * as broker from "../../lib/broker/stored/log.ts";
import type { ChannelLog } from "../../lib/broker/stored/log.ts";
import { KEY_MS } from "../../lib/limits.ts";
import { openMemoryLog } from "../../lib/store/memory_log.ts";
import type * as store from "../../lib/store/shapes.ts";
import { openSqliteLog } from "../../lib/store/sqlite_log.ts";
import { makeFolder } from "../harness/folder.ts";
import { MAY_USE_FILES } from "../harness/permissions.ts";
import { RecordedLog } from "../harness/recorded_log.ts";
import { CHANNEL, NOTHING, ranges, run } from "./commits.ts";

/** `true` if each of the two types can stand for the other. */
type Same<A, B> = [A, B] extends [B, A] ? true : false;

/** The broker and the store declare the same shapes: neither may import the other. */
export const SHAPES: [
  Same<broker.Commit, store.Commit>,
  Same<broker.Committed, store.Committed>,
  Same<broker.LogState, store.LogState>,
  Same<broker.StoredRun, store.StoredRun>,
] = [true, true, true, true];

/** Opens a log, and closes it and whatever it is in. */
interface Opened extends AsyncDisposable {
  readonly log: ChannelLog;
}

function memory(): Promise<Opened> {
  const log = openMemoryLog();
  return Promise.resolve({ log, [Symbol.asyncDispose]: () => log.close() });
}

async function sqlite(): Promise<Opened> {
  const folder = makeFolder();
  const log = await openSqliteLog(`${folder.path}/store`, { log: new RecordedLog().log });
  return {
    log,
    async [Symbol.asyncDispose]() {
      await log.close();
      folder[Symbol.dispose]();
    },
  };
}

for (const [name, open] of [["memory", memory], ["SQLite", sqlite]] as const) {
  /** A test of the log; that on disk needs a folder. */
  const test = (what: string, fn: (log: ChannelLog) => Promise<void>) =>
    Deno.test({
      name: `${name}: ${what}`,
      ignore: name === "SQLite" && !MAY_USE_FILES,
      async fn() {
        await using opened = await open();
        await fn(opened.log);
      },
    });

  test("runs are read in order, from the one that has the sequence", async (log) => {
    await log.commit({ ...NOTHING, channels: [CHANNEL], runs: [run(1, 3), run(4, 1)] });
    await log.commit({ ...NOTHING, runs: [run(5, 10)] });
    assertEquals(ranges(await log.read(7, 1, 1000)), ["1+3 60 1", "4+1 20 4", "5+10 200 5"]);
    assertEquals(ranges(await log.read(7, 3, 1000)), ["1+3 60 1", "4+1 20 4", "5+10 200 5"]);
    assertEquals(ranges(await log.read(7, 4, 50)), ["4+1 20 4"]);
    assertEquals(ranges(await log.read(7, 5, 1)), ["5+10 200 5"]); // at least one, however large
    assertEquals(ranges(await log.read(7, 15, 1000)), []);
    assertEquals(ranges(await log.read(8, 1, 1000)), []);
  });

  test("trims drop by sequence, size and time, and the last message stays for its size", async (log) => {
    await log.commit({ ...NOTHING, channels: [CHANNEL], runs: [run(1, 3), run(4, 3)] });
    await log.commit({ ...NOTHING, time: 2000, runs: [run(7, 3)] });
    const trim = async (first: number, bytes: number, before: number) => {
      const trims = [{ channel: 7, first, bytes, before }];
      return (await log.commit({ ...NOTHING, time: 2000, trims })).trimmed;
    };
    assertEquals(await trim(1, Infinity, -Infinity), []);
    assertEquals(await trim(2, Infinity, -Infinity), [{ number: 7, first: 2, bytes: 180 }]);
    assertEquals(await trim(4, Infinity, -Infinity), [{ number: 7, first: 4, bytes: 120 }]);
    assertEquals(ranges(await log.read(7, 1, 1000)), ["4+3 60 4", "7+3 60 7"]);
    assertEquals(await trim(1, 60, -Infinity), [{ number: 7, first: 7, bytes: 60 }]);
    assertEquals(await trim(1, 0, -Infinity), []);
    assertEquals(await trim(1, Infinity, 3000), [{ number: 7, first: 10, bytes: 0 }]);
    assertEquals(ranges(await log.read(7, 1, 1000)), []);
  });

  test("the first message that was stored at a time or later is found", async (log) => {
    await log.commit({ ...NOTHING, time: 1000, channels: [CHANNEL], runs: [run(1, 3)] });
    await log.commit({ ...NOTHING, time: 2000, runs: [run(4, 3)] });
    const found: number[] = [];
    for (const time of [0, 1000, 1001, 2000, 2001]) found.push(await log.find(7, time));
    assertEquals(found, [1, 1, 4, 4, 7]);
  });

  test("a key is known for 24 hours", async (log) => {
    const now = Date.now();
    const keys = [{ channel: 7, key: "k", sequence: 1 }];
    await log.commit({ ...NOTHING, time: now - KEY_MS, channels: [CHANNEL], runs: [run(1, 1)], keys });
    await log.commit({
      ...NOTHING,
      time: now,
      runs: [run(2, 1)],
      keys: [{ channel: 7, key: "l", sequence: 2 }],
    });
    assertEquals([await log.findKey(7, "k"), await log.findKey(7, "l"), await log.findKey(7, "m")], [
      undefined,
      2,
      undefined,
    ]);
  });

  test("a channel that is deleted begins anew in the same commit", async (log) => {
    await log.commit({ ...NOTHING, channels: [CHANNEL], runs: [run(1, 3)] });
    await log.commit({
      ...NOTHING,
      deletedChannels: [7],
      channels: [{ ...CHANNEL, epoch: "f" }],
      runs: [run(1, 1)],
    });
    assertEquals(ranges(await log.read(7, 1, 1000)), ["1+1 20 1"]);
  });

  test("what is trimmed within a run is not counted, and its row is read until all of it is dropped", async (log) => {
    await log.commit({ ...NOTHING, channels: [CHANNEL], runs: [run(1, 10), run(11, 10)] });
    const trims = [{ channel: 7, first: 5, bytes: Infinity, before: -Infinity }];
    const { trimmed } = await log.commit({ ...NOTHING, trims });
    assertEquals(trimmed, [{ number: 7, first: 5, bytes: 400 }]);
    assertEquals(ranges(await log.read(7, 5, 1)), ["1+10 200 1"]);
  });

  test("more than one commit may drop is dropped by several, and sequences go on", async (log) => {
    const runs = Array.from({ length: 600 }, (_, i) => run(1 + i, 1));
    await log.commit({ ...NOTHING, channels: [CHANNEL], runs });
    const trims = [{ channel: 7, first: 601, bytes: Infinity, before: -Infinity }];
    while ((await log.commit({ ...NOTHING, trims })).hasMoreToTrim);
    assertEquals(await log.read(7, 1, 1000), []);
    await log.commit({ ...NOTHING, runs: [run(601, 1)] });
    assertEquals(ranges(await log.read(7, 1, 1000)).map((range) => range.split(" ")[0]), ["601+1"]);
  });

  test("a run that was read says when it was stored", async (log) => {
    await log.commit({ ...NOTHING, time: 2000, channels: [CHANNEL], runs: [run(1, 1)] });
    assertEquals((await log.read(7, 1, 1))[0].time, 2000);
  });
}
