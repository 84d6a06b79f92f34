import { assert, assertEquals, assertRejects } from "@std/assert";
import { Keys } from "../../lib/auth/keys.ts";
import { MemoryStorage } from "../../lib/state/storage.ts";
import { ParleyError } from "../../lib/errors.ts";
import { Clock, START } from "./fixtures.ts";

function makeKeys(storage = new MemoryStorage(), clock = new Clock()) {
  return { storage, clock, keys: new Keys(storage, clock.now) };
}

/** The content of the key file. */
async function stored(storage: MemoryStorage) {
  return JSON.parse((await storage.read("signing-keys.json"))!);
}

Deno.test("the first key is made for the first signature, and stays", async () => {
  const { storage, keys, clock } = makeKeys();
  await keys.refresh();
  assertEquals(await storage.read("signing-keys.json"), undefined);
  const { id } = await keys.signing();
  assertEquals((await keys.signing()).id, id);
  assertEquals((await makeKeys(storage, clock).keys.signing()).id, id);
  assertEquals((await stored(storage)).signing.madeAtMs, START);
});

Deno.test("concurrent requests for the first key get the same one", async () => {
  const { storage, keys } = makeKeys();
  const others = Array.from({ length: 10 }, () => makeKeys(storage).keys);
  const ids = await Promise.all([keys, ...others].map(async (keys) => (await keys.signing()).id));
  assertEquals(new Set(ids).size, 1);
});

Deno.test("the signing key cannot be exported", async () => {
  const { key } = await makeKeys().keys.signing();
  assertEquals([key.type, key.extractable], ["private", false]);
});

Deno.test("concurrent rotations lose no key", async () => {
  const { storage, keys, clock } = makeKeys();
  await keys.signing();
  await Promise.all(Array.from({ length: 5 }, () => makeKeys(storage).keys.rotate(START + 1000)));
  const { signing, retired } = await stored(storage);
  const ids = [signing, ...retired].map(({ id }) => id);
  assertEquals(new Set(ids).size, 6);
  await keys.refresh();
  assert(ids.every((id) => keys.accepted(id) !== undefined));
  clock.ms = START + 1000;
  assertEquals(ids.filter((id) => keys.accepted(id) !== undefined), [signing.id]);
});

Deno.test("only the public half of a retired key is kept, and nothing once it is no longer accepted", async () => {
  const { storage, keys, clock } = makeKeys();
  const { id } = await keys.signing();
  await keys.rotate(START + 1000);
  const [retired] = (await stored(storage)).retired;
  assertEquals([retired.id, Object.keys(retired.jwk).sort()], [id, ["crv", "kty", "x"]]);
  clock.advance(1);
  await keys.rotate(START + 5000);
  assert(!(await stored(storage)).retired.some((key: { id: string }) => key.id === id));
});

Deno.test("a later rotation can shorten the overlap of earlier keys, not extend it", async () => {
  const { keys, clock } = makeKeys();
  const first = (await keys.signing()).id;
  await keys.rotate(START + 10_000);
  const second = (await keys.signing()).id;
  await keys.rotate(START + 20_000);
  clock.ms = START + 9_999;
  assert(keys.accepted(first) && keys.accepted(second));
  clock.ms = START + 10_000;
  assert(!keys.accepted(first) && keys.accepted(second));
  await keys.rotate(clock.ms);
  assert(!keys.accepted(second));
});

Deno.test("a key that another process made is known after a refresh", async () => {
  const { storage, keys } = makeKeys();
  await keys.refresh();
  const { id } = await makeKeys(storage).keys.signing();
  assertEquals(keys.accepted(id), undefined);
  assertEquals(await keys.refresh(), true);
  assert(keys.accepted(id));
  assertEquals(keys.accepted(id)?.type, "public");
  assertEquals(await keys.refresh(), false);
});

Deno.test("a malformed key file is an error that names the file, quotes nothing of it, and keeps it", async () => {
  const { storage, keys } = makeKeys();
  for (
    const text of [
      "",
      "{",
      "null",
      "[]",
      '{"version":1,"retired":[],"signing":{"jwk":"hush"}}',
      '{"version":2}',
    ]
  ) {
    await storage.write("signing-keys.json", text);
    const error = await assertRejects(() => keys.signing(), ParleyError, "signing-keys.json");
    assert(!error.message.includes("hush"));
    assertEquals(await storage.read("signing-keys.json"), text); // not overwritten
  }
});
