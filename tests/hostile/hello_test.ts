/**
 * Attacks with HELLO: what is sent in its place, what is sent right behind it, and tokens.
 *
 * Which tokens are refused, and how long an address waits, is in `tests/auth`. Here is what a refusal means for a
 * connection.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { exportSPKI, SignJWT } from "jose";
import { Keys } from "../../lib/auth/keys.ts";
import { FIRST_PENALTY_MS } from "../../lib/limits.ts";
import { FolderStorage } from "../../lib/state/folder.ts";
import { Type } from "../../lib/wire/header.ts";
import { concat, type RawClient, text } from "../harness/raw_client.ts";
import type { Host } from "./host.ts";
import { attack, everyProgramAttack, type Harness } from "./harness.ts";
import { BOTH, TCP } from "./transport.ts";

/** A HELLO with a token, as a frame. */
function hello(client: RawClient, token?: unknown): Uint8Array {
  return client.frame(Type.HELLO, {}, { protocol: "parley/1", token });
}

/** A subscriber of the channel that the attacks try to publish on. */
async function subscriber(harness: Harness, token?: string): Promise<{ client: RawClient; number: number }> {
  const client = await harness.greet({ token });
  const { number } = await client.open("chat");
  await client.barrier();
  return { client, number };
}

attack("a bad HELLO and a MESSAGE in one segment publish nothing", { transports: BOTH }, async (harness) => {
  const { client, number } = await subscriber(harness);
  const bad: [string, (attacker: RawClient) => Uint8Array][] = [
    ["bad_hello", (attacker) => attacker.frame(Type.HELLO, {}, '{"protocol":7}')],
    ["bad_hello", (attacker) => attacker.frame(Type.HELLO, {}, "not JSON")],
    ["bad_hello", (attacker) => attacker.frame(Type.HELLO, {}, "[".repeat(16 * 1024))],
    [
      "bad_hello",
      (attacker) => attacker.frame(Type.HELLO, {}, { protocol: "parley/1", token: nested(1000) }),
    ],
    ["bad_hello", (attacker) => attacker.frame(Type.PING)],
    ["bad_hello", (attacker) => attacker.message(number, "first of all")],
    ["unsupported_protocol", (attacker) => attacker.frame(Type.HELLO, {}, { protocol: "parley/2" })],
    ["bad_frame", (attacker) => attacker.frame(Type.HELLO, { flags: 0x80 }, { protocol: "parley/1" })],
  ];
  for (const [code, frame] of bad) {
    const attacker = await harness.connect();
    const first = frame(attacker);
    attacker.number = client.number + 1;
    await attacker.send(concat([first, attacker.message(number, "smuggled")]));
    assertEquals((await attacker.ended(code as "bad_hello")).fatal, true);
  }
  assertEquals(await client.barrier(), []);
});

/** A list in a list in a list. */
function nested(depth: number): unknown {
  let list: unknown = [];
  for (let i = 0; i < depth; i++) list = [list];
  return list;
}

