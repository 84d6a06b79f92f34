import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { decodeJwt, decodeProtectedHeader, SignJWT } from "jose";
import { MAX_TOKEN_BYTES, MAX_TOKEN_SECONDS } from "../../lib/limits.ts";
import { ParleyError } from "../../lib/errors.ts";
import { accepted, ADA, Clock, DAY_SECONDS, makeProcess, rejected, START } from "./fixtures.ts";

Deno.test("a token gives its holder its name, grants and expiry, and nothing else", async () => {
  const { tokens } = makeProcess();
  const request = { ...ADA, publish: ["a.*"], subscribe: ["b.>"], respond: ["c.*"], direct: true };
  const { token, issued } = await tokens.issue(request);
  const { id, name, grants, expiresAtMs } = accepted(await tokens.verify(token));
  assertEquals([id, name, expiresAtMs], [issued.id, "Ada", START + 3600_000]);
  assert(
    grants.mayPublish("a.x") && grants.maySubscribe("b.>") && grants.mayRespond("c.*") && grants.mayDirect,
  );
  assert(!grants.mayPublish("b.x") && !grants.maySubscribe("a.x"));
});

Deno.test("a token has algorithm EdDSA, key id, issuer, audience, subject, id, times and grants", async () => {
  const { tokens, keys } = makeProcess();
  const { token, issued } = await tokens.issue(ADA);
  assertEquals(decodeProtectedHeader(token), { alg: "EdDSA", typ: "JWT", kid: (await keys.signing()).id });
  assertEquals(decodeJwt(token), {
    iss: "parley-server",
    aud: "parley",
    sub: "Ada",
    jti: issued.id,
    iat: START / 1000,
    nbf: START / 1000,
    exp: START / 1000 + 3600,
    grants: { publish: ["chat.>"], subscribe: ["chat.>"], respond: ["service.>"], direct: false },
  });
});

Deno.test("the grants to monitor and to administer are in token and list only if they are given", async () => {
  const { tokens, registry } = makeProcess();
  for (const given of [{}, { monitor: true }, { admin: true }, { monitor: true, admin: true }]) {
    const off = { monitor: false, admin: false };
    const { token, issued } = await tokens.issue({ ...ADA, ...off, ...given });
    const { publish, subscribe, respond, direct } = ADA;
    assertEquals(decodeJwt(token).grants, { publish, subscribe, respond, direct, ...given });
    const { grants } = accepted(await tokens.verify(token));
    assertEquals(grants.mayMonitor, given.monitor === true || given.admin === true);
    assertEquals(grants.mayAdmin, given.admin === true);
    const { monitor, admin } = registry.find(issued.id)!;
    assertEquals([monitor, admin], [given.monitor, given.admin]);
  }
});

Deno.test("a token issued before the grant to respond existed does not grant it", async () => {
  const { tokens, keys, registry, storage } = makeProcess();
  const { issued } = await tokens.issue(ADA);
  // Token and file as earlier versions wrote them.
  const { id: kid, key } = await keys.signing();
  const { publish, subscribe, direct } = issued;
  const token = await new SignJWT({ grants: { publish, subscribe, direct } })
    .setProtectedHeader({ alg: "EdDSA", typ: "JWT", kid })
    .setIssuer("parley-server").setAudience("parley").setSubject("Ada").setJti(issued.id)
    .setIssuedAt(START / 1000).setNotBefore(START / 1000).setExpirationTime(START / 1000 + 3600)
    .sign(key);
  const file = JSON.parse((await storage.read("tokens.json"))!);
  delete file.tokens[0].respond;
  await storage.write("tokens.json", JSON.stringify(file));

  await tokens.refresh();
  const { grants } = accepted(await tokens.verify(token));
  assert(grants.mayPublish("chat.lobby") && grants.maySubscribe("chat.lobby"));
  assert(!grants.mayRespond("chat.lobby") && !grants.mayRespond("service.x"));
  assert(!grants.mayMonitor && !grants.mayAdmin);
  assertEquals((await registry.list()).map(({ respond }) => respond), [[]]);
});

Deno.test("a token issued by another process is accepted at once", async () => {
  const server = makeProcess();
  await server.tokens.refresh();
  const command = makeProcess(server.storage, server.clock);
  const { token } = await command.tokens.issue(ADA);
  accepted(await server.tokens.verify(token));
  await command.tokens.rotate(DAY_SECONDS);
  const { token: next } = await command.tokens.issue({ ...ADA, name: "Grace" });
  assertEquals(accepted(await server.tokens.verify(next)).name, "Grace");
  accepted(await server.tokens.verify(token));
});

