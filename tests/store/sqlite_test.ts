/** What only the log on disk has: it is opened again, refuses what is not a store, and survives damage. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import type { LogState } from "../../lib/broker/stored/log.ts";
import { ParleyError } from "../../lib/errors.ts";
import { number } from "../../lib/store/database.ts";
import { restoreStore } from "../../lib/store/restore.ts";
import { openSqliteLog, type SqliteLog } from "../../lib/store/sqlite_log.ts";
import { Writer } from "../../lib/store/writer.ts";
import { makeFolder } from "../harness/folder.ts";
import { MAY_USE_FILES } from "../harness/permissions.ts";
import { RecordedLog } from "../harness/recorded_log.ts";
import { CHANNEL, NOTHING, ranges, run } from "./commits.ts";

/** A store that is open, and what it has logged. */
interface Opened {
  readonly log: SqliteLog;
  readonly lines: RecordedLog;
}

/** A test with an empty folder for a store. */
function test(name: string, fn: (folder: string) => Promise<void>): void {
  Deno.test({
    name,
    ignore: !MAY_USE_FILES,
    async fn() {
      using folder = makeFolder();
      await fn(`${folder.path}/store`);
    },
  });
}

/** Opens the store in `folder` for the time of `use`. */
async function opened<T>(folder: string, use: (opened: Opened) => Promise<T>): Promise<T> {
  const lines = new RecordedLog();
  const log = await openSqliteLog(folder, { log: lines.log });
  try {
    return await use({ log, lines });
  } finally {
    await log.close();
  }
}

/** Makes a store of three runs, each of a commit. */
function make(folder: string, size = 60): Promise<void> {
  return opened(folder, async ({ log }) => {
    await log.commit({ ...NOTHING, channels: [CHANNEL], runs: [run(1, 3, size)] });
    await log.commit({ ...NOTHING, runs: [run(4, 3, size)] });
    await log.commit({ ...NOTHING, runs: [run(7, 3, size)] });
  });
}

/** Changes the database of a closed store with SQL. */
function change(folder: string, sql: string): void {
  const database = new DatabaseSync(`${folder}/channels.db`);
  database.exec(sql);
  database.close();
}

async function refusal(folder: string): Promise<string> {
  const error = await assertRejects(
    () => openSqliteLog(folder, { log: new RecordedLog().log }),
    ParleyError,
  );
  assertEquals(error.code, "bad_argument");
  return error.message;
}

test("what is set aside is written when it changes, not with every position", async (folder) => {
  const state = { channel: 7, consumer: "/billing", isPaused: false };
  const setAside = [{ sequence: 3, deliveries: 5, since: 900 }];
  await opened(folder, async ({ log }) => {
    await log.commit({ ...NOTHING, channels: [CHANNEL], consumers: [{ ...state, position: 1, setAside }] });
    change(folder, "UPDATE set_aside SET deliveries = 6");
    await log.commit({ ...NOTHING, consumers: [{ ...state, position: 2, setAside }] });
  });
  const kept = [{ sequence: 3, deliveries: 6, since: 900 }];
  await opened(folder, async ({ log }) => {
    assertEquals(log.state.consumers, [{ ...state, position: 2, setAside: kept }]);
    await log.commit({ ...NOTHING, consumers: [{ ...state, position: 3, setAside: [] }] });
  });
  await opened(folder, ({ log }) => {
    assertEquals(log.state.consumers, [{ ...state, position: 3, setAside: [] }]);
    return Promise.resolve();
  });
});

test("everything is there when a store is opened again", async (folder) => {
  const consumer = {
    channel: 7,
    consumer: "ada/billing",
    position: 2,
    isPaused: true,
    setAside: [{ sequence: 3, deliveries: 5, since: 900 }],
  };
  const channels = [{ ...CHANNEL, last: 3, bytes: 60 }];
  const producers = [{ channel: 7, producer: "ada/import", stored: 3 }];
  await opened(folder, ({ log }) =>
    log.commit({
      ...NOTHING,
      channels: [CHANNEL],
      runs: [run(1, 3)],
      producers,
      consumers: [consumer],
      keys: [{ channel: 7, key: "k", sequence: 2 }],
      time: Date.now(),
      epoch: "f",
      firstSession: 99,
    }));
  await opened(folder, async ({ log, lines }) => {
    const state: LogState = { epoch: "f", firstSession: 99, channels, producers, consumers: [consumer] };
    assertEquals(log.state, state);
    assertEquals(ranges(await log.read(7, 1, 1000)), ["1+3 60 1"]);
    assertEquals(await log.findKey(7, "k"), 2);
    assertEquals((await lines.until("store")).sqlite, sqlite());
  });
});

function sqlite(): unknown {
  using database = new DatabaseSync(":memory:");
  return database.prepare("SELECT sqlite_version() AS version").get()!.version;
}

