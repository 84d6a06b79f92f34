/**
 * Attacks at the door: what stands in for a HELLO, what comes right behind one, and tokens that are none.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { exportJWK, exportSPKI, type JWTHeaderParameters, SignJWT, UnsecuredJWT } from "jose";
import { FolderStorage } from "../../lib/state/folder.ts";
import { Keys } from "../../lib/auth/keys.ts";
import { FIRST_PENALTY_MS } from "../../lib/limits.ts";
import { Type } from "../../lib/wire/header.ts";
import { concat, type RawClient, text } from "../harness/raw_client.ts";
import type { Host } from "./host.ts";
import { attack, type Harness } from "./harness.ts";
import { greet } from "./transport.ts";

/** A HELLO with a token, as a frame. */
function hello(client: RawClient, token?: unknown): Uint8Array {
  return client.frame(Type.HELLO, {}, { protocol: "parley/1", token });
}

/** Somebody who listens on the channel that the attacks aim at. */
async function listener(harness: Harness, token?: string): Promise<{ client: RawClient; number: number }> {
  const client = await harness.greet({ token });
  const { number } = await client.open("chat");
  await client.barrier();
  return { client, number };
}

attack("a bad HELLO and a MESSAGE in one segment publish nothing", {}, async (harness) => {
  const { client, number } = await listener(harness);
  const bad: [string, (stranger: RawClient) => Uint8Array][] = [
    ["bad_hello", (stranger) => stranger.frame(Type.HELLO, {}, '{"protocol":7}')],
    ["bad_hello", (stranger) => stranger.frame(Type.HELLO, {}, "not JSON")],
    ["bad_hello", (stranger) => stranger.frame(Type.HELLO, {}, "[".repeat(16 * 1024))],
    ["bad_hello", (stranger) => stranger.frame(Type.PING)],
    ["bad_hello", (stranger) => stranger.message(number, "first of all")],
    ["unsupported_protocol", (stranger) => stranger.frame(Type.HELLO, {}, { protocol: "parley/2" })],
    ["bad_frame", (stranger) => stranger.frame(Type.HELLO, { flags: 0x80 }, { protocol: "parley/1" })],
  ];
  for (const [code, frame] of bad) {
    const stranger = await harness.connect();
    const first = frame(stranger);
    stranger.number = client.number + 1;
    await stranger.send(concat([first, stranger.message(number, "smuggled")]));
    assertEquals((await stranger.ended(code as "bad_hello")).fatal, true);
  }
  assertEquals(await client.barrier(), []);
});

attack(
  "a MESSAGE behind a good HELLO, with a guessed number, publishes nothing on a channel that is not open",
  {},
  async (harness) => {
    const { client, number } = await listener(harness);
    // Guessed right, and nothing opened; guessed wrong, it is a frame in the name of somebody else.
    const right = await harness.connect();
    const first = hello(right);
    right.number = client.number + 1;
    await right.send(
      concat([first, right.message(number, "smuggled"), right.request(9, number, "smuggled")]),
    );
    await right.expect(Type.WELCOME);
    assertEquals((await right.refused("not_open")).channel, number);
    assertEquals((await right.refused("not_open")).id, 9);
    const wrong = await harness.connect();
    const second = hello(wrong);
    wrong.number = client.number;
    await wrong.send(concat([second, wrong.message(number, "smuggled")]));
    await wrong.expect(Type.WELCOME);
    await wrong.ended("bad_frame");
    assertEquals(await client.barrier(), []);
  },
);

attack(
  "whatever follows a HELLO while its token is judged waits for the verdict, and falls with it",
  { auth: true },
  async (harness) => {
    const { client, number } = await listener(harness, await harness.token());
    const open = (stranger: RawClient) =>
      stranger.frame(Type.OPEN, { id: 1 }, { channel: "chat", subscribe: true });
    const stranger = await harness.connect();
    const first = hello(stranger, "a.b.c");
    stranger.number = client.number + 1;
    await stranger.send(concat([first, open(stranger), stranger.message(number, "smuggled")]));
    await stranger.ended("unauthorized");
    // Let in, but with a token that grants nothing.
    const poor = await harness.connect();
    const second = hello(
      poor,
      await harness.token({ publish: [], subscribe: [], respond: [], direct: false }),
    );
    poor.number = client.number + 1;
    await poor.send(concat([second, open(poor), poor.message(number, "smuggled")]));
    await poor.expect(Type.WELCOME);
    await poor.refused("forbidden");
    await poor.refused("not_open");
    assertEquals(await client.barrier(), []);
  },
);

