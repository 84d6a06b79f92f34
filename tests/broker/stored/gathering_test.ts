/** Publishers that wait for each receipt, and commits that take a given time, on a virtual clock. */

import { assert, assertEquals } from "@std/assert";
import { Gathering } from "../../../lib/broker/stored/gathering.ts";
import { after } from "../../../lib/broker/stored/timers.ts";
import {
  COMMIT_GATHER_BYTES,
  COMMIT_GATHER_FROM_MS,
  COMMIT_GATHER_SHARE,
  MAX_COMMIT_GATHER_MS,
  MAX_COMMITS_UNGATHERED,
} from "../../../lib/limits.ts";
import { VirtualClock } from "../../fuzz/model/virtual_clock.ts";

/** A commit as it was begun. */
interface Begun {
  readonly at: number;
  readonly messages: number;
  /** How long it could have begun already: something waited, and no commit was under way. */
  readonly waitedMs: number;
}

/** Commits of `tookMs` each, and what waits for them. */
class Disk implements Disposable {
  readonly clock = new VirtualClock();
  readonly commits: Begun[] = [];
  readonly gathering: Gathering;
  /** Whether the commit that is under way fails. */
  fails = false;
  readonly #tookMs: number;
  readonly #stored: (messages: number) => void;
  #bytes = 0;
  #messages = 0;
  #isBusy = false;
  #readyAt = 0;

  /** @param stored is called when the messages of a commit have their receipts */
  constructor(tookMs: number, stored: (messages: number) => void = () => {}) {
    this.#tookMs = tookMs;
    this.#stored = stored;
    this.gathering = new Gathering({ now: () => performance.now(), after }, () => this.#begin());
  }

  /** A message of `bytes` comes, which wants a receipt or none. */
  publish(bytes = 32, wantsReceipt = true): void {
    if (this.#messages++ === 0 && !this.#isBusy) this.#readyAt = this.clock.now;
    this.#bytes += bytes;
    this.gathering.added(wantsReceipt, this.#bytes);
    if (!this.#isBusy) this.#next();
  }

  /** Lets `ms` milliseconds pass. */
  async run(ms: number): Promise<void> {
    const end = this.clock.now + ms;
    for (let callback; (callback = this.clock.next(end)) !== undefined;) {
      callback();
      await Promise.resolve(); // a commit may begin in a microtask
    }
  }

  #next(): void {
    if (!this.gathering.waits(this.#bytes)) this.#begin();
  }

  #begin(): void {
    if (this.#messages === 0 || this.#isBusy) return;
    const messages = this.#messages;
    this.commits.push({ at: this.clock.now, messages, waitedMs: this.clock.now - this.#readyAt });
    this.#bytes = this.#messages = 0;
    this.#isBusy = true;
    this.gathering.began();
    setTimeout(() => {
      this.#isBusy = false;
      if (this.fails) { // and what has come meanwhile is refused with it
        this.fails = false;
        this.#bytes = this.#messages = 0;
        return this.gathering.failed();
      }
      this.gathering.settled(this.#tookMs);
      this.#readyAt = this.clock.now;
      this.#stored(messages);
      if (this.#messages > 0) this.#next();
    }, this.#tookMs);
  }

  [Symbol.dispose](): void {
    this.clock[Symbol.dispose]();
  }
}

/** `count` publishers, each of which sends again within `backMs` of its receipt. */
function closedLoops(count: number, tookMs: number, backMs: number): Disk {
  const disk = new Disk(tookMs, (messages) => {
    for (let i = 1; i <= messages; i++) setTimeout(() => disk.publish(), backMs * i / messages);
  });
  for (let i = 1; i <= count; i++) setTimeout(() => disk.publish(), i / 10);
  return disk;
}

Deno.test("if commits take long, publishers that wait for each receipt are in each of them", async () => {
  using disk = closedLoops(64, 5, 1);
  await disk.run(200);
  const sizes = disk.commits.map(({ messages }) => messages);
  assertEquals(sizes.slice(3), Array(sizes.length - 3).fill(64));
  assert(sizes.length > 200 / (5 + 1) - 2, `${sizes.length} commits`); // no commit waits once all publishers are back
});

Deno.test("if they are quick, none waits", async () => {
  using disk = closedLoops(64, COMMIT_GATHER_FROM_MS * 0.9, 0.5);
  await disk.run(50);
  assert(disk.commits.length > 40);
  assertEquals(disk.commits.filter(({ waitedMs }) => waitedMs > 0), []);
});

Deno.test("after a commit that took very long, publishers are not waited for as long", async () => {
  using disk = new Disk(10_000);
  disk.publish();
  for (let i = 1; i <= 3; i++) setTimeout(() => disk.publish(), i);
  await disk.run(30_000);
  assertEquals(disk.commits.map(({ messages, waitedMs }) => [messages, waitedMs]), [
    [1, 0],
    [3, MAX_COMMIT_GATHER_MS],
  ]);
});

Deno.test("a publisher alone is never waited for", async () => {
  using disk = closedLoops(1, 5, 1);
  await disk.run(200);
  assert(disk.commits.length > 30);
  assertEquals(disk.commits.filter(({ waitedMs }) => waitedMs > 0), []);
});

Deno.test("publishers that do not come back are waited for less and less", async () => {
  const tookMs = 10;
  using disk = new Disk(tookMs);
  const publish = () => { // another publisher each time
    disk.publish();
    setTimeout(publish, 5);
  };
  publish();
  await disk.run(100 * tookMs);
  const waited = disk.commits.map(({ waitedMs }) => waitedMs).filter((ms) => ms > 0);
  const most = Math.log2(MAX_COMMITS_UNGATHERED) + disk.commits.length / MAX_COMMITS_UNGATHERED + 1;
  assert(waited.length > 0 && waited.length <= most, `${waited.length} of ${disk.commits.length} waited`);
  assert(Math.max(...waited) <= tookMs * COMMIT_GATHER_SHARE);
});

Deno.test("many bytes do not wait, nor does what wants no receipt behind what wanted none", async () => {
  for (const [bytes, wantsReceipt] of [[COMMIT_GATHER_BYTES, true], [32, false]] as const) {
    using disk = new Disk(10, () => setTimeout(() => disk.publish(bytes, wantsReceipt), 1));
    for (let i = 0; i < 4; i++) disk.publish(bytes, wantsReceipt);
    await disk.run(200);
    assert(disk.commits.length > 15);
    assertEquals(disk.commits.filter(({ waitedMs }) => waitedMs > 0), []);
  }
});

Deno.test("after a commit that failed, no publisher is waited for", async () => {
  using disk = new Disk(10);
  for (let i = 0; i < 8; i++) disk.publish();
  disk.fails = true;
  await disk.run(11);
  disk.publish();
  await disk.run(11);
  disk.publish();
  assertEquals(disk.commits.map(({ messages, waitedMs }) => [messages, waitedMs]), [[1, 0], [1, 0], [1, 0]]);
});
