import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { decodeJwt, decodeProtectedHeader, SignJWT } from "jose";
import { MAX_TOKEN_BYTES, MAX_TOKEN_SECONDS } from "../../lib/limits.ts";
import { ParleyError } from "../../lib/errors.ts";
import { ADA, admitted, Clock, DAY_SECONDS, process, refused, START } from "./fixtures.ts";

Deno.test("a token lets its holder in with its name, its grants and its expiry, and nothing else", async () => {
  const { tokens } = process();
  const request = { ...ADA, publish: ["a.*"], subscribe: ["b.>"], respond: ["c.*"], direct: true };
  const { token, issued } = await tokens.issue(request);
  const { id, name, grants, expiresAtMs } = admitted(await tokens.verify(token));
  assertEquals([id, name, expiresAtMs], [issued.id, "Ada", START + 3600_000]);
  assert(
    grants.mayPublish("a.x") && grants.maySubscribe("b.>") && grants.mayRespond("c.*") && grants.mayDirect,
  );
  assert(!grants.mayPublish("b.x") && !grants.maySubscribe("a.x"));
});

Deno.test("a token says EdDSA, its key, issuer, audience, subject, id, times and grants", async () => {
  const { tokens, keys } = process();
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

Deno.test("a token issued before there was a grant for responding grants none", async () => {
  const { tokens, keys, registry, storage } = process();
  const { issued } = await tokens.issue(ADA);
  // Token and file as they were: without a word about responding.
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
  const { grants } = admitted(await tokens.verify(token));
  assert(grants.mayPublish("chat.lobby") && grants.maySubscribe("chat.lobby"));
  assert(!grants.mayRespond("chat.lobby") && !grants.mayRespond("service.x"));
  assertEquals((await registry.list()).map(({ respond }) => respond), [[]]);
});

Deno.test("a token issued by another process is taken at once", async () => {
  const server = process();
  await server.tokens.refresh();
  const command = process(server.storage, server.clock);
  const { token } = await command.tokens.issue(ADA);
  admitted(await server.tokens.verify(token));
  await command.tokens.rotate(DAY_SECONDS);
  const { token: next } = await command.tokens.issue({ ...ADA, name: "Grace" });
  assertEquals(admitted(await server.tokens.verify(next)).name, "Grace");
  admitted(await server.tokens.verify(token));
});

Deno.test("no token is refused as missing", async () => {
  const { tokens } = process();
  for (const token of [undefined, ""]) {
    const rejection = refused(await tokens.verify(token));
    assertEquals(rejection.reason, "missing");
    assertEquals(rejection.told, "token missing: this server lets nobody in without one");
  }
});

Deno.test("a token is good until the moment it expires, and told to be expired from then on", async () => {
  const { tokens, clock } = process();
  const { token } = await tokens.issue(ADA);
  clock.ms = START + 3600_000 - 1;
  const identity = admitted(await tokens.verify(token));
  assertEquals(tokens.check(identity), undefined);
  clock.ms++;
  const told = "token expired: it ended at 2030-01-01T01:00:00Z; ask for a new one";
  assertEquals(refused(await tokens.verify(token)).told, told);
  assertEquals(tokens.check(identity)?.told, told);
  clock.advance(DAY_SECONDS);
  assertEquals(refused(await tokens.verify(token)).reason, "expired");
});

Deno.test("a token from a clock ahead is taken within 5 s, and told to be not yet valid beyond", async () => {
  const { tokens, clock } = process();
  const { token } = await tokens.issue(ADA);
  clock.advance(-5);
  admitted(await tokens.verify(token));
  clock.advance(-1);
  assertEquals(
    refused(await tokens.verify(token)).told,
    "token not yet valid: it begins at 2030-01-01T00:00:00Z, and this server's clock says 2029-12-31T23:59:54Z; " +
      "wait, or set the clock that is wrong",
  );
});

Deno.test("a revoked token is refused, and its session learns of it", async () => {
  const { tokens } = process();
  const { token, issued } = await tokens.issue(ADA);
  const identity = admitted(await tokens.verify(token));
  await tokens.revoke(issued.id);
  assertEquals(refused(await tokens.verify(token)).told, "token revoked: ask for a new one");
  assertEquals(tokens.check(identity)?.reason, "revoked");
});

Deno.test("a token revoked by another process is refused after one refresh", async () => {
  const server = process();
  const { token, issued } = await server.tokens.issue(ADA);
  const { token: other } = await server.tokens.issue({ ...ADA, name: "Grace" });
  const identity = admitted(await server.tokens.verify(token));
  const grace = admitted(await server.tokens.verify(other));
  await process(server.storage, server.clock).tokens.revoke(issued.id.slice(0, 8));
  assertEquals(await server.tokens.refresh(), true);
  assertEquals(server.tokens.check(identity)?.reason, "revoked");
  assertEquals(server.tokens.check(grace), undefined);
  assertEquals(await server.tokens.refresh(), false);
});

Deno.test("a token that is not among the issued ones is not valid, however good its signature", async () => {
  const { tokens, storage } = process();
  const { token } = await tokens.issue(ADA);
  const identity = admitted(await tokens.verify(token));
  await storage.write("tokens.json", JSON.stringify({ version: 1, tokens: [] }));
  await tokens.refresh();
  assertEquals(refused(await tokens.verify(token)).reason, "not valid here");
  assertEquals(tokens.check(identity)?.reason, "not valid here");
});

Deno.test("after a rotation tokens of the old key are good for the overlap, and then for nothing", async () => {
  const { tokens, clock } = process();
  const { token } = await tokens.issue({ ...ADA, expiresInSeconds: 60 * DAY_SECONDS });
  const identity = admitted(await tokens.verify(token));
  assertEquals(await tokens.rotate(30 * DAY_SECONDS), START + 30 * DAY_SECONDS * 1000);
  const { token: next } = await tokens.issue({ ...ADA, expiresInSeconds: 60 * DAY_SECONDS });
  clock.advance(30 * DAY_SECONDS - 1);
  admitted(await tokens.verify(token));
  clock.advance(1);
  assertEquals(refused(await tokens.verify(token)).reason, "not valid here");
  assertEquals(tokens.check(identity)?.reason, "not valid here");
  admitted(await tokens.verify(next));
});

Deno.test("an old key is accepted no longer than the last token that is not revoked", async () => {
  const { tokens } = process();
  await tokens.issue({ ...ADA, expiresInSeconds: DAY_SECONDS });
  await tokens.revoke((await tokens.issue({ ...ADA, expiresInSeconds: 90 * DAY_SECONDS })).issued.id);
  assertEquals(await tokens.rotate(30 * DAY_SECONDS), START + DAY_SECONDS * 1000);
});

Deno.test("a rotation without overlap ends every token there is, in other processes too", async () => {
  const server = process();
  const { token } = await server.tokens.issue(ADA);
  const identity = admitted(await server.tokens.verify(token));
  const command = process(server.storage, server.clock);
  await command.tokens.rotate(DAY_SECONDS);
  await command.tokens.rotate(0);
  await server.tokens.refresh();
  assertEquals(server.tokens.check(identity)?.reason, "not valid here");
  assertEquals(refused(await server.tokens.verify(token)).reason, "not valid here");
});

Deno.test("a use is told to other processes, and a refused one is no use", async () => {
  const server = process();
  const { token, issued } = await server.tokens.issue(ADA);
  server.clock.advance(60);
  admitted(await server.tokens.verify(token));
  await server.tokens.refresh();
  const list = () => process(server.storage, server.clock).registry.list();
  assertEquals((await list())[0].lastUsedAtMs, START + 60_000);
  await server.tokens.revoke(issued.id);
  server.clock.advance(60);
  refused(await server.tokens.verify(token));
  await server.tokens.close();
  assertEquals((await list())[0].lastUsedAtMs, START + 60_000);
});

Deno.test("what cannot be issued is said, and nothing is", async () => {
  const { tokens, registry } = process();
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

Deno.test("a name of 64 characters beyond the first plane of Unicode is a name", async () => {
  const { tokens } = process();
  const { token } = await tokens.issue({ ...ADA, name: "😀".repeat(64) });
  assertEquals(admitted(await tokens.verify(token)).name, "😀".repeat(64));
});

Deno.test("the largest token that is issued is also taken", async () => {
  const { tokens } = process();
  const publish = Array.from({ length: 44 }, (_, at) => `${at}.`.padEnd(128, "x"));
  const { token } = await tokens.issue({ ...ADA, publish });
  assert(token.length > MAX_TOKEN_BYTES - 300 && token.length <= MAX_TOKEN_BYTES, `${token.length}`);
  admitted(await tokens.verify(token));
});

Deno.test("files that cannot be understood let nobody in, and are not the token's fault", async () => {
  const { tokens, storage, clock } = process();
  const { token } = await tokens.issue(ADA);
  const fresh = process(storage, clock);
  const before = (await storage.read("tokens.json"))!;
  await storage.write("tokens.json", '{"version":2}');
  const error = await assertRejects(() => fresh.tokens.verify(token), ParleyError, "tokens.json (in memory)");
  assertStringIncludes(error.message, "(version)");
  await assertRejects(() => tokens.refresh(), ParleyError);
  admitted(await tokens.verify(token)); // known from before
  await storage.write("tokens.json", before);
  admitted(await fresh.tokens.verify(token));
});

Deno.test("a revocation is noticed also while the file of keys cannot be read", async () => {
  const server = process();
  const { token, issued } = await server.tokens.issue(ADA);
  const identity = admitted(await server.tokens.verify(token));
  await server.storage.write("signing-keys.json", "?");
  await process(server.storage, server.clock).tokens.revoke(issued.id);
  await assertRejects(() => server.tokens.refresh(), ParleyError, "signing-keys.json");
  assertEquals(server.tokens.check(identity)?.reason, "revoked");
});

Deno.test("a clock is asked for every decision, not once", async () => {
  const clock = new Clock();
  const { tokens } = process(undefined, clock);
  const { token } = await tokens.issue({ ...ADA, expiresInSeconds: 1 });
  clock.advance(0.999);
  admitted(await tokens.verify(token));
  clock.advance(0.001);
  refused(await tokens.verify(token));
});