attack(
  "a MESSAGE behind a good HELLO, with a guessed number, publishes nothing on a channel that is not open",
  {},
  async (harness) => {
    const { client, number } = await subscriber(harness);
    // With the right number, no channel is open. With a wrong one, the frame has the number of another session.
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

/** A token that claims everything, signed by HS256 with the server's public key. */
async function forge(harness: Harness<Host>): Promise<string> {
  const { issued } = await harness.host.tokens!.issue({
    name: "Ada",
    publish: [">"],
    subscribe: [">"],
    respond: [">"],
    direct: true,
    expiresInSeconds: 3600,
  });
  const keys = new Keys(new FolderStorage(harness.host.state), Date.now);
  const { id: kid } = await keys.signing();
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
  const secret = new TextEncoder().encode(await exportSPKI(keys.accepted(kid)!));
  return await new SignJWT(claims).setProtectedHeader({ alg: "HS256", typ: "JWT", kid }).sign(secret);
}

const FORGED = "what follows a HELLO waits until its token is verified, and is dropped with a forged one";

async function sendBehindToken(harness: Harness<Host>): Promise<void> {
  const { client, number } = await subscriber(harness, await harness.token());
  const open = (attacker: RawClient) =>
    attacker.frame(Type.OPEN, { id: 1 }, { channel: "chat", subscribe: true });
  for (const token of ["a.b.c", await forge(harness)]) {
    const attacker = await harness.connect();
    const first = hello(attacker, token);
    attacker.number = client.number + 1;
    await attacker.send(concat([first, open(attacker), attacker.message(number, "smuggled")]));
    const { message } = await attacker.ended("unauthorized");
    assertStringIncludes(message, "token not valid here: check that it is whole, and meant for this server");
    const logged = JSON.stringify(harness.host.log.lines);
    for (const part of token.split(".").filter((part) => part.length > 30)) {
      assert(!(logged + message).includes(part.slice(-30)), "the token is in the log or in the ERROR");
    }
  }
  // Accepted, but with a token that grants nothing.
  const attacker = await harness.connect();
  const first = hello(
    attacker,
    await harness.token({ publish: [], subscribe: [], respond: [], direct: false }),
  );
  attacker.number = client.number + 1;
  await attacker.send(concat([first, open(attacker), attacker.message(number, "smuggled")]));
  await attacker.expect(Type.WELCOME);
  await attacker.refused("forbidden");
  await attacker.refused("not_open");
  assertEquals(await client.barrier(), []);
}

attack(FORGED, { auth: true, transports: BOTH }, sendBehindToken);
everyProgramAttack(`${FORGED}; the programs`, { auth: true, transports: [TCP] }, sendBehindToken);

attack(
  "wrong tokens make their address wait, also if they come all at once, and a right one does not wait",
  { auth: true, transports: BOTH },
  async (harness) => {
    const token = await harness.token();
    const attackers: RawClient[] = [];
    const start = performance.now();
    for (let i = 0; i < 4; i++) {
      const attacker = await harness.connect();
      await attacker.send(hello(attacker, "a.b.c"));
      attackers.push(attacker);
    }
    await harness.greet({ token });
    const rightMs = performance.now() - start;
    for (const attacker of attackers) await attacker.ended("unauthorized");
    const wrongMs = performance.now() - start;
    assert(wrongMs >= FIRST_PENALTY_MS * 2 ** 3 - 2, `the last wrong token was refused after ${wrongMs} ms`);
    assert(rightMs < wrongMs, `the right token was accepted after ${rightMs} ms`);
  },
);

attack(
  "a wrong token is refused as such, and not with timeout, however short the handshake time is",
  { auth: true, limits: { handshakeMs: 1000 } },
  async (harness) => {
    const attackers: RawClient[] = [];
    for (let i = 0; i < 6; i++) {
      const attacker = await harness.connect();
      await attacker.send(hello(attacker, "a.b.c"));
      attackers.push(attacker);
    }
    for (const attacker of attackers) await attacker.ended("unauthorized");
  },
);

attack(
  "the session of a token that is revoked is closed within 5 s, although it goes on sending",
  { auth: true },
  async (harness) => {
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
    const sending = setInterval(
      () => client.send(client.message(number, "still here")).catch(() => {}),
      50,
    );
    try {
      const frames = await client.rest();
      const last = frames.at(-1)!;
      assertEquals([last.type, JSON.parse(text(last)).code], [Type.ERROR, "unauthorized"]);
      assertStringIncludes(text(last), "token revoked");
      assert(performance.now() - start < 5000);
    } finally {
      clearInterval(sending);
    }
    const again = await harness.connect();
    await again.send(hello(again, token));
    assertStringIncludes((await again.ended("unauthorized")).message, "token revoked");
  },
);

attack(
  "a session is closed as unauthorized when its token expires",
  { auth: true },
  async (harness) => {
    const client = await harness.greet({ token: await harness.token({ expiresInSeconds: 2 }) });
    assertStringIncludes((await client.ended("unauthorized")).message, "token expired");
  },
);
