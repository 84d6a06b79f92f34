/** The ids of revoked tokens of another issuer: kept as long as such a token can be valid, and bounded. */

import { assertEquals, assertRejects } from "@std/assert";
import { Revocations } from "../../lib/auth/revocations.ts";
import { ParleyError } from "../../lib/errors.ts";
import { MAX_EXTERNAL_TOKEN_SECONDS, MAX_REVOKED_IDS } from "../../lib/limits.ts";
import { MemoryStorage } from "../../lib/state/storage.ts";
import { Clock, DAY_SECONDS, START } from "./fixtures.ts";

Deno.test("an id is revoked as a whole, once, for every process", async () => {
  const clock = new Clock();
  const storage = new MemoryStorage();
  const [here, there] = [new Revocations(storage, clock.now), new Revocations(storage, clock.now)];
  assertEquals(await here.add("login-77"), START);
  clock.advance(10);
  assertEquals([there.find("login-77"), await there.refresh(), there.find("login-77")], [
    undefined,
    true,
    START,
  ]);
  assertEquals(await there.add("login-77"), START, "as it was");
  assertEquals(
    ["login-7", "login-777", "", "__proto__"].map((id) => there.find(id)),
    Array(4).fill(undefined),
  );
});

Deno.test("an id is forgotten when no token with it can be valid any more", async () => {
  const clock = new Clock();
  const storage = new MemoryStorage();
  const revocations = new Revocations(storage, clock.now);
  await revocations.add("old");
  clock.advance(MAX_EXTERNAL_TOKEN_SECONDS);
  await revocations.add("young");
  assertEquals(revocations.find("old"), START);
  clock.advance(DAY_SECONDS);
  await revocations.add("youngest");
  assertEquals([revocations.find("old"), typeof revocations.find("young")], [undefined, "number"]);
});

Deno.test("ids that no token can have are refused, and so are too many", async () => {
  const storage = new MemoryStorage();
  const revocations = new Revocations(storage, () => START);
  for (const id of ["", "a\nb", "a".repeat(257)]) {
    await assertRejects(() => revocations.add(id), ParleyError, "the id of a token has 1 to 256 characters");
  }
  const revoked = Array.from({ length: MAX_REVOKED_IDS }, (_, at) => [`${at}`, START]);
  await storage.write("revoked-ids.json", JSON.stringify({ version: 1, revoked }));
  await assertRejects(() => revocations.add("one more"), ParleyError, "10000 ids are revoked already");
  assertEquals(await revocations.add("7"), START);
  await storage.write("revoked-ids.json", "[]");
  await assertRejects(
    () => revocations.refresh(),
    ParleyError,
    "is not in the format of this version of Parley",
  );
  assertEquals(revocations.find("7"), START, "what was known stays in force");
});