Deno.test("an absent or empty token is rejected as missing", async () => {
  const { tokens } = makeProcess();
  for (const token of [undefined, ""]) {
    const rejection = rejected(await tokens.verify(token));
    assertEquals(rejection.reason, "missing");
    assertEquals(rejection.message, "token missing: this server requires one");
  }
});

Deno.test("a token is valid until the millisecond it expires", async () => {
  const { tokens, clock } = makeProcess();
  const { token } = await tokens.issue(ADA);
  clock.ms = START + 3600_000 - 1;
  const identity = accepted(await tokens.verify(token));
  assertEquals(tokens.check(identity), undefined);
  clock.ms++;
  const message = "token expired: it ended at 2030-01-01T01:00:00Z; ask for a new one";
  assertEquals(rejected(await tokens.verify(token)).message, message);
  assertEquals(tokens.check(identity)?.message, message);
  clock.advance(DAY_SECONDS);
  assertEquals(rejected(await tokens.verify(token)).reason, "expired");
});

Deno.test("a token from a clock up to 5 s ahead is accepted", async () => {
  const { tokens, clock } = makeProcess();
  const { token } = await tokens.issue(ADA);
  clock.advance(-5);
  accepted(await tokens.verify(token));
  clock.advance(-1);
  assertEquals(
    rejected(await tokens.verify(token)).message,
    "token not yet valid: it begins at 2030-01-01T00:00:00Z, and this server's clock says 2029-12-31T23:59:54Z; " +
      "wait, or set the clock that is wrong",
  );
});

Deno.test("a revoked token is rejected, and its session may not stay", async () => {
  const { tokens } = makeProcess();
  const { token, issued } = await tokens.issue(ADA);
  const identity = accepted(await tokens.verify(token));
  await tokens.revoke(issued.id);
  assertEquals(rejected(await tokens.verify(token)).message, "token revoked: ask for a new one");
  assertEquals(tokens.check(identity)?.reason, "revoked");
});

Deno.test("a token revoked by another process is rejected after one refresh", async () => {
  const server = makeProcess();
  const { token, issued } = await server.tokens.issue(ADA);
  const { token: other } = await server.tokens.issue({ ...ADA, name: "Grace" });
  const identity = accepted(await server.tokens.verify(token));
  const grace = accepted(await server.tokens.verify(other));
  await makeProcess(server.storage, server.clock).tokens.revoke(issued.id.slice(0, 8));
  assertEquals(await server.tokens.refresh(), true);
  assertEquals(server.tokens.check(identity)?.reason, "revoked");
  assertEquals(server.tokens.check(grace), undefined);
  assertEquals(await server.tokens.refresh(), false);
});

Deno.test("a token that is not in the list is not valid, even with a valid signature", async () => {
  const { tokens, storage } = makeProcess();
  const { token } = await tokens.issue(ADA);
  const identity = accepted(await tokens.verify(token));
  await storage.write("tokens.json", JSON.stringify({ version: 1, tokens: [] }));
  await tokens.refresh();
  assertEquals(rejected(await tokens.verify(token)).reason, "not valid here");
  assertEquals(tokens.check(identity)?.reason, "not valid here");
});

Deno.test("after a rotation tokens of the old key are valid for the overlap only", async () => {
  const { tokens, clock } = makeProcess();
  const { token } = await tokens.issue({ ...ADA, expiresInSeconds: 60 * DAY_SECONDS });
  const identity = accepted(await tokens.verify(token));
  assertEquals(await tokens.rotate(30 * DAY_SECONDS), START + 30 * DAY_SECONDS * 1000);
  const { token: next } = await tokens.issue({ ...ADA, expiresInSeconds: 60 * DAY_SECONDS });
  clock.advance(30 * DAY_SECONDS - 1);
  accepted(await tokens.verify(token));
  clock.advance(1);
  assertEquals(rejected(await tokens.verify(token)).reason, "not valid here");
  assertEquals(tokens.check(identity)?.reason, "not valid here");
  accepted(await tokens.verify(next));
});

Deno.test("an old key is accepted no longer than the last unrevoked token", async () => {
  const { tokens } = makeProcess();
  await tokens.issue({ ...ADA, expiresInSeconds: DAY_SECONDS });
  await tokens.revoke((await tokens.issue({ ...ADA, expiresInSeconds: 90 * DAY_SECONDS })).issued.id);
  assertEquals(await tokens.rotate(30 * DAY_SECONDS), START + DAY_SECONDS * 1000);
});

Deno.test("a rotation without overlap invalidates every token, in other processes too", async () => {
  const server = makeProcess();
  const { token } = await server.tokens.issue(ADA);
  const identity = accepted(await server.tokens.verify(token));
  const command = makeProcess(server.storage, server.clock);
  await command.tokens.rotate(DAY_SECONDS);
  await command.tokens.rotate(0);
  await server.tokens.refresh();
  assertEquals(server.tokens.check(identity)?.reason, "not valid here");
  assertEquals(rejected(await server.tokens.verify(token)).reason, "not valid here");
});

