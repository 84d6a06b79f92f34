/** One suite for both logs: what `lib/broker/stored/log.ts` promises. */

import { assertEquals } from "@std/assert";
import type { ChannelLog, Commit, StoredRun } from "../../lib/broker/stored/log.ts";
import { KEY_MS } from "../../lib/limits.ts";
import { openMemoryLog } from "../../lib/store/memory_log.ts";
import { openSqliteLog } from "../../lib/store/sqlite_log.ts";
import { makeFolder } from "../harness/folder.ts";
import { RecordedLog } from "../harness/recorded_log.ts";

const NOTHING: Commit = {
  time: 1000,
  channels: [],
  runs: [],
  producers: [],
  consumers: [],
  deletedConsumers: [],
  keys: [],
  trims: [],
  deletedChannels: [],
};
const CHANNEL = { name: "d.a", number: 7, epoch: "e", first: 1, last: 0, bytes: 0 };

function run(first: number, count: number, size = count * 20) {
  return { channel: 7, first, count, bytes: new Uint8Array(size).fill(first) };
}

function ranges(runs: readonly StoredRun[]): string[] {
  return runs.map(({ first, count, bytes }) => `${first}+${count} ${bytes.length} ${bytes[0]}`);
}

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
  Deno.test(`${name}: runs are read in order, from the one that has the sequence`, async () => {
    await using opened = await open();
    const { log } = opened;
    await log.commit({ ...NOTHING, channels: [CHANNEL], runs: [run(1, 3), run(4, 1)] });
    await log.commit({ ...NOTHING, runs: [run(5, 10)] });
    assertEquals(ranges(await log.read(7, 1, 1000)), ["1+3 60 1", "4+1 20 4", "5+10 200 5"]);
    assertEquals(ranges(await log.read(7, 3, 1000)), ["1+3 60 1", "4+1 20 4", "5+10 200 5"]);
    assertEquals(ranges(await log.read(7, 4, 50)), ["4+1 20 4"]);
    assertEquals(ranges(await log.read(7, 5, 1)), ["5+10 200 5"]); // at least one, however large
    assertEquals(ranges(await log.read(7, 15, 1000)), []);
    assertEquals(ranges(await log.read(8, 1, 1000)), []);
  });

  Deno.test(`${name}: trims drop by sequence, size and time, and the last message stays for its size`, async () => {
    await using opened = await open();
    const { log } = opened;
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

  Deno.test(`${name}: the first message that was stored at a time or later is found`, async () => {
    await using opened = await open();
    const { log } = opened;
    await log.commit({ ...NOTHING, time: 1000, channels: [CHANNEL], runs: [run(1, 3)] });
    await log.commit({ ...NOTHING, time: 2000, runs: [run(4, 3)] });
    const found: number[] = [];
    for (const time of [0, 1000, 1001, 2000, 2001]) found.push(await log.find(7, time));
    assertEquals(found, [1, 1, 4, 4, 7]);
  });

  Deno.test(`${name}: a key is known for 24 hours`, async () => {
    await using opened = await open();
    const { log } = opened;
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

  Deno.test(`${name}: a channel that is deleted begins anew in the same commit`, async () => {
    await using opened = await open();
    const { log } = opened;
    await log.commit({ ...NOTHING, channels: [CHANNEL], runs: [run(1, 3)] });
    await log.commit({
      ...NOTHING,
      deletedChannels: [7],
      channels: [{ ...CHANNEL, epoch: "f" }],
      runs: [run(1, 1)],
    });
    assertEquals(ranges(await log.read(7, 1, 1000)), ["1+1 20 1"]);
  });
}
