/** The auth service: follows changes of the state folder, survives its failures, and ends all delays when it closes. */

import { assertEquals, assertRejects } from "@std/assert";
import { AuthService, type AuthServiceEvents } from "../../lib/auth/service.ts";
import { MemoryStorage, type Storage } from "../../lib/state/storage.ts";
import { WRITE_USES_MS } from "../../lib/limits.ts";
import { accepted, ADA, makeProcess, rejected } from "./fixtures.ts";

/** A storage whose `stamp` can fail or wait, and whose lock another process can hold. */
class FaultyStorage extends MemoryStorage {
  lockHeld = false;
  isBroken = false;
  stamps = 0;
  gate: Promise<void> = Promise.resolve();

  override async stamp(name: string): Promise<string> {
    this.stamps++;
    await this.gate;
    if (this.isBroken) throw new Error("the disk is gone");
    return await super.stamp(name);
  }

  override exclusive<T>(action: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (!this.lockHeld) return super.exclusive(action);
    return new Promise((_, reject) => {
      const giveUp = () => reject(new Error("another process holds the lock"));
      if (signal!.aborted) giveUp();
      else signal!.addEventListener("abort", giveUp);
    });
  }
}

/** Collects what a service reports, as text. */
function eventsTo(reports: string[]): AuthServiceEvents {
  return {
    readFailed: (error) => reports.push(`read failed: ${error}`),
    readAgain: () => reports.push("read again"),
    writeFailed: (error) => reports.push(`write failed: ${error}`),
    writtenAgain: () => reports.push("written again"),
    notWritten: (tokens, error) => reports.push(`${tokens} not written: ${error}`),
  };
}

/** A service, and the tokens of another process. Both use the real clock. */
async function makeService() {
  const storage = new FaultyStorage();
  const failures: string[] = [];
  const authService = new AuthService(storage, eventsTo(failures));
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
  await authService.close(1000);
});

Deno.test("a folder that cannot be read, and that it can be again, is reported once, and its last content stays in force", async () => {
  const { authService, tokens, storage, failures } = await makeService();
  const { token } = await tokens.issue(ADA);
  const identity = accepted(await authService.authenticator.verify(token, "192.0.2.1"));
  await authService.refresh();
  await storage.exclusive(() => Promise.resolve()); // by now the use is written, and nothing is left to write
  storage.isBroken = true;
  for (let count = 0; count < 3; count++) await authService.refresh();
  const failure = "read failed: Error: the disk is gone";
  assertEquals([failures, authService.authenticator.check(identity)], [[failure], undefined]);
  storage.isBroken = false;
  await authService.refresh();
  storage.isBroken = true;
  await authService.refresh();
  assertEquals(failures, [failure, "read again", failure], "a new failure is reported again");
  storage.isBroken = false;
  await authService.close(1000);
});

Deno.test("opening a folder that cannot be read fails", async () => {
  const storage = new FaultyStorage();
  storage.isBroken = true;
  await assertRejects(() => new AuthService(storage, eventsTo([])).open(), Error, "the disk is gone");
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
  await authService.close(1000);
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
  await authService.close(1000);
  for (const decision of await all) assertEquals(rejected(decision).reason, "not valid here");
  assertEquals(performance.now() - start < 3000, true);
});

Deno.test("closing writes the last uses, and reports if it cannot", async () => {
  const { authService, tokens, storage, failures } = await makeService();
  const { token } = await tokens.issue(ADA);
  await authService.authenticator.verify(token, "192.0.2.1");
  await authService.close(1000);
  const [{ lastUsedAtMs }] = await makeProcess(storage, { ms: 0, now: Date.now, advance: () => {} }).registry
    .list();
  assertEquals(typeof lastUsedAtMs, "number");
  await authService.authenticator.verify(token, "192.0.2.1");
  storage.write = () => Promise.reject(new Error("the disk is full"));
  await authService.close(1000);
  assertEquals(failures, ["1 not written: Error: the disk is full"]);
});

Deno.test("last uses that cannot be written are reported once, and once when they can be again", async () => {
  using time = new FakeDateNow();
  const { authService, tokens, storage, failures } = await makeService();
  const { token } = await tokens.issue(ADA);
  const write = storage.write;
  const use = async () => {
    await authService.authenticator.verify(token, "192.0.2.1");
    time.advance(WRITE_USES_MS + 1);
    await authService.refresh();
    await storage.exclusive(() => Promise.resolve()); // by now the attempt to write has ended
    await new Promise((resolve) => setTimeout(resolve));
  };
  storage.write = () => Promise.reject(new Error("the folder is read-only"));
  for (let count = 0; count < 3; count++) await use();
  assertEquals(failures, ["write failed: Error: the folder is read-only"]);
  storage.write = write;
  for (let count = 0; count < 3; count++) await use();
  assertEquals(failures.slice(1), ["written again"]);
  await authService.close(1000);
});

Deno.test("a lock held by another process delays neither a revocation nor closing", async () => {
  const { authService, tokens, storage, failures } = await makeService();
  const { token, issued } = await tokens.issue(ADA);
  const identity = accepted(await authService.authenticator.verify(token, "192.0.2.1"));
  await tokens.revoke(issued.id);
  storage.lockHeld = true;
  await authService.refresh();
  assertEquals(authService.authenticator.check(identity)?.reason, "revoked");
  const start = performance.now();
  await authService.close(100);
  assertEquals(performance.now() - start < 2000, true);
  assertEquals(failures, ["1 not written: Error: another process holds the lock"]);
});

/** Moves `Date.now` forward until it is disposed of. */
class FakeDateNow implements Disposable {
  readonly #real = Date.now;
  #offsetMs = 0;

  constructor() {
    Date.now = () => this.#real() + this.#offsetMs;
  }

  advance(ms: number): void {
    this.#offsetMs += ms;
  }

  [Symbol.dispose](): void {
    Date.now = this.#real;
  }
}
