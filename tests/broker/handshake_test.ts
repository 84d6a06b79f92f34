/** Greetings: the HELLO is judged, at once or a moment later, and whoever fails to judge is heard of. */

import { assert, assertEquals } from "@std/assert";
import type { Authenticator, Identity } from "../../lib/broker/authenticator.ts";
import { ALL_PERMISSIONS } from "../../lib/broker/authenticator.ts";
import { Handshake, welcome } from "../../lib/broker/handshake.ts";
import { DEFAULT_LIMITS } from "../../lib/limits.ts";
import { decodeControl, encodeControl, PROTOCOL } from "../../lib/wire/control.ts";
import { Type } from "../../lib/wire/header.ts";

const fails = (error: unknown): never => {
  throw error;
};

function helloFrame(hello: { name?: string; token?: string; protocol?: string } = {}): Uint8Array {
  return encodeControl({ type: Type.HELLO }, { protocol: PROTOCOL, ...hello });
}

/** Judges `frame` until there is a verdict. */
async function judged(greeting: Handshake, frame: Uint8Array) {
  const again = Promise.withResolvers<void>();
  const now = greeting.judge(frame, 0, frame.length, again.resolve);
  if (now !== undefined) return now;
  await again.promise;
  return greeting.judge(frame, 0, frame.length, () => fails(new Error("asked twice")));
}

const ADMISSION: Identity = { id: "5f0c", name: "Ada", grants: { ...ALL_PERMISSIONS, mayDirect: false } };

function makeDoor(verify: Authenticator["verify"]): Authenticator {
  return { verify, check: () => undefined };
}

Deno.test("without a door everybody may come in, at once", () => {
  const greeting = new Handshake(undefined, "192.0.2.1", fails);
  for (const name of ["Ada", undefined]) {
    const frame = helloFrame(name === undefined ? {} : { name });
    assertEquals(greeting.judge(frame, 0, frame.length, () => fails("judged twice")), {
      name,
      permissions: ALL_PERMISSIONS,
    });
  }
});

Deno.test("a HELLO that is none is refused before anybody is asked", () => {
  const authenticator = makeDoor(() => fails(new Error("asked")));
  const verdict = (frame: Uint8Array) =>
    new Handshake(authenticator, "192.0.2.1", fails).judge(frame, 0, frame.length, () => {});
  const broken = verdict(encodeControl({ type: Type.HELLO }, { reason: "no hello" } as never));
  assert(broken !== undefined && "code" in broken);
  assertEquals(broken.code, "bad_hello");
  assertEquals(verdict(helloFrame({ protocol: "parley/9" })), {
    code: "unsupported_protocol",
    message: `this server speaks ${PROTOCOL}`,
  });
});

Deno.test("who is let in goes by the token's name and has its rights", async () => {
  const responder: unknown[] = [];
  const authenticator = makeDoor((...args) =>
    Promise.resolve((responder.push(args), { accepted: ADMISSION }))
  );
  const accepted = await judged(
    new Handshake(authenticator, "192.0.2.1", fails),
    helloFrame({ name: "Mallory", token: "a.b.c" }),
  );
  assertEquals(accepted, { name: "Ada", permissions: ADMISSION.grants, identity: ADMISSION });
  assertEquals(responder, [["a.b.c", "192.0.2.1"]], "once");
});

Deno.test("who is not is told what it may know; the rest is for the log", async () => {
  const rejected = { message: "token expired: ask for a new one", detail: "it ended yesterday" };
  const authenticator = makeDoor(() => Promise.resolve({ rejected }));
  assertEquals(await judged(new Handshake(authenticator, "192.0.2.1", fails), helloFrame()), {
    code: "unauthorized",
    message: rejected.message,
    detail: rejected.detail,
  });
});

Deno.test("while the door judges there is no verdict, and it is asked once", async () => {
  const verdict = Promise.withResolvers<{ accepted: Identity }>();
  let responder = 0;
  const authenticator = makeDoor(() => (responder++, verdict.promise));
  const greeting = new Handshake(authenticator, "192.0.2.1", fails);
  const frame = helloFrame();
  const told = Promise.withResolvers<void>();
  for (let count = 0; count < 3; count++) {
    assertEquals(greeting.judge(frame, 0, frame.length, told.resolve), undefined);
  }
  verdict.resolve({ accepted: ADMISSION });
  await told.promise;
  const accepted = greeting.judge(frame, 0, frame.length, told.resolve);
  assertEquals([accepted !== undefined && "permissions" in accepted, responder], [true, 1]);
});

Deno.test("a door that cannot judge lets nobody in, and is heard of", async () => {
  const failed = Promise.withResolvers<unknown>();
  const authenticator = makeDoor(() => Promise.reject(new Error("the disk is gone")));
  const greeting = new Handshake(authenticator, "192.0.2.1", failed.resolve);
  const frame = helloFrame();
  assertEquals(greeting.judge(frame, 0, frame.length, () => fails(new Error("judged"))), undefined);
  assertEquals(String(await failed.promise), "Error: the disk is gone");
  assertEquals(greeting.judge(frame, 0, frame.length, () => {}), undefined);
});

Deno.test("a WELCOME says who one is and what one may send, and is as the protocol has it", () => {
  const who = { uuid: crypto.randomUUID(), number: 7, name: "Ada" };
  const said = welcome(who, { name: "parley", version: "1" }, DEFAULT_LIMITS);
  assertEquals([said.session, said.number, said.name, said.limits.payload], [
    who.uuid,
    7,
    "Ada",
    DEFAULT_LIMITS.payloadBytes,
  ]);
  const frame = encodeControl({ type: Type.WELCOME }, said);
  assertEquals(decodeControl("WELCOME", frame, 0, frame.length), { value: said });
});
