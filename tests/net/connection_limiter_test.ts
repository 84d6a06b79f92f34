/** Places: as many as there are, of each address no more than its share, and none lost on the way. */

import { assertEquals, assertThrows } from "@std/assert";
import { ConnectionLimiter } from "../../lib/net/connection_limiter.ts";

Deno.test("connections are admitted up to the limit, and a released one makes room", () => {
  const limiter = new ConnectionLimiter(2, 2);
  assertEquals([limiter.acquire("192.0.2.1"), limiter.acquire("192.0.2.2")], [undefined, undefined]);
  assertEquals(limiter.acquire("192.0.2.3"), "this server has 2 connections open, the most that it takes");
  assertEquals(limiter.open, 2);
  limiter.release("192.0.2.1");
  assertEquals([limiter.open, limiter.acquire("192.0.2.3")], [1, undefined]);
});

Deno.test("one address cannot use up the connections of the others", () => {
  const limiter = new ConnectionLimiter(10, 2);
  for (let count = 0; count < 2; count++) assertEquals(limiter.acquire("192.0.2.1"), undefined);
  assertEquals(
    limiter.acquire("192.0.2.1"),
    "192.0.2.1 has 2 connections open, the most that one address may",
  );
  assertEquals(limiter.acquire("192.0.2.2"), undefined);
  limiter.release("192.0.2.1");
  assertEquals(limiter.acquire("192.0.2.1"), undefined);
});

Deno.test("a connection over the limit is not counted", () => {
  const limiter = new ConnectionLimiter(1, 1);
  limiter.acquire("192.0.2.1");
  for (let count = 0; count < 5; count++) limiter.acquire("192.0.2.1");
  limiter.release("192.0.2.1");
  assertEquals([limiter.open, limiter.acquire("192.0.2.1")], [0, undefined]);
});

Deno.test("addresses of one IPv6 network share one limit, however they are written", () => {
  const limiter = new ConnectionLimiter(10, 1);
  assertEquals(limiter.acquire("2001:db8:1:2:3:4:5:6"), undefined);
  for (const same of ["2001:db8:1:2::1", "2001:db8:1:2:ffff::"]) {
    assertEquals(
      limiter.acquire(same),
      "2001:db8:1:2::/64 has 1 connection open, the most that one address may",
    );
  }
  for (const other of ["2001:db8:1:3::1", "2001:db8:1::2", "2001:db8::1", "::1", "fd00::2"]) {
    assertEquals(limiter.acquire(other), undefined, other);
  }
  limiter.release("2001:db8:1:2::99");
  assertEquals(limiter.acquire("2001:db8:1:2::1"), undefined);
});

Deno.test("IPv4 clients of an IPv6 socket count separately", () => {
  const limiter = new ConnectionLimiter(10, 1);
  assertEquals([limiter.acquire("::ffff:192.0.2.1"), limiter.acquire("::ffff:192.0.2.2")], [
    undefined,
    undefined,
  ]);
  assertEquals(
    limiter.acquire("192.0.2.1"),
    "192.0.2.1 has 1 connection open, the most that one address may",
  );
});

Deno.test("releasing more than was acquired throws", () => {
  const limiter = new ConnectionLimiter(1, 1);
  assertThrows(
    () => limiter.release("192.0.2.1"),
    Error,
    "Cannot release a connection of 192.0.2.1: none is open",
  );
  assertEquals(limiter.open, 0);
});
