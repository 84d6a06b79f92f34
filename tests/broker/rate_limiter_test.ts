/** Rates: evenly filled, a second at most in store, debts waited for. */

import { assert, assertEquals } from "@std/assert";
import { RateLimiter } from "../../lib/broker/rate_limiter.ts";

function makeRate(messagesPerSecond: number, bytesPerSecond: number) {
  const clock = { ms: 1000 };
  return { clock, rate: new RateLimiter({ messagesPerSecond, bytesPerSecond }, () => clock.ms) };
}

Deno.test("without a rate nobody ever waits", () => {
  const { rate } = makeRate(0, 0);
  rate.spend(1e9, 1e12);
  assertEquals(rate.waitMs(), 0);
});

Deno.test("a second's worth may be sent at once, what is beyond it is waited for", () => {
  const { rate, clock } = makeRate(100, 0);
  rate.spend(100, 1e9);
  assertEquals(rate.waitMs(), 0);
  rate.spend(25, 0);
  assertEquals(rate.waitMs(), 250);
  clock.ms += 249;
  assertEquals(rate.waitMs(), 1);
  clock.ms += 1;
  assertEquals(rate.waitMs(), 0);
});

Deno.test("silence saves up one second, not more", () => {
  const { rate, clock } = makeRate(100, 0);
  clock.ms += 3_600_000;
  rate.waitMs();
  rate.spend(150, 0);
  assertEquals(rate.waitMs(), 500);
});

Deno.test("of messages and bytes the slower one counts", () => {
  const { rate } = makeRate(100, 1000);
  rate.spend(110, 1500);
  assertEquals(rate.waitMs(), 500);
  const other = makeRate(100, 1000).rate;
  other.spend(200, 1010);
  assertEquals(other.waitMs(), 1000);
});

Deno.test("over a minute of greed exactly the rate gets through, whatever the size of the runs", () => {
  for (const run of [1, 7, 33, 250]) {
    const { rate, clock } = makeRate(100, 0);
    let sent = 0;
    for (const end = clock.ms + 60_000; clock.ms < end;) {
      const wait = rate.waitMs();
      clock.ms += wait;
      if (wait > 0) continue;
      rate.spend(run, run);
      sent += run;
    }
    assert(Math.abs(sent - 6100) <= run + 100, `${sent} messages in runs of ${run}`);
  }
});
