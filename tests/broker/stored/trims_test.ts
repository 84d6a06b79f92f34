import { assertEquals } from "@std/assert";
import { joinTrims } from "../../../lib/broker/stored/log.ts";

Deno.test("what an operator drops and what retention drops go together", () => {
  const purge = { channel: 5, first: 100, bytes: Infinity, before: -Infinity };
  const age = { channel: 5, first: 7, bytes: Infinity, before: 2_000 };
  const size = { channel: 5, first: 7, bytes: 300, before: -Infinity };
  assertEquals(joinTrims(undefined, purge), purge);
  const dropped = { channel: 5, first: 100, bytes: 300, before: 2_000 };
  assertEquals(joinTrims(joinTrims(purge, age), size), dropped);
  assertEquals(joinTrims(joinTrims(size, age), purge), dropped);
});
