/**
 * The parts of a soak's load against a server in this program: nothing is found where nothing is wrong, and what is
 * wrong is found.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { connect, serve } from "../../lib/mod.ts";
import { seedFrom } from "../seeded.ts";
import { asking, askingNobody, direct } from "./asking.ts";
import { putLoadOn } from "./load.ts";
import { Harness, numbered, type Part } from "./harness.ts";
import { sharing } from "./sharing.ts";
import { patterns, stream } from "./streams.ts";
import { Tally } from "./tally.ts";
import { visitors } from "./visitors.ts";

const TINY = { channel: "tiny", size: 16, batch: 20, everyMs: 5, subscribers: 2 };

/** Runs one part until `isEnough` or for 10 s, and beside it `disturb`. */
async function run(
  part: Part,
  isEnough: (tally: Tally) => boolean,
  disturb: (address: { hostname: string; port: number }) => Promise<void> = () => Promise.resolve(),
): Promise<Tally> {
  await using server = await serve();
  const tally = new Tally();
  const over = Promise.withResolvers<void>();
  const started = performance.now();
  const timer = setInterval(() => {
    if (isEnough(tally) || performance.now() - started > 10_000) over.resolve();
  }, 10);
  const load = putLoadOn(new Harness(tally, server, over.promise, seedFrom()), { part });
  await disturb(server);
  await load;
  clearInterval(timer);
  return tally;
}

const PARTS: [string, Part, (tally: Tally) => boolean][] = [
  ["streams", stream(TINY), ({ delivered }) => delivered > 200],
  [
    "streams that are read slowly",
    stream({ ...TINY, size: 4096, batch: 200, everyMs: 1, thinks: { every: 50, ms: 5 } }),
    ({ delivered }) => delivered > 500,
  ],
  ["patterns", patterns("by", 4), ({ delivered }) => delivered > 50],
  ["sharing", sharing("work", 3), ({ delivered }) => delivered > 100],
  ["asking", asking("questions", 3, 2), ({ answers }) => answers > 30],
  ["direct messages", direct(), ({ delivered }) => delivered > 50],
  ["visitors", visitors("room", 3), ({ visits }) => visits > 20],
];

for (const [name, part, isEnough] of PARTS) {
  Deno.test(`load: ${name} find nothing wrong with a server`, async () => {
    const tally = await run(part, isEnough);
    assertEquals(tally.problems, []);
    assert(isEnough(tally), JSON.stringify(tally));
  });
}

Deno.test("load: requests to nobody and to deserters are refused as they should be", async () => {
  const start = performance.now();
  assertEquals((await run(askingNobody("nobody"), () => performance.now() - start > 500)).problems, []);
});

Deno.test("load: a message out of order is found", async () => {
  const tally = await run(stream(TINY), ({ problems }) => problems.length > 0, async ({ hostname, port }) => {
    await using stranger = await connect({ hostname, port });
    const channel = await stranger.open(TINY.channel, { subscribe: false });
    const payload = numbered({ int: () => 0, pick: ([first]) => first, bytes: (n) => new Uint8Array(n) }, 16);
    await channel.publish(payload(1_000_000));
    await stranger.ping();
  });
  assertStringIncludes(tally.problems[0], "message 1000000 (16 bytes) came after message");
});

Deno.test("load: work that comes twice is found", async () => {
  const tally = await run(
    sharing("work", 3),
    ({ problems }) => problems.length > 0,
    async ({ hostname, port }) => {
      await using stranger = await connect({ hostname, port });
      const input = await stranger.open("work");
      for await (const { payload } of input) {
        await input.publish(payload);
        break;
      }
    },
  );
  assertStringIncludes(tally.problems[0], "came twice");
});

Deno.test("load: a server that goes away is found", async () => {
  await using server = await serve();
  const tally = new Tally();
  const over = Promise.withResolvers<void>();
  const load = putLoadOn(new Harness(tally, server, over.promise, 1), { stream: stream(TINY) });
  while (tally.delivered < 20) await new Promise((resolve) => setTimeout(resolve, 10));
  await server.close();
  over.resolve();
  await load;
  assert(tally.problems.length > 0);
});