Deno.test("a use becomes known to other processes, and a rejection is not a use", async () => {
  const server = makeProcess();
  const { token, issued } = await server.tokens.issue(ADA);
  server.clock.advance(60);
  accepted(await server.tokens.verify(token));
  await server.tokens.writeUses();
  const list = () => makeProcess(server.storage, server.clock).registry.list();
  assertEquals((await list())[0].lastUsedAtMs, START + 60_000);
  await server.tokens.revoke(issued.id);
  server.clock.advance(60);
  rejected(await server.tokens.verify(token));
  await server.tokens.close();
  assertEquals((await list())[0].lastUsedAtMs, START + 60_000);
});

Deno.test("a wrong request is explained, and nothing is issued", async () => {
  const { tokens, registry } = makeProcess();
  const wrong: [object, string][] = [
    [{ name: "" }, "a name has 1 to 64 characters"],
    [{ name: "x".repeat(65) }, "a name has 1 to 64 characters"],
    [{ name: "A\nB" }, "no control characters"],
    [{ name: "\ud800" }, "a name has 1 to 64 characters"],
    [{ expiresInSeconds: 0 }, "a token expires in 1 second to 366 days, not in 0 seconds"],
    [{ expiresInSeconds: 1.5 }, "not in 1.5 seconds"],
    [{ expiresInSeconds: NaN }, "not in NaN seconds"],
    [{ expiresInSeconds: MAX_TOKEN_SECONDS + 1 }, "a token expires in"],
    [{ publish: ["a..b"] }, "is empty"],
    [{ subscribe: ["$echo"] }, "cannot be granted"],
    [{ publish: Array.from({ length: 64 }, (_, at) => `${at}.`.padEnd(128, "x")) }, "the token would have"],
  ];
  for (const [part, message] of wrong) {
    const error = await assertRejects(() => tokens.issue({ ...ADA, ...part }), ParleyError, message);
    assertEquals(error.code, "bad_argument");
  }
  assertEquals(await registry.list(), []);
  for (const seconds of [-1, 0.5, NaN, MAX_TOKEN_SECONDS + 1]) {
    await assertRejects(() => tokens.rotate(seconds), ParleyError, "an overlap must be from 0");
  }
});

Deno.test("a name of 64 characters outside the Basic Multilingual Plane is valid", async () => {
  const { tokens } = makeProcess();
  const { token } = await tokens.issue({ ...ADA, name: "😀".repeat(64) });
  assertEquals(accepted(await tokens.verify(token)).name, "😀".repeat(64));
});

Deno.test("the largest token that can be issued is accepted", async () => {
  const { tokens } = makeProcess();
  const publish = Array.from({ length: 44 }, (_, at) => `${at}.`.padEnd(128, "x"));
  const { token } = await tokens.issue({ ...ADA, publish });
  assert(token.length > MAX_TOKEN_BYTES - 300 && token.length <= MAX_TOKEN_BYTES, `${token.length}`);
  accepted(await tokens.verify(token));
});

Deno.test("with malformed files verifying fails, and no token is accepted or rejected", async () => {
  const { tokens, storage, clock } = makeProcess();
  const { token } = await tokens.issue(ADA);
  const fresh = makeProcess(storage, clock);
  const before = (await storage.read("tokens.json"))!;
  await storage.write("tokens.json", '{"version":2}');
  const error = await assertRejects(() => fresh.tokens.verify(token), ParleyError, "tokens.json (in memory)");
  assertStringIncludes(error.message, "(version)");
  await assertRejects(() => tokens.refresh(), ParleyError);
  accepted(await tokens.verify(token)); // known from before
  await storage.write("tokens.json", before);
  accepted(await fresh.tokens.verify(token));
});

Deno.test("a revocation takes effect even while the key file cannot be read", async () => {
  const server = makeProcess();
  const { token, issued } = await server.tokens.issue(ADA);
  const identity = accepted(await server.tokens.verify(token));
  await server.storage.write("signing-keys.json", "?");
  await makeProcess(server.storage, server.clock).tokens.revoke(issued.id);
  await assertRejects(() => server.tokens.refresh(), ParleyError, "signing-keys.json");
  assertEquals(server.tokens.check(identity)?.reason, "revoked");
});

Deno.test("every decision reads the clock anew", async () => {
  const clock = new Clock();
  const { tokens } = makeProcess(undefined, clock);
  const { token } = await tokens.issue({ ...ADA, expiresInSeconds: 1 });
  clock.advance(0.999);
  accepted(await tokens.verify(token));
  clock.advance(0.001);
  rejected(await tokens.verify(token));
});