test("the folder and its files are the user's alone", async (folder) => {
  await opened(folder, async ({ log }) => {
    await log.commit({ ...NOTHING, channels: [CHANNEL], runs: [run(1, 1)] });
    const modes = [...Deno.readDirSync(folder)].filter(({ name }) => name.startsWith("channels"))
      .map(({ name }) => [name, Deno.statSync(`${folder}/${name}`).mode! & 0o777] as const).sort();
    assertEquals(modes, [["channels.db", 0o600], ["channels.db-shm", 0o600], ["channels.db-wal", 0o600]]);
    assertEquals(Deno.statSync(folder).mode! & 0o777, 0o700);
  });
});

test("a store that is open is not opened again", async (folder) => {
  await opened(folder, async () => {
    assertEquals(await refusal(folder), `another process has the store ${folder} open; stop it first`);
  });
});

test("what is no store of this version is refused with the reason, and left as it is", async (folder) => {
  const path = `${folder}/channels.db`;
  const cases: [what: RegExp, make: () => void][] = [
    [/is a database, but not one of Parley's/, () => change(folder, "CREATE TABLE notes (text)")],
    [/is version 99 of the store, and this one knows 1/, () => change(folder, "PRAGMA user_version = 99")],
    [/file is not a database/, () => Deno.writeTextFileSync(path, "Dear diary".repeat(500))],
    [/malformed|not a database/, () => {
      const bytes = Deno.readFileSync(path);
      Deno.writeFileSync(path, bytes.fill(0xa5, 100, 8192));
    }],
  ];
  for (const [what, spoil] of cases) {
    await Deno.remove(folder, { recursive: true }).catch(() => {});
    if (what.source.startsWith("is a database")) await Deno.mkdir(folder, { mode: 0o700 });
    else await make(folder);
    spoil();
    const before = Deno.readFileSync(path);
    const message = await refusal(folder);
    assert(what.test(message), message);
    assertEquals(Deno.readFileSync(path), before);
  }
});

test("a folder that cannot be written is refused", async (folder) => {
  Deno.writeTextFileSync(folder, "a file");
  const message = await refusal(folder);
  assert(message.startsWith(`cannot write ${folder}/`), message);
});

test("a run with a flipped bit is left out and named, and the others are read", async (folder) => {
  await make(folder);
  for (const sql of ["bytes = zeroblob(60)", "crc = crc + 1", "count = 2", "time = 5"]) {
    change(folder, `UPDATE runs SET ${sql} WHERE first = 4`);
    await opened(folder, async ({ log, lines }) => {
      assertEquals(ranges(await log.read(7, 1, 1000)), ["1+3 60 1", "7+3 60 7"]);
      assertEquals(ranges(await log.read(7, 4, 1)), ["7+3 60 7"]);
      const { channel, first } = lines.all("a stored run is damaged; it is left out")[0];
      assertEquals([channel, first], ["d.a", 4]);
      const { damaged } = await log.verify();
      assertEquals(damaged.map(({ name, first }) => [name, first]), [["d.a", 4]]);
    });
  }
  change(folder, "UPDATE runs SET bytes = x'00' WHERE first = 7"); // the last: nothing is left to be read behind it
  await opened(folder, async ({ log }) => assertEquals(await log.read(7, 7, 1000), []));
});

test("a run whose count became huge does not hide those after it", async (folder) => {
  await make(folder);
  change(folder, "UPDATE runs SET count = 1e12 WHERE first = 1");
  await opened(folder, async ({ log, lines }) => {
    assertEquals(ranges(await log.read(7, 1, 1000)), ["4+3 60 4", "7+3 60 7"]);
    const { first, last } = lines.all("a stored run is damaged; it is left out")[0];
    assertEquals([first, last], [1, 3]);
  });
});

test("a page that SQLite itself finds damaged costs the runs on it", async (folder) => {
  await make(folder, 20_000); // each has pages of its own
  const path = `${folder}/channels.db`;
  const bytes = Deno.readFileSync(path);
  // An overflow page begins with the number of the next one.
  const at = bytes.findIndex((_, i) => i % 8192 === 0 && i > 0 && bytes[i + 4] === 4 && bytes[i + 5] === 4);
  Deno.writeFileSync(path, bytes.fill(0xff, at, at + 4));
  await opened(folder, async ({ log }) => {
    assertEquals(ranges(await log.read(7, 1, 1e6)), ["1+3 20000 1", "7+3 20000 7"]);
    const { problems, damaged } = await log.verify();
    assertEquals(damaged.map(({ first, last }) => [first, last]), [[4, 6]]);
    assert(problems.length > 0);
    // It cannot be removed either, which must not be in the way of anything else.
    const trims = [{ channel: 7, first: 10, bytes: Infinity, before: -Infinity }];
    const { trimmed } = await log.commit({ ...NOTHING, runs: [run(10, 1)], trims });
    assertEquals(trimmed.map(({ first }) => first), [10]);
    assertEquals(ranges(await log.read(7, 7, 1e6)), ["10+1 20 10"]);
  });
});

test("a range of which nothing is stored between others is found", async (folder) => {
  await make(folder);
  change(folder, "DELETE FROM runs WHERE first = 4");
  await opened(folder, async ({ log }) => {
    const { problems, damaged, missing } = await log.verify();
    assertEquals([problems, damaged], [[], []]);
    assertEquals(missing, [{ channel: 7, name: "d.a", first: 4, last: 6 }]);
  });
});

test("a deleted channel is gone at once, and what it left is removed in steps", async (folder) => {
  await Deno.mkdir(folder);
  const path = `${folder}/channels.db`;
  const writer = new Writer(path, "e", (problem) => assert(false, problem));
  const runs = Array.from({ length: 600 }, (_, i) => run(1 + i, 1));
  writer.commit({ ...NOTHING, channels: [CHANNEL], runs, keys: [{ channel: 7, key: "k", sequence: 1 }] });
  writer.commit({ ...NOTHING, deletedChannels: [7], channels: [CHANNEL], runs: [run(1, 1)] });
  assertEquals(writer.state().channels.map(({ last }) => last), [1]);
  let steps = 1;
  while (writer.tidy()) steps++;
  assert(steps >= 3, `${steps}`);
  writer.close();
  using database = new DatabaseSync(path);
  assertEquals(number(database, "SELECT count(*) FROM runs"), 1);
  assertEquals(number(database, "SELECT count(*) FROM keys"), 0);
});

test("a copy is made while a store is open, and restored with a new epoch", async (folder) => {
  await make(folder);
  const copy = `${folder}.backup`;
  const epoch = await opened(folder, async ({ log }) => {
    const done: number[] = [];
    await log.backUp(copy, (bytes, total) => done.push(bytes / total));
    assertEquals(done.at(-1), 1);
    await assertRejects(() => log.backUp(copy), ParleyError, "is there already");
    await log.commit({ ...NOTHING, runs: [run(10, 1)] });
    await assertRejects(() => restoreStore(copy, folder), ParleyError, "another process has the store");
    return log.state.epoch;
  });
  assertEquals(Deno.statSync(copy).mode! & 0o777, 0o600);
  assertEquals(await restoreStore(copy, folder), `${folder}/channels.db.before-restore`);
  await opened(folder, async ({ log }) => {
    assert(log.state.epoch !== epoch);
    assertEquals(log.state.channels.map(({ epoch, last }) => [epoch, last]), [[log.state.epoch, 9]]);
    assertEquals(ranges(await log.read(7, 1, 1000)), ["1+3 60 1", "4+3 60 4", "7+3 60 7"]);
  });
});

test("a copy that is made under load is of one moment", async (folder) => {
  await make(folder, 50_000);
  const copy = `${folder}.backup`;
  let last = 9;
  await opened(folder, async ({ log }) => {
    let isDone = false;
    const copied = log.backUp(copy).finally(() => isDone = true);
    while (!isDone) {
      last++;
      const producers = [{ channel: 7, producer: "/p", stored: last - 9 }];
      await log.commit({ ...NOTHING, runs: [run(last, 1)], producers });
    }
    await copied;
  });
  await restoreStore(copy, folder);
  await opened(folder, async ({ log }) => {
    const [channel] = log.state.channels;
    assert(channel.last >= 9 && channel.last <= last);
    assertEquals(log.state.producers.map(({ stored }) => stored), channel.last > 9 ? [channel.last - 9] : []);
    assertEquals((await log.read(7, 1, 1e9)).length, 3 + channel.last - 9);
    assertEquals(await log.verify(), { problems: [], damaged: [], missing: [] });
  });
});

test("what is no sound copy is not restored", async (folder) => {
  await make(folder);
  const copy = `${folder}.backup`;
  await assertRejects(() => restoreStore(copy, folder), ParleyError, "there is no file");
  Deno.writeTextFileSync(copy, "Dear diary".repeat(500));
  await assertRejects(() => restoreStore(copy, folder), ParleyError, "is no copy of a store");
  const bytes = Deno.readFileSync(`${folder}/channels.db`);
  Deno.writeFileSync(copy, bytes.fill(0xa5, bytes.length - 8192));
  await assertRejects(() => restoreStore(copy, folder), ParleyError);
  await opened(folder, async ({ log }) => assertEquals((await log.read(7, 1, 1000)).length, 3));
  assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [
    ".lock",
    "channels.db",
    "lock",
  ]);
});
