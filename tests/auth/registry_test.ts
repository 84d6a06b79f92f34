import { assertEquals, assertRejects } from "@std/assert";
import { LastUses } from "../../lib/auth/last_uses.ts";
import { type IssuedToken, Registry } from "../../lib/auth/registry.ts";
import { MemoryStorage } from "../../lib/state/storage.ts";
import { ParleyError } from "../../lib/errors.ts";
import { ADA, Clock, DAY_SECONDS, makeProcess, START } from "./fixtures.ts";

function makeRegistry(storage: MemoryStorage = new MemoryStorage(), clock = new Clock()) {
  return { storage, clock, registry: new Registry(storage, clock.now) };
}

function issued(id: string, changes: Partial<IssuedToken> = {}): IssuedToken {
  const { name, publish, subscribe, respond, direct } = ADA;
  const times = { issuedAtMs: START, expiresAtMs: START + 3600_000 };
  return { id, name, publish, subscribe, respond, direct, ...times, key: "k1", ...changes };
}

Deno.test("the list has id, name, grants, times and the last use of each token, oldest first", async () => {
  const { registry } = makeRegistry();
  await registry.add(issued("b"));
  await registry.add(issued("a", { name: "Grace" }));
  registry.recordUse("a");
  await registry.writeUses();
  assertEquals(await registry.list(), [issued("b"), {
    ...issued("a", { name: "Grace" }),
    lastUsedAtMs: START,
  }]);
});

Deno.test("the token itself is stored nowhere", async () => {
  const { tokens, storage } = makeProcess();
  const { token } = await tokens.issue(ADA);
  await tokens.verify(token);
  await tokens.close();
  for (const name of ["tokens.json", "token-uses.json", "signing-keys.json"]) {
    const text = (await storage.read(name))!;
    for (const part of token.split(".")) assertEquals(text.includes(part), false, name);
  }
});

Deno.test("a token is revoked by its id or by an unambiguous prefix of it", async () => {
  const { registry, clock } = makeRegistry();
  for (const id of ["5f0c", "5f0d", "5f0da"]) await registry.add(issued(id));
  clock.advance(1);
  assertEquals((await registry.revoke("5f0c")).revokedAtMs, START + 1000);
  assertEquals((await registry.revoke("5f0d")).id, "5f0d"); // a whole id, although another begins with it
  clock.advance(1);
  assertEquals((await registry.revoke("5f0c")).revokedAtMs, START + 1000); // unchanged
  assertEquals(registry.find("5f0da")?.revokedAtMs, undefined);
  const list = "shows them";
  await assertRejects(
    () => registry.revoke("5f"),
    ParleyError,
    '3 tokens have an id that begins with "5f"; give more',
  );
  await assertRejects(() => registry.revoke("x"), ParleyError, 'no token has an id that begins with "x"');
  await assertRejects(() => registry.revoke(""), ParleyError, list);
});

Deno.test("a token stays in the list until 30 days after it expired, revoked or not", async () => {
  const { registry, clock, storage } = makeRegistry();
  await registry.add(issued("a"));
  await registry.revoke("a");
  registry.recordUse("a");
  await registry.writeUses("now");
  clock.advance(30 * DAY_SECONDS + 3600);
  assertEquals((await registry.list()).length, 1);
  clock.advance(1);
  assertEquals(await registry.list(), []);
  await registry.add(issued("b"));
  assertEquals(JSON.parse((await storage.read("tokens.json"))!).tokens.length, 0); // b expired at the same time
  registry.recordUse("c");
  await registry.writeUses("now");
  assertEquals(JSON.parse((await storage.read("token-uses.json"))!).uses, []);
});

Deno.test("concurrent changes by several processes lose nothing", async () => {
  const { storage, registry } = makeRegistry();
  const ids = Array.from({ length: 20 }, (_, at) => `${at}.`);
  await Promise.all(ids.map((id) => makeRegistry(storage).registry.add(issued(id))));
  await Promise.all(ids.slice(10).map((id) => makeRegistry(storage).registry.revoke(id)));
  assertEquals(await registry.refresh(), true);
  assertEquals(ids.filter((id) => registry.find(id)?.revokedAtMs === undefined), ids.slice(0, 10));
});

Deno.test("writing uses does not undo what a command wrote", async () => {
  const { storage, registry } = makeRegistry();
  await registry.add(issued("a"));
  registry.recordUse("a");
  await makeRegistry(storage).registry.revoke("a"); // after the server's last refresh
  await registry.writeUses("now");
  await registry.refresh();
  assertEquals(registry.find("a")?.revokedAtMs, START);
});

Deno.test("uses are written at once, then at most every ten seconds", async () => {
  const { storage, clock, registry } = makeRegistry();
  await registry.add(issued("a"));
  const written = async () => (await new LastUses(storage, clock.now).read()).get("a");
  await registry.writeUses();
  assertEquals(await storage.read("token-uses.json"), undefined);
  registry.recordUse("a");
  await registry.writeUses();
  assertEquals(await written(), START);
  clock.advance(9);
  registry.recordUse("a");
  await registry.writeUses();
  assertEquals(await written(), START);
  clock.advance(1);
  await registry.writeUses();
  assertEquals(await written(), START + 9000);
  registry.recordUse("a");
  await registry.writeUses("now");
  assertEquals(await written(), START + 10_000);
});

Deno.test("the later of two servers' uses of a token is kept", async () => {
  const { storage, clock, registry } = makeRegistry();
  await registry.add(issued("a"));
  const other = makeRegistry(storage, new Clock());
  other.clock.advance(-60);
  await other.registry.refresh();
  registry.recordUse("a");
  other.registry.recordUse("a");
  await registry.writeUses();
  await other.registry.writeUses();
  assertEquals((await makeRegistry(storage, clock).registry.list())[0].lastUsedAtMs, START);
});

Deno.test("a server keeps the uses that another wrote of tokens it does not know yet", async () => {
  const { storage, clock, registry } = makeRegistry();
  await registry.add(issued("a"));
  const other = makeRegistry(storage, clock).registry;
  await other.refresh();
  await registry.add(issued("b"));
  registry.recordUse("b");
  await registry.writeUses();
  other.recordUse("a");
  await other.writeUses();
  assertEquals((await registry.list()).map(({ lastUsedAtMs }) => lastUsedAtMs), [START, START]);
});

Deno.test("uses that could not be written are written with the next ones", async () => {
  const { storage, clock, registry } = makeRegistry();
  await registry.add(issued("a"));
  await storage.write("token-uses.json", "?");
  registry.recordUse("a");
  await assertRejects(() => registry.writeUses(), ParleyError, "token-uses.json");
  await storage.write("token-uses.json", '{"version":1,"uses":[]}');
  clock.advance(10);
  await registry.writeUses();
  assertEquals((await registry.list())[0].lastUsedAtMs, START);
});