/** What signs tokens like the server's own; its claims are right but for the changes. */
async function forge(harness: Harness<Host>) {
  const { issued } = await harness.host.tokens!.issue({
    name: "Ada",
    publish: [">"],
    subscribe: [">"],
    respond: [">"],
    direct: true,
    expiresInSeconds: 3600,
  });
  const keys = new Keys(new FolderStorage(harness.host.state), Date.now);
  const { id: kid, key } = await keys.signing();
  await keys.refresh();
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: "parley-server",
    aud: "parley",
    sub: "Ada",
    jti: issued.id,
    iat: now,
    nbf: now,
    exp: now + 3600,
    grants: { publish: [">"], subscribe: [">"], respond: [">"], direct: true },
  };
  const header = { alg: "EdDSA", typ: "JWT", kid };
  const sign = (changes: object = {}, headerChanges: object = {}) =>
    new SignJWT({ ...claims, ...changes })
      .setProtectedHeader({ ...header, ...headerChanges } as JWTHeaderParameters).sign(key);
  return { claims, header, kid, now, publicKey: keys.accepted(kid)!, sign };
}

const NOT_VALID = "token not valid here: check that it is whole, and meant for this server";

/** Tokens that must not let anybody in, each with what a stranger is told. */
const FORGERIES: [
  string,
  string,
  (forged: Awaited<ReturnType<typeof forge>>) => Promise<unknown> | unknown,
][] = [
  ['"alg": "none"', NOT_VALID, ({ claims }) => new UnsecuredJWT(claims).encode()],
  [
    '"alg": "none" with a signature',
    NOT_VALID,
    async ({ header, sign }) => {
      const [, payload, signature] = (await sign()).split(".");
      return `${base64url(JSON.stringify({ ...header, alg: "none" }))}.${payload}.${signature}`;
    },
  ],
  [
    "HS256 signed with the public key",
    NOT_VALID,
    async ({ claims, kid, publicKey }) => {
      const secret = new TextEncoder().encode(await exportSPKI(publicKey));
      return await new SignJWT(claims).setProtectedHeader({ alg: "HS256", typ: "JWT", kid }).sign(secret);
    },
  ],
  [
    "HS256 signed with the public key's own bytes",
    NOT_VALID,
    async ({ claims, kid, publicKey }) => {
      const secret = new TextEncoder().encode((await exportJWK(publicKey)).x);
      return await new SignJWT(claims).setProtectedHeader({ alg: "HS256", typ: "JWT", kid }).sign(secret);
    },
  ],
  ["a wrong issuer", NOT_VALID, ({ sign }) => sign({ iss: "parley" })],
  ["a wrong audience", NOT_VALID, ({ sign }) => sign({ aud: "another" })],
  ["no expiry", NOT_VALID, ({ sign }) => sign({ exp: undefined })],
  ["an expiry in the past", "token expired", ({ sign, now }) => sign({ exp: now - 60 })],
  ["a beginning in the future", "token not yet valid", ({ sign, now }) => sign({ nbf: now + 600 })],
  ["a megabyte", "", ({ sign }) => sign({ jti: "x".repeat(1024 * 1024) })],
  ["more than 8 KiB", NOT_VALID, ({ sign }) => sign({ padding: "x".repeat(6 * 1024) })],
  ["lists nested 2,000 deep", NOT_VALID, ({ sign }) => sign({ grants: nested(2000) })],
  ["a token that is a list", "", () => nested(1000)],
  ["the id of nobody's token", NOT_VALID, ({ sign }) => sign({ jti: crypto.randomUUID() })],
];

