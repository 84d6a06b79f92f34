/** Rates: what a session may send at once, and how long it waits if it has sent more. */

import { assert, assertEquals } from "@std/assert";
import { RateLimiter } from "../../lib/broker/rate_limiter.ts";

function makeLimiter(messagesPerSecond: number, bytesPerSecond: number) {
  const clock = { ms: 1000 };
  return { clock, limiter: new RateLimiter({ messagesPerSecond, bytesPerSecond }, () => clock.ms) };
}

Deno.test("without limits a session never waits", () => {
  const { limiter } = makeLimiter(0, 0);
  limiter.spend(1e9, 1e12);
  assertEquals(limiter.waitMs(), 0);
});

Deno.test("what a second allows may be sent at once; sending more makes the session wait", () => {
  const { limiter, clock } = makeLimiter(100, 0);
  limiter.spend(100, 1e9);
  assertEquals(limiter.waitMs(), 0);
  limiter.spend(25, 0);
  assertEquals(limiter.waitMs(), 250);
  clock.ms += 249;
  assertEquals(limiter.waitMs(), 1);
  clock.ms += 1;
  assertEquals(limiter.waitMs(), 0);
});

Deno.test("a silent session saves up what one second allows, not more", () => {
  const { limiter, clock } = makeLimiter(100, 0);
  clock.ms += 3_600_000;
  limiter.waitMs();
  limiter.spend(150, 0);
  assertEquals(limiter.waitMs(), 500);
});

Deno.test("of the limits of messages and bytes, the longer wait counts", () => {
  const { limiter } = makeLimiter(100, 1000);
  limiter.spend(110, 1500);
  assertEquals(limiter.waitMs(), 500);
  const other = makeLimiter(100, 1000).limiter;
  other.spend(200, 1010);
  assertEquals(other.waitMs(), 1000);
});

Deno.test("a session that sends all it may for a minute gets exactly its rate, whatever the length of its runs", () => {
  for (const run of [1, 7, 33, 250]) {
    const { limiter, clock } = makeLimiter(100, 0);
    let sent = 0;
    for (const end = clock.ms + 60_000; clock.ms < end;) {
      const wait = limiter.waitMs();
      clock.ms += wait;
      if (wait > 0) continue;
      limiter.spend(run, run);
      sent += run;
    }
    assert(Math.abs(sent - 6100) <= run + 100, `${sent} messages in runs of ${run}`);
  }
});
