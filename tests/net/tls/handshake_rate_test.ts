import { assertEquals } from "@std/assert";
import { HandshakeRateLimiter } from "../../../lib/net/tls/handshake_rate.ts";

/** A limiter of 200 a second and 1,000 at once, and its clock. */
function limited() {
  const clock = { now: 5000 };
  const limiter = new HandshakeRateLimiter(200, 1000, () => clock.now);
  /** How many of `count` handshakes of `address` may begin. */
  const take = (count: number, address = "192.0.2.1") =>
    Array.from({ length: count }, () => limiter.take(address)).filter((may) => may).length;
  return { clock, limiter, take };
}

Deno.test("an address may begin a burst of handshakes, then so many a second", () => {
  const { clock, take } = limited();
  assertEquals(take(1600), 1000);
  for (let second = 0; second < 5; second++) {
    clock.now += 1000;
    assertEquals(take(1600), 200);
  }
  clock.now += 60_000;
  assertEquals(take(1600), 1000);
});

Deno.test("of clients behind one address that connect again, 1,000 are back at once, and 3,000 within 10 s", () => {
  const { clock, take } = limited();
  const start = clock.now;
  assertEquals(take(1000), 1000);
  for (let left = 2000; left > 0; left -= take(left)) clock.now += 50;
  assertEquals(clock.now - start, 10_000);
});

Deno.test("other addresses are not affected; those of one IPv6 network count as one", () => {
  const { take } = limited();
  take(1000);
  assertEquals(take(1), 0);
  assertEquals(take(1, "192.0.2.2"), 1);
  assertEquals(take(1000, "2001:db8:1:2::1"), 1000);
  assertEquals(take(1, "2001:db8:1:2::2"), 0);
  assertEquals(take(1, "2001:db8:1:3::1"), 1);
});

Deno.test("addresses are forgotten when they have their burst again, and not before", () => {
  const { clock, limiter, take } = limited();
  for (let i = 0; i < 1000; i++) take(1, `10.0.${i >> 8}.${i & 255}`);
  take(1000);
  assertEquals(limiter.size, 1001);
  clock.now += 5000;
  assertEquals(take(1000, "192.0.2.2"), 1000);
  assertEquals(limiter.size, 1002);
  clock.now += 4999;
  assertEquals(take(1000, "192.0.2.2"), 999);
  clock.now += 1;
  take(1, "192.0.2.3");
  assertEquals(limiter.size, 2);
});
