/** Sessions that let much wait for themselves: by not reading, by reading slowly, and by asking for it. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Type } from "../../lib/wire/header.ts";
import { concat, json, type RawClient } from "../harness/raw_client.ts";
import { attack, type Harness } from "./harness.ts";
import { BOTH } from "./transport.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const MESSAGE_BYTES = 16 * KiB;
const LIMITS = { payloadBytes: 64 * KiB, pendingBytes: 8 * MiB, slowConsumerTimeoutMs: 60_000 };

/** Publishes `bytes` on a channel; resolves when they are written, or the connection has ended. */
async function publish(client: RawClient, channel: number, bytes: number): Promise<void> {
  const some = concat(
    Array.from({ length: 16 }, () => client.message(channel, new Uint8Array(MESSAGE_BYTES - 16))),
  );
  for (let sent = 0; sent < bytes; sent += some.length) await client.send(some);
}

/** Waits until nothing of `writing` has come to its end during fifty messages of the control clients. */
async function isPaused(harness: Harness, progress: () => number): Promise<void> {
  for (let before = -1; before !== progress();) {
    before = progress();
    for (let i = 0; i < 50; i++) await harness.control.pass();
  }
}

attack(
  "a subscriber that fills itself through $echo leaves its publishers their room",
  { limits: { ...LIMITS, slowConsumerTimeoutMs: 3000 } },
  async (harness) => {
    const [mallory, publisher] = [await harness.greet(), await harness.greet()];
    const { number } = await mallory.open("feed");
    await publisher.openToPublish("feed");
    const echo = await mallory.openToPublish("$echo");
    let sent = 0;
    const filling = (async () => {
      for (; sent < 96 * MiB; sent += MiB) await publish(mallory, echo, MiB);
    })();
    filling.catch(() => {}); // ends with the connection
    await isPaused(harness, () => sent);
    assert(sent < 96 * MiB);
    await publish(publisher, number, 4 * MiB);
    assertEquals(await publisher.barrier(), []);
    assertEquals(harness.host.log.all("slow consumer"), [], "the publisher had to wait");
    await harness.host.log.until("slow consumer", { number: mallory.number });
  },
);

attack(
  "beyond the total of what waits, the sessions with most waiting are closed, and told why",
  { limits: { ...LIMITS, pendingTotalBytes: 16 * MiB }, transports: BOTH },
  async (harness) => {
    const slow: RawClient[] = [];
    const writing: Promise<void>[] = [];
    for (let i = 0; i < 6; i++) {
      slow[i] = await harness.greet();
      const publisher = await harness.greet();
      const { number } = await slow[i].open(`feed.${i}`);
      await publisher.openToPublish(`feed.${i}`);
      writing.push(publish(publisher, number, 24 * MiB).catch(() => {}));
    }
    const { log } = harness.host;
    const closed = () => log.all("slow consumer");
    const rests = new Map<number, ReturnType<RawClient["rest"]>>();
    const areClosed = () => {
      // Each reads on only now: in time if the machine is not busy.
      for (const client of slow) {
        if (rests.has(client.number) || !closed().some(({ number }) => number === client.number)) continue;
        rests.set(client.number, client.rest());
      }
      return rests.size >= 4;
    };
    await harness.until(areClosed, () => `${rests.size} of 6 sessions are closed`);
    for (const line of closed()) {
      assertEquals([line.pendingTotalBytes, line.level], [16 * MiB, "warn"]);
      assert(Number(line.pending) > MiB, `${line.pending} bytes waited for it`);
    }
    const last = (await Promise.all(rests.values())).map((frames) => frames.pop()!);
    const errors = last.filter(({ type }) => type === Type.ERROR).map(json);
    assert(errors.length > 0, "none was told why");
    for (const { code, message } of errors) {
      assertEquals(code, "slow_consumer");
      assertStringIncludes(String(message), "wait for all sessions");
    }
    harness.closeClients();
    await Promise.all(writing);
  },
);

attack(
  "a session that takes nothing of what waits for it is closed, although no publisher waits",
  { limits: { ...LIMITS, pendingBytes: 64 * MiB, slowConsumerTimeoutMs: 500 }, transports: BOTH },
  async (harness) => {
    const [slow, publisher] = [await harness.greet(), await harness.greet()];
    const { number } = await slow.open("feed");
    await publisher.openToPublish("feed");
    await publish(publisher, number, 32 * MiB);
    assertEquals(await publisher.barrier(), []);
    await harness.host.log.until("slow consumer", { number: slow.number });
    const error = (await slow.rest()).pop()!;
    assertEquals([error.type, json(error).code], [Type.ERROR, "slow_consumer"]);
  },
);

attack(
  "a subscriber that reads steadily, twenty times as fast as it must, is not closed and gets everything",
  // By default it must take 1 MiB in 5 s.
  { limits: { ...LIMITS, pendingBytes: 4 * MiB, slowConsumerTimeoutMs: 1000 }, transports: BOTH },
  async (harness) => {
    const [reader, publisher] = [await harness.greet(), await harness.greet()];
    const { number } = await reader.open("feed");
    await publisher.openToPublish("feed");
    const bytes = 24 * MiB;
    const writing = publish(publisher, number, bytes);
    const start = performance.now();
    for (let count = 0; count < bytes / MESSAGE_BYTES; count++) {
      // The pace is what is tested; there is no event to wait for.
      const early = count * MESSAGE_BYTES / (5 * MiB) * 1000 - (performance.now() - start);
      if (early > 10) await new Promise((resolve) => setTimeout(resolve, early));
      assertEquals((await reader.expect(Type.MESSAGE)).payload.length, MESSAGE_BYTES - 16);
    }
    await writing;
    assertEquals(harness.host.log.all("slow consumer"), []);
  },
);
