/**
 * The workloads of a soak against a server in this process: they report problems if there are some, and only then.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { connect, serve } from "../../lib/mod.ts";
import { seedFrom } from "../harness/seeded.ts";
import { directMessages, failingRequests, requests } from "./requests.ts";
import { runLoad } from "./load.ts";
import { Harness, numbered, type Workload } from "./harness.ts";
import { groupWork } from "./group_work.ts";
import { patterns, stream } from "./streams.ts";
import { Counters } from "./counters.ts";
import { sessionChurn } from "./session_churn.ts";

const TINY = { channel: "tiny", size: 16, batch: 20, everyMs: 5, subscribers: 2 };

/** Runs one workload until `isEnough`, at most 10 s, and `disturb` at the same time. */
async function run(
  workload: Workload,
  isEnough: (counters: Counters) => boolean,
  disturb: (address: { hostname: string; port: number }) => Promise<void> = () => Promise.resolve(),
): Promise<Counters> {
  await using server = await serve();
  const counters = new Counters();
  const over = Promise.withResolvers<void>();
  const started = performance.now();
  const timer = setInterval(() => {
    if (isEnough(counters) || performance.now() - started > 10_000) over.resolve();
  }, 10);
  const load = runLoad(new Harness(counters, server, over.promise, seedFrom()), { workload });
  await disturb(server);
  await load;
  clearInterval(timer);
  return counters;
}

const WORKLOADS: [string, Workload, (counters: Counters) => boolean][] = [
  ["streams", stream(TINY), ({ delivered }) => delivered > 200],
  [
    "streams with a slow subscriber",
    stream({ ...TINY, size: 4096, batch: 200, everyMs: 1, pauses: { every: 50, ms: 5 } }),
    ({ delivered }) => delivered > 500,
  ],
  ["patterns", patterns("by", 4), ({ delivered }) => delivered > 50],
  ["group work", groupWork("work", 3), ({ delivered }) => delivered > 100],
  ["requests", requests("requests", 3, 2), ({ replies }) => replies > 30],
  ["direct messages", directMessages(), ({ delivered }) => delivered > 50],
  ["session churn", sessionChurn("room", 3), ({ shortSessions }) => shortSessions > 20],
];

for (const [name, workload, isEnough] of WORKLOADS) {
  Deno.test(`load: ${name} find no problem in a working server`, async () => {
    const counters = await run(workload, isEnough);
    assertEquals(counters.problems, []);
    assert(isEnough(counters), JSON.stringify(counters));
  });
}

Deno.test("load: requests without a responder, and requests whose responder closes, fail with the right code", async () => {
  const start = performance.now();
  assertEquals((await run(failingRequests("failing"), () => performance.now() - start > 500)).problems, []);
});

Deno.test("load: a message out of order is found", async () => {
  const counters = await run(
    stream(TINY),
    ({ problems }) => problems.length > 0,
    async ({ hostname, port }) => {
      await using other = await connect({ hostname, port });
      const payload = numbered(
        { int: () => 0, pick: ([first]) => first, bytes: (n) => new Uint8Array(n) },
        16,
      );
      await other.publish(TINY.channel, payload(1_000_000));
      await other.ping();
    },
  );
  assertStringIncludes(counters.problems[0], "message 1000000 (16 bytes) came after message");
});

Deno.test("load: a message that a group receives twice is found", async () => {
  const counters = await run(
    groupWork("work", 3),
    ({ problems }) => problems.length > 0,
    async ({ hostname, port }) => {
      await using other = await connect({ hostname, port });
      const input = await other.subscribe("work");
      for await (const { payload } of input) {
        await other.publish("work", payload);
        break;
      }
    },
  );
  assertStringIncludes(counters.problems[0], "arrived twice");
});

Deno.test("load: a server that closes is found", async () => {
  await using server = await serve();
  const counters = new Counters();
  const over = Promise.withResolvers<void>();
  const load = runLoad(new Harness(counters, server, over.promise, 1), { stream: stream(TINY) });
  while (counters.delivered < 20) await new Promise((resolve) => setTimeout(resolve, 10));
  await server.close();
  over.resolve();
  await load;
  assert(counters.problems.length > 0);
});
