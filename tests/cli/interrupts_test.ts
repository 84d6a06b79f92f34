import { assertEquals } from "@std/assert";
import { EndRequests } from "../../lib/cli/interrupts.ts";

Deno.test("a signal within a second of the first is a copy of it, a later one an order to hurry", () => {
  const requests = new EndRequests();
  const taken = [5000, 5001, 5999, 6000, 9000].map((nowMs) => requests.take(nowMs));
  assertEquals(taken, ["first", "copy", "copy", "hurry", "hurry"]);
});
