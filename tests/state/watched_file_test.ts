import { assertEquals, assertRejects } from "@std/assert";
import { MemoryStorage } from "../../lib/state/storage.ts";
import { WatchedFile } from "../../lib/state/watched_file.ts";

Deno.test("a watched file is read only after a change, and keeps its value while it cannot be read", async () => {
  const storage = new MemoryStorage();
  let parsed = 0;
  const watched = new WatchedFile(storage, "n", 0, (text) => {
    parsed++;
    if (text === "bad") throw new RangeError("bad");
    return Number(text ?? -1);
  });
  assertEquals(watched.value, 0);
  assertEquals([await watched.refresh(), watched.value], [true, -1]); // no such file
  await storage.write("n", "1");
  assertEquals([await watched.refresh(), watched.value], [true, 1]);
  assertEquals([await watched.refresh(), parsed], [false, 2]);
  await storage.write("n", "bad");
  await assertRejects(() => watched.refresh(), RangeError);
  await assertRejects(() => watched.refresh(), RangeError);
  assertEquals(watched.value, 1);
  await storage.write("n", "2");
  assertEquals(await Promise.all([watched.refresh(), watched.refresh()]), [true, false]);
  assertEquals(watched.value, 2);
});
