/** The guard: keeps up with the state folder, through its failures too, and keeps nobody waiting at its end. */

import { assertEquals, assertRejects } from "@std/assert";
import { AuthService } from "../../lib/auth/service.ts";
import { MemoryStorage, type Storage } from "../../lib/state/storage.ts";
import { ADA, admitted, process, refused } from "./fixtures.ts";

/** A storage that fails when told to, and whose reading can be held up. */
class ShakyStorage extends MemoryStorage {
  isBroken = false;
  looks = 0;
  gate: Promise<void> = Promise.resolve();

  override async stamp(name: string): Promise<string> {
    this.looks++;
    await this.gate;
    if (this.isBroken) throw new Error("the disk is gone");
    return await super.stamp(name);
  }
}

/** A guard, and the token desk of another process; by the real clock, as the guard's is. */
async function makeGuard() {
  const storage = new ShakyStorage();
  const failures: unknown[] = [];
  const authService = new AuthService(storage, (error) => failures.push(error));
  await authService.open();
  const { tokens } = process(storage as Storage, { ms: 0, now: Date.now, advance: () => {} });
  return { storage, authService, tokens, failures };
}

Deno.test("what another process issues and revokes is known", async () => {
  const { authService, tokens } = await makeGuard();
  const { token, issued } = await tokens.issue(ADA);
  const identity = admitted(await authService.authenticator.verify(token, "192.0.2.1"));
  await tokens.revoke(issued.id);
  assertEquals(authService.authenticator.check(identity), undefined, "not yet");
  await authService.refresh();
  assertEquals(authService.authenticator.check(identity)?.reason, "revoked");
  await authService.close();
});

Deno.test("a folder that cannot be read is told once, and what was known stays in force", async () => {
  const { authService, tokens, storage, failures } = await makeGuard();
  const { token } = await tokens.issue(ADA);
  const identity = admitted(await authService.authenticator.verify(token, "192.0.2.1"));
  storage.isBroken = true;
  for (let count = 0; count < 3; count++) await authService.refresh();
  assertEquals([failures.length, authService.authenticator.check(identity)], [1, undefined]);
  storage.isBroken = false;
  await authService.refresh();
  storage.isBroken = true;
  await authService.refresh();
  assertEquals(failures.length, 2, "it is told again once it was well in between");
  storage.isBroken = false;
  await authService.close();
});

Deno.test("opening a folder that cannot be read fails", async () => {
  const storage = new ShakyStorage();
  storage.isBroken = true;
  await assertRejects(() => new AuthService(storage, () => {}).open(), Error, "the disk is gone");
});

Deno.test("many who ask at once share one look, and none is older than its question", async () => {
  const { authService, tokens, storage } = await makeGuard();
  const { token, issued } = await tokens.issue(ADA);
  const identity = admitted(await authService.authenticator.verify(token, "192.0.2.1"));
  const open = Promise.withResolvers<void>();
  storage.gate = open.promise;
  const first = authService.refresh();
  await Promise.resolve(); // it has begun to look
  storage.looks = 0;
  await storage.exclusive(() => Promise.resolve());
  const asked = Array.from({ length: 50 }, () => authService.refresh());
  const revoking = tokens.revoke(issued.id);
  open.resolve();
  await Promise.all([first, revoking, ...asked]);
  await authService.refresh();
  assertEquals(authService.authenticator.check(identity)?.reason, "revoked");
  assertEquals(storage.looks < 20, true, `${storage.looks} looks for 50 questions`);
  await authService.close();
});

Deno.test("closing lets go of who is made to wait", async () => {
  const { authService } = await makeGuard();
  const start = performance.now();
  const waiting = Array.from({ length: 8 }, () => authService.authenticator.verify("wrong", "192.0.2.1"));
  const all = Promise.all(waiting);
  let done = false;
  all.then(() => done = true);
  // Their verdicts are there, and are held back, after a turn or two of the loop.
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(done, false);
  await authService.close();
  for (const verdict of await all) assertEquals(refused(verdict).reason, "not valid here");
  assertEquals(performance.now() - start < 3000, true);
});

Deno.test("closing writes down the last uses, and tells if it cannot", async () => {
  const { authService, tokens, storage, failures } = await makeGuard();
  const { token } = await tokens.issue(ADA);
  await authService.authenticator.verify(token, "192.0.2.1");
  await authService.close();
  const [{ lastUsedAtMs }] = await process(storage, { ms: 0, now: Date.now, advance: () => {} }).registry
    .list();
  assertEquals(typeof lastUsedAtMs, "number");
  await authService.authenticator.verify(token, "192.0.2.1");
  storage.write = () => Promise.reject(new Error("the disk is full"));
  await authService.close();
  assertEquals(failures.map(String), ["Error: the disk is full"]);
});
