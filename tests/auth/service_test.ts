/** The auth service: follows changes of the state folder, survives its failures, and ends all delays when it closes. */

import { assertEquals, assertRejects } from "@std/assert";
import { AuthService } from "../../lib/auth/service.ts";
import { MemoryStorage, type Storage } from "../../lib/state/storage.ts";
import { accepted, ADA, makeProcess, rejected } from "./fixtures.ts";

/** A storage whose `stamp` can fail or wait. */
class FaultyStorage extends MemoryStorage {
  isBroken = false;
  stamps = 0;
  gate: Promise<void> = Promise.resolve();

  override async stamp(name: string): Promise<string> {
    this.stamps++;
    await this.gate;
    if (this.isBroken) throw new Error("the disk is gone");
    return await super.stamp(name);
  }
}

/** A service, and the tokens of another process. Both use the real clock. */
async function makeService() {
  const storage = new FaultyStorage();
  const failures: unknown[] = [];
  const authService = new AuthService(storage, (error) => failures.push(error));
  await authService.open();
  const { tokens } = makeProcess(storage as Storage, { ms: 0, now: Date.now, advance: () => {} });
  return { storage, authService, tokens, failures };
}

Deno.test("changes by another process are known after a refresh", async () => {
  const { authService, tokens } = await makeService();
  const { token, issued } = await tokens.issue(ADA);
  const identity = accepted(await authService.authenticator.verify(token, "192.0.2.1"));
  await tokens.revoke(issued.id);
  assertEquals(authService.authenticator.check(identity), undefined, "not yet");
  await authService.refresh();
  assertEquals(authService.authenticator.check(identity)?.reason, "revoked");
  await authService.close();
});

Deno.test("a folder that cannot be read is reported once, and its last content stays in force", async () => {
  const { authService, tokens, storage, failures } = await makeService();
  const { token } = await tokens.issue(ADA);
  const identity = accepted(await authService.authenticator.verify(token, "192.0.2.1"));
  storage.isBroken = true;
  for (let count = 0; count < 3; count++) await authService.refresh();
  assertEquals([failures.length, authService.authenticator.check(identity)], [1, undefined]);
  storage.isBroken = false;
  await authService.refresh();
  storage.isBroken = true;
  await authService.refresh();
  assertEquals(failures.length, 2, "a new failure is reported again");
  storage.isBroken = false;
  await authService.close();
});

Deno.test("opening a folder that cannot be read fails", async () => {
  const storage = new FaultyStorage();
  storage.isBroken = true;
  await assertRejects(() => new AuthService(storage, () => {}).open(), Error, "the disk is gone");
});

Deno.test("concurrent refreshes share one read, which begins after the call", async () => {
  const { authService, tokens, storage } = await makeService();
  const { token, issued } = await tokens.issue(ADA);
  const identity = accepted(await authService.authenticator.verify(token, "192.0.2.1"));
  const open = Promise.withResolvers<void>();
  storage.gate = open.promise;
  const first = authService.refresh();
  await Promise.resolve(); // it has begun to read
  storage.stamps = 0;
  await storage.exclusive(() => Promise.resolve());
  const refreshes = Array.from({ length: 50 }, () => authService.refresh());
  const revoking = tokens.revoke(issued.id);
  open.resolve();
  await Promise.all([first, revoking, ...refreshes]);
  await authService.refresh();
  assertEquals(authService.authenticator.check(identity)?.reason, "revoked");
  assertEquals(storage.stamps < 20, true, `${storage.stamps} reads for 50 refreshes`);
  await authService.close();
});

Deno.test("closing ends the delay of rejections", async () => {
  const { authService } = await makeService();
  const start = performance.now();
  const waiting = Array.from({ length: 8 }, () => authService.authenticator.verify("wrong", "192.0.2.1"));
  const all = Promise.all(waiting);
  let done = false;
  all.then(() => done = true);
  // By then the tokens are verified and their rejections delayed.
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(done, false);
  await authService.close();
  for (const decision of await all) assertEquals(rejected(decision).reason, "not valid here");
  assertEquals(performance.now() - start < 3000, true);
});

Deno.test("closing writes the last uses, and reports if it cannot", async () => {
  const { authService, tokens, storage, failures } = await makeService();
  const { token } = await tokens.issue(ADA);
  await authService.authenticator.verify(token, "192.0.2.1");
  await authService.close();
  const [{ lastUsedAtMs }] = await makeProcess(storage, { ms: 0, now: Date.now, advance: () => {} }).registry
    .list();
  assertEquals(typeof lastUsedAtMs, "number");
  await authService.authenticator.verify(token, "192.0.2.1");
  storage.write = () => Promise.reject(new Error("the disk is full"));
  await authService.close();
  assertEquals(failures.map(String), ["Error: the disk is full"]);
});