for (const [what, told, make] of FORGERIES) {
  attack(
    `a token with ${what} lets nobody in, and a MESSAGE behind it goes nowhere`,
    { auth: true },
    async (harness) => {
      const { client, number } = await listener(harness, await harness.token());
      const token = await make(await forge(harness));
      const stranger = await harness.connect();
      const first = hello(stranger, token);
      stranger.number = client.number + 1;
      // The megabyte is refused by its length alone; what is still on its way then may be lost.
      const sending = stranger.send(concat([first, stranger.message(number, "smuggled")])).catch(() => {});
      const code = first.length > 16 * 1024
        ? "too_large"
        : typeof token === "string"
        ? "unauthorized"
        : "bad_hello";
      const { message } = await stranger.ended(code);
      await sending;
      assertStringIncludes(message, told);
      const lines = JSON.stringify(harness.host.log.lines);
      if (typeof token === "string") {
        for (const part of token.split(".")) {
          if (part.length > 30) {
            assert(!(lines + message).includes(part.slice(-30)), "the token is in no log or error");
          }
        }
      }
      assertEquals(await client.barrier(), []);
    },
  );
}

/** A list in a list in a list. */
function nested(depth: number): unknown {
  let list: unknown = [];
  for (let i = 0; i < depth; i++) list = [list];
  return list;
}

function base64url(data: string): string {
  return btoa(data).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

attack("wrong tokens make their address wait, longer each time, and nobody with a right one", {
  auth: true,
}, async (harness) => {
  const token = await harness.token();
  for (let i = 0; i < 4; i++) {
    const stranger = await harness.connect();
    const start = performance.now();
    await stranger.send(hello(stranger, "a.b.c"));
    if (i === 3) {
      const guest = await harness.connect();
      const began = performance.now();
      await greet(guest, { token });
      const took = performance.now() - began;
      assert(took < FIRST_PENALTY_MS * 2 ** i, `the right token waited ${took} ms`);
    }
    await stranger.ended("unauthorized");
    const took = performance.now() - start;
    assert(took >= FIRST_PENALTY_MS * 2 ** i - 2, `wrong token ${i + 1} waited ${took} ms`);
  }
});

attack("a hundred wrong tokens at once wait no less than one after the other, and hold nobody up", {
  auth: true,
}, async (harness) => {
  const token = await harness.token();
  const strangers: RawClient[] = [];
  const start = performance.now();
  for (let i = 0; i < 100; i++) {
    const stranger = await harness.connect();
    await stranger.send(hello(stranger, "a.b.c"));
    strangers.push(stranger);
  }
  await harness.greet({ token });
  for (const stranger of strangers) await stranger.ended("unauthorized");
  assert(performance.now() - start >= 3198, "the last of them waits 3.2 s");
});

attack("the session of a token that is revoked is closed within 5 s", { auth: true }, async (harness) => {
  const { token, issued } = await harness.host.tokens!.issue({
    name: "Mallory",
    publish: [">"],
    subscribe: [">"],
    respond: [">"],
    direct: true,
    expiresInSeconds: 3600,
  });
  const client = await harness.greet({ token });
  const { number } = await client.open("chat");
  const start = performance.now();
  await harness.host.tokens!.revoke(issued.id);
  // It may go on talking until then, which does not help it.
  const talking = setInterval(() => client.send(client.message(number, "still here")).catch(() => {}), 50);
  try {
    const frames = await client.rest();
    const last = frames.at(-1)!;
    assertEquals([last.type, JSON.parse(text(last)).code], [Type.ERROR, "unauthorized"]);
    assertStringIncludes(text(last), "token revoked");
    assert(performance.now() - start < 5000);
  } finally {
    clearInterval(talking);
  }
  const again = await harness.connect();
  await again.send(hello(again, token));
  assertStringIncludes((await again.ended("unauthorized")).message, "token revoked");
});

attack("a session is closed as unauthorized when its token expires", { auth: true }, async (harness) => {
  const client = await harness.greet({ token: await harness.token({ expiresInSeconds: 1 }) });
  assertStringIncludes((await client.ended("unauthorized")).message, "token expired");
});
