/** Handshake: a HELLO is accepted or rejected, at once or when its token has been verified. */

import { assert, assertEquals } from "@std/assert";
import type { Authenticator, Identity } from "../../lib/broker/authenticator.ts";
import { ALL_PERMISSIONS, REMOTE_PERMISSIONS } from "../../lib/broker/authenticator.ts";
import { Handshake } from "../../lib/broker/handshake.ts";
import { encodeControl, PROTOCOL } from "../../lib/wire/control.ts";
import { Type } from "../../lib/wire/header.ts";

const IDENTITY: Identity = {
  id: "5f0c",
  name: "Ada",
  subject: "Ada",
  grants: { ...ALL_PERMISSIONS, mayDirect: false },
};

function unexpected(what: unknown): never {
  throw new Error(`unexpected: ${what}`);
}

/** A handshake whose deadline does not outlive the test. */
class TestHandshake extends Handshake implements Disposable {
  constructor(
    verify?: Authenticator["verify"],
    {
      withinMs = 60_000,
      late = (): void => unexpected("late"),
      failed = unexpected as (error: unknown) => void,
      isLocal = true,
    } = {},
  ) {
    const authenticator = verify && { verify, check: () => undefined };
    super(authenticator, { address: "192.0.2.1", isLocal }, withinMs, { late, failed });
  }

  /** Offers `frame`. */
  offer(frame: Uint8Array, decided: () => void = () => unexpected("decided")) {
    return this.decide(frame, 0, frame.length, decided);
  }

  /** Offers `frame` until there is a decision. */
  async result(frame: Uint8Array) {
    const decided = Promise.withResolvers<void>();
    const atOnce = this.offer(frame, decided.resolve);
    if (atOnce !== undefined) return atOnce;
    await decided.promise;
    return this.offer(frame);
  }

  [Symbol.dispose](): void {
    this.stop();
  }
}

function helloFrame(hello: { name?: string; token?: string; protocol?: string } = {}): Uint8Array {
  return encodeControl({ type: Type.HELLO }, { protocol: PROTOCOL, ...hello });
}

Deno.test("without an authenticator every client is accepted at once", () => {
  for (const name of ["Ada", undefined]) {
    using handshake = new TestHandshake();
    const accepted = handshake.offer(helloFrame(name === undefined ? {} : { name }));
    assertEquals(accepted, { name, permissions: ALL_PERMISSIONS });
  }
});

Deno.test("without an authenticator clients on other machines may neither monitor nor administer", () => {
  using handshake = new TestHandshake(undefined, { isLocal: false });
  const accepted = handshake.offer(helloFrame());
  assertEquals(accepted, { name: undefined, permissions: REMOTE_PERMISSIONS });
  assert(!REMOTE_PERMISSIONS.mayMonitor && !REMOTE_PERMISSIONS.mayAdmin && REMOTE_PERMISSIONS.mayDirect);
});

Deno.test("a malformed HELLO is rejected before its token is verified", () => {
  using handshake = new TestHandshake(() => unexpected("verified"));
  const broken = handshake.offer(encodeControl({ type: Type.HELLO }, { reason: "no hello" }));
  assert(broken !== undefined && "code" in broken);
  assertEquals(broken.code, "bad_hello");
  assertEquals(handshake.offer(helloFrame({ protocol: "parley/9" })), {
    code: "unsupported_protocol",
    message: `this server speaks ${PROTOCOL}`,
  });
});

Deno.test("an accepted client has the name and the permissions of its token", async () => {
  const verified: unknown[] = [];
  using handshake = new TestHandshake((...args) => {
    verified.push(args);
    return Promise.resolve({ accepted: IDENTITY });
  });
  const accepted = await handshake.result(helloFrame({ name: "Mallory", token: "a.b.c" }));
  assertEquals(accepted, { name: "Ada", permissions: IDENTITY.grants, identity: IDENTITY });
  assertEquals(verified, [["a.b.c", "192.0.2.1"]], "once");
});

Deno.test("a rejected client is told what it may know; the detail is for the log", async () => {
  const rejected = { message: "token expired: ask for a new one", detail: "it ended yesterday" };
  using handshake = new TestHandshake(() => Promise.resolve({ rejected }));
  assertEquals(await handshake.result(helloFrame()), {
    code: "unauthorized",
    message: rejected.message,
    detail: rejected.detail,
    isTokenRejected: false,
  });
  using withToken = new TestHandshake(() => Promise.resolve({ rejected }));
  const result = await withToken.result(helloFrame({ token: "a.b.c" }));
  assert(result !== undefined && "code" in result && result.isTokenRejected);
});

Deno.test("while a token is being verified there is no decision, and it is verified once", async () => {
  const verification = Promise.withResolvers<{ accepted: Identity }>();
  let count = 0;
  using handshake = new TestHandshake(() => {
    count++;
    return verification.promise;
  });
  const decided = Promise.withResolvers<void>();
  for (let i = 0; i < 3; i++) assertEquals(handshake.offer(helloFrame(), decided.resolve), undefined);
  verification.resolve({ accepted: IDENTITY });
  await decided.promise;
  const accepted = handshake.offer(helloFrame());
  assertEquals([accepted !== undefined && "permissions" in accepted, count], [true, 1]);
});

Deno.test("a failure to verify accepts no client, and is reported", async () => {
  const failed = Promise.withResolvers<unknown>();
  using handshake = new TestHandshake(() => Promise.reject(new Error("the disk is gone")), {
    failed: failed.resolve,
  });
  assertEquals(handshake.offer(helloFrame()), undefined);
  assertEquals(String(await failed.promise), "Error: the disk is gone");
  assertEquals(handshake.offer(helloFrame()), undefined);
});

Deno.test("a HELLO that does not come in time is late", async () => {
  const late = Promise.withResolvers<void>();
  using _handshake = new TestHandshake(undefined, { withinMs: 1, late: late.resolve });
  await late.promise;
});

Deno.test("a handshake that is over is never late", async () => {
  const handshake = new TestHandshake(undefined, { withinMs: 0 });
  handshake.stop();
  await new Promise((resolve) => setTimeout(resolve, 5));
});
