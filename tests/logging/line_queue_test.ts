import { assertEquals } from "@std/assert";
import { LineQueue, type LineQueueOptions } from "../../lib/logging/line_queue.ts";

/** A writer that a test can stop and let fail. */
class Disk {
  text = "";
  writes = 0;
  /** Bytes that still fit; then writing fails. */
  room = Infinity;
  #open = Promise.resolve();

  async write(bytes: Uint8Array): Promise<number> {
    this.writes++;
    await this.#open;
    if (this.room === 0) throw new Error("No space left on device (os error 28)");
    const length = Math.min(bytes.length, this.room);
    this.room -= length;
    this.text += new TextDecoder().decode(bytes.subarray(0, length));
    return length;
  }

  /** Lets no write end until the function it returns is called. */
  stop(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#open = promise;
    return resolve;
  }
}

function make(disk: Disk, options: Partial<LineQueueOptions> = {}): LineQueue {
  return new LineQueue(disk, { describeLoss: (lines) => `lost ${lines}\n`, ...options });
}

Deno.test("lines are written in order, those of one turn in one write", async () => {
  const disk = new Disk();
  const queue = make(disk);
  for (const line of ["one\n", "two\n", "drei ü\n"]) queue.add(line);
  await queue.flush(1000);
  assertEquals([disk.text, disk.writes], ["one\ntwo\ndrei ü\n", 1]);
});

Deno.test("while nothing can be written, lines beyond the limit are dropped, and then counted", async () => {
  const disk = new Disk();
  const queue = make(disk, { maxPendingCharacters: 8 });
  const release = disk.stop();
  queue.add("begun\n");
  await Promise.resolve(); // its write has begun
  await Promise.resolve();
  for (let number = 1; number <= 9; number++) queue.add(`${number}\n`);
  await queue.flush(1); // returns, although nothing is written
  assertEquals(disk.text, "");
  release();
  await queue.flush(1000);
  queue.add("on\n");
  await queue.flush(1000);
  assertEquals(disk.text, "begun\n1\n2\n3\n4\nlost 5\non\n");
});

Deno.test("after a full disk the next line begins on a line of its own, and the lost ones are counted", async () => {
  for (const room of [0, 1, 4, 5, 6, 7]) {
    const disk = new Disk();
    const failures: unknown[] = [];
    const queue = make(disk, { onFailure: (error) => failures.push(error) });
    disk.room = room;
    for (const line of ["one\n", "two\n"]) queue.add(line);
    await queue.flush(1000);
    queue.add("three\n");
    await queue.flush(1000);
    assertEquals(failures.map(String), ["Error: No space left on device (os error 28)"], "once");
    disk.room = Infinity;
    queue.add("four\n");
    await queue.flush(1000);
    const kept = ["one\n", "two\n"].slice(0, Math.floor(room / 4));
    const half = "one\ntwo\n".slice(kept.length * 4, room);
    const lost = 3 - kept.length;
    const expected = `${kept.join("")}${half}${half === "" ? "" : "\n"}four\nlost ${lost}\n`;
    assertEquals(disk.text, expected, `room for ${room} bytes`);
  }
});

Deno.test("a short write is continued", async () => {
  const disk = new Disk();
  const write = disk.write.bind(disk);
  disk.write = (bytes) => write(bytes.subarray(0, 3));
  const queue = make(disk);
  queue.add("a long line\n");
  await queue.flush(1000);
  assertEquals(disk.text, "a long line\n");
});

Deno.test("a write has whole lines, and at most the bytes it may have", async () => {
  const disk = new Disk();
  const sizes: number[] = [];
  const queue = new LineQueue({
    write: (bytes) => disk.write(bytes),
    prepare: (bytes) => (sizes.push(bytes), Promise.resolve(undefined)),
  }, { describeLoss: String, maxWriteBytes: 8 });
  for (const line of ["one\n", "two\n", "much longer\n", "x\n"]) queue.add(line);
  await queue.flush(1000);
  assertEquals([sizes, disk.text], [[8, 12, 2], "one\ntwo\nmuch longer\nx\n"]);
});
