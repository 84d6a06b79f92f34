/** Places: as many as there are, of each address no more than its share, and none lost on the way. */

import { assertEquals, assertThrows } from "@std/assert";
import { ConnectionLimiter } from "../../lib/net/connection_limiter.ts";

Deno.test("places are taken up to the limit, and given back", () => {
  const places = new ConnectionLimiter(2, 2);
  assertEquals([places.take("192.0.2.1"), places.take("192.0.2.2")], [undefined, undefined]);
  assertEquals(places.take("192.0.2.3"), "this server has 2 connections open, the most that it takes");
  assertEquals(places.taken, 2);
  places.leave("192.0.2.1");
  assertEquals([places.taken, places.take("192.0.2.3")], [1, undefined]);
});

Deno.test("one address cannot take the places of others", () => {
  const places = new ConnectionLimiter(10, 2);
  for (let count = 0; count < 2; count++) assertEquals(places.take("192.0.2.1"), undefined);
  assertEquals(places.take("192.0.2.1"), "192.0.2.1 has 2 connections open, the most that one address may");
  assertEquals(places.take("192.0.2.2"), undefined);
  places.leave("192.0.2.1");
  assertEquals(places.take("192.0.2.1"), undefined);
});

Deno.test("a connection that found no place does not take one", () => {
  const places = new ConnectionLimiter(1, 1);
  places.take("192.0.2.1");
  for (let count = 0; count < 5; count++) places.take("192.0.2.1");
  places.leave("192.0.2.1");
  assertEquals([places.taken, places.take("192.0.2.1")], [0, undefined]);
});

Deno.test("addresses of one IPv6 network share its places, however they are written", () => {
  const places = new ConnectionLimiter(10, 1);
  assertEquals(places.take("2001:db8:1:2:3:4:5:6"), undefined);
  for (const same of ["2001:db8:1:2::1", "2001:db8:1:2:ffff::"]) {
    assertEquals(places.take(same), "2001:db8:1:2::/64 has 1 connection open, the most that one address may");
  }
  for (const other of ["2001:db8:1:3::1", "2001:db8:1::2", "2001:db8::1", "::1", "fd00::2"]) {
    assertEquals(places.take(other), undefined, other);
  }
  places.leave("2001:db8:1:2::99");
  assertEquals(places.take("2001:db8:1:2::1"), undefined);
});

Deno.test("IPv4 clients of an IPv6 socket are told apart", () => {
  const places = new ConnectionLimiter(10, 1);
  assertEquals([places.take("::ffff:192.0.2.1"), places.take("::ffff:192.0.2.2")], [undefined, undefined]);
  assertEquals(places.take("192.0.2.1"), "192.0.2.1 has 1 connection open, the most that one address may");
});

Deno.test("giving back what was not taken is a bug, and says so", () => {
  const places = new ConnectionLimiter(1, 1);
  assertThrows(() => places.leave("192.0.2.1"), Error, "192.0.2.1 has no place to give back");
  assertEquals(places.taken, 0);
});
