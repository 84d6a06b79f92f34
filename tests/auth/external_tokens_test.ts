/**
 * Tokens of another issuer: which are accepted, and attacks with those that are not. Where its keys come from is tested in
 * `key_source_test.ts`, and what becomes of sessions in `tests/server/external_tokens_test.ts`.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { exportSPKI, SignJWT, UnsecuredJWT } from "jose";
import { MAX_KEYS_TRIED } from "../../lib/limits.ts";
import type { Decision } from "../../lib/auth/tokens.ts";
import { AUDIENCE, GRANTS, ISSUER, jwksOf, makeExternal, makeIssuerKey } from "./external_fixtures.ts";
import { accepted, ADA, DAY_SECONDS, makeProcess, rejected, START } from "./fixtures.ts";

const ALGORITHMS = ["EdDSA", "ES256", "RS256"];
const NOT_VALID = "token not valid here: check that it is whole, and meant for this server";

/** Asserts that the client learns no reason, that the log gets `detail`, and that neither has a part of the token. */
function assertNotValid(decision: Decision, detail: RegExp, token = ""): void {
  const rejection = rejected(decision);
  assertEquals(rejection.message, NOT_VALID);
  assertMatch(rejection.detail, detail);
  for (const part of token.split(".").filter((part) => part.length >= 4)) {
    assert(!rejection.detail.includes(part.slice(0, 24)), rejection.detail);
  }
}

for (const alg of ALGORITHMS) {
  Deno.test(`${alg}: a token is accepted by JWK set and by PEM, with and without a key id`, async () => {
    const key = await makeIssuerKey(alg);
    const { tokens, source, sign } = await makeExternal(key);
    const identity = accepted(await tokens.verify(await sign()));
    assertEquals([identity.name, identity.id, identity.issuer], ["Ada", "login-77", ISSUER]);
    assertEquals(identity.expiresAtMs, START + 600_000);
    assert(identity.grants.mayPublish("chat.lobby") && !identity.grants.mayPublish("jobs.x"));
    assert(!identity.grants.mayRespond("chat.lobby") && !identity.grants.mayDirect);
    accepted(await tokens.verify(await sign({}, { kid: undefined })));
    await source.set(await exportSPKI(key.publicKey));
    accepted(await tokens.verify(await sign({}, { kid: undefined })));
    accepted(await tokens.verify(await sign()));
    await source.set(JSON.stringify(key.jwk));
    accepted(await tokens.verify(await sign()));
  });

  Deno.test(`${alg}: a token signed with another key, or altered, is rejected`, async () => {
    const [key, other] = await Promise.all([makeIssuerKey(alg), makeIssuerKey(alg)]);
    const { tokens, sign } = await makeExternal(key);
    for (const kid of [key.jwk.kid, undefined]) {
      const forged = await sign({}, { kid }, other);
      assertNotValid(await tokens.verify(forged), /its signature is wrong/, forged);
    }
    const [header, , signature] = (await sign()).split(".");
    const [, payload] = (await sign({ sub: "root" })).split(".");
    assertNotValid(await tokens.verify(`${header}.${payload}.${signature}`), /its signature is wrong/);
  });

  Deno.test(`${alg}: the key determines the algorithm, whatever the header says`, async () => {
    const keys = await Promise.all(ALGORITHMS.map((alg) => makeIssuerKey(alg)));
    const key = keys.find((key) => key.alg === alg)!;
    for (const other of keys.filter((key) => key.alg !== alg)) {
      const { tokens, sign } = await makeExternal(key);
      const token = await sign({}, { kid: key.jwk.kid }, other);
      assertNotValid(await tokens.verify(token), /signing key is not accepted/);
    }
  });
}

Deno.test("Ed25519 is another name of EdDSA", async () => {
  const key = await makeIssuerKey("Ed25519");
  const { tokens, sign } = await makeExternal(key);
  accepted(await tokens.verify(await sign()));
  accepted(await tokens.verify(await sign({}, {}, { ...key, alg: "EdDSA" })));
});

Deno.test('a token with "alg": "none" is rejected', async () => {
  const { tokens, sign } = await makeExternal(await makeIssuerKey("RS256"));
  const claims = { iss: ISSUER, aud: AUDIENCE, sub: "Ada", exp: START / 1000 + 60, parley: GRANTS };
  const none = new UnsecuredJWT(claims).encode();
  const [, payload, signature] = (await sign()).split(".");
  for (const alg of ["none", "None", "NONE", "", undefined, null, 7]) {
    const header = base64url(JSON.stringify({ alg, typ: "JWT" }));
    for (const token of [none, `${header}.${payload}.`, `${header}.${payload}.${signature}`]) {
      assertNotValid(await tokens.verify(token), /not signed with EdDSA, ES256 or RS256|not a JWT/, token);
    }
  }
});

Deno.test("a token signed by HMAC with a public key as its secret is rejected", async () => {
  for (const key of await Promise.all(ALGORITHMS.map((alg) => makeIssuerKey(alg)))) {
    const { tokens } = await makeExternal(key);
    const pem = await exportSPKI(key.publicKey);
    for (const secret of [pem, pem.trim(), JSON.stringify(key.jwk), key.jwk.n ?? key.jwk.x!]) {
      for (const alg of ["HS256", "HS384", "HS512"]) {
        const claims = { iss: ISSUER, aud: AUDIENCE, sub: "Ada", exp: START / 1000 + 60, parley: GRANTS };
        const token = await new SignJWT(claims)
          .setProtectedHeader({ alg, kid: key.jwk.kid }).sign(new TextEncoder().encode(secret.padEnd(64)));
        assertNotValid(await tokens.verify(token), /not signed with EdDSA, ES256 or RS256/, token);
      }
    }
  }
});

Deno.test("an RSA or EC key is for RS256 or ES256 alone", async () => {
  const { tokens, sign } = await makeExternal(await makeIssuerKey("RS256", "a"));
  for (const alg of ["RS384", "RS512", "PS256", "ES384", "ES512"]) {
    const token = await sign({}, { kid: "a" }, await makeIssuerKey(alg));
    assertNotValid(await tokens.verify(token), /not signed with EdDSA, ES256 or RS256/);
  }
});

Deno.test("keys and addresses of keys in a token's header are ignored", async () => {
  const [key, own] = await Promise.all([makeIssuerKey("ES256", "a"), makeIssuerKey("ES256", "a")]);
  const { tokens, source, sign } = await makeExternal(key);
  const urls = { jku: "http://127.0.0.1:1/keys", x5u: "http://127.0.0.1:1/x" };
  for (const header of [{ jwk: own.jwk }, urls, { x5c: ["MIIB"] }]) {
    const token = await sign({}, header, own);
    assertNotValid(await tokens.verify(token), /its signature is wrong/, token);
    accepted(await tokens.verify(await sign({}, header)));
  }
  assertEquals(source.refetches, 0);
});

Deno.test("a header that must be understood and is not, and one that leaves the payload unencoded, are rejected", async () => {
  const { tokens, sign } = await makeExternal(await makeIssuerKey("ES256"));
  const [header, payload, signature] = (await sign()).split(".");
  const changed = (changes: object) =>
    `${base64url(JSON.stringify({ ...JSON.parse(atob(header)), ...changes }))}.${payload}.${signature}`;
  for (const token of [changed({ crit: ["exp"], exp: 1 }), changed({ b64: false, crit: ["b64"] })]) {
    assertNotValid(await tokens.verify(token), /not a JWT, or not one of this kind|signature is wrong/);
  }
  for (const header of ["e30", "bnVsbA", "W10", "AAAA", "_w"]) {
    assertNotValid(await tokens.verify(`${header}.${payload}.${signature}`), /not a JWT|not signed with/);
  }
});

Deno.test("a wrong or missing issuer or audience is rejected", async () => {
  const { tokens, sign } = await makeExternal(await makeIssuerKey("EdDSA"));
  for (const aud of [undefined, "another", "", [], ["another"], null, 1, `${AUDIENCE}.evil`]) {
    assertNotValid(await tokens.verify(await sign({ aud })), /its aud is (missing|invalid)/);
  }
  for (const iss of [undefined, `${ISSUER}/`, "parley-server", [ISSUER], null]) {
    const token = await sign({ iss });
    assertEquals(tokens.concerns(token), false, `${iss}`);
    assertNotValid(await tokens.verify(token), /its iss is (missing|invalid)/);
  }
  accepted(await tokens.verify(await sign({ aud: ["another", AUDIENCE] })));
});

Deno.test("an expiry is required, at most a day ahead, and exact", async () => {
  const { tokens, sign, clock } = await makeExternal(await makeIssuerKey("EdDSA"));
  const now = START / 1000;
  assertNotValid(await tokens.verify(await sign({ exp: undefined })), /its exp is missing/);
  for (const exp of ["soon", -1, 1e300]) {
    rejected(await tokens.verify(await sign({ exp })));
  }
  assertNotValid(
    await tokens.verify(await sign({ exp: now + DAY_SECONDS + 60 })),
    /expires in 86460 s, and at most 86400 s are allowed/,
  );
  accepted(await tokens.verify(await sign({ exp: now + DAY_SECONDS })));
  const identity = accepted(await tokens.verify(await sign({ exp: now + 10 })));
  const token = await sign({ exp: now + 10 });
  clock.advance(9);
  assertEquals(tokens.check(identity), undefined);
  clock.advance(1);
  assertEquals(tokens.check(identity)?.reason, "expired");
  assertMatch(
    rejected(await tokens.verify(token)).message,
    /token expired: it ended at 2030-01-01T00:00:10Z/,
  );
});

Deno.test("nbf is optional, and may be a few seconds ahead", async () => {
  const { tokens, sign } = await makeExternal(await makeIssuerKey("EdDSA"));
  const now = START / 1000;
  accepted(await tokens.verify(await sign({ nbf: now + 5 })));
  assertMatch(rejected(await tokens.verify(await sign({ nbf: now + 6 }))).message, /token not yet valid/);
  assertNotValid(await tokens.verify(await sign({ nbf: "now" })), /its nbf is invalid/);
});

Deno.test("subject, grants and id are checked; what is left out is not granted, and unknown claims are ignored", async () => {
  const { tokens, sign } = await makeExternal(await makeIssuerKey("EdDSA"));
  const wrong: [object, RegExp][] = [
    [{ sub: undefined }, /its sub is missing/],
    [{ sub: "" }, /its sub is invalid/],
    [{ sub: "a".repeat(65) }, /its sub is invalid/],
    [{ sub: "a\nb" }, /its sub is invalid/],
    [{ sub: 7 }, /its sub is invalid/],
    [{ parley: undefined }, /its parley is missing/],
    [{ parley: null }, /its parley is invalid/],
    [{ parley: { publish: ">" } }, /its parley\.publish is invalid/],
    [{ parley: { publish: ["a..b"] } }, /its parley\.publish is invalid/],
    [{ parley: { subscribe: ["$stats"] } }, /its parley\.subscribe is invalid/],
    [{ parley: { respond: Array(65).fill("a") } }, /its parley\.respond is invalid/],
    [{ parley: { direct: "yes" } }, /its parley\.direct is invalid/],
    [{ parley: { admin: 1 } }, /its parley\.admin is invalid/],
    [{ jti: "" }, /its jti is invalid/],
    [{ jti: 7 }, /its jti is invalid/],
    [{ jti: "a\nb" }, /its jti is invalid/],
  ];
  for (const [claims, detail] of wrong) {
    assertNotValid(await tokens.verify(await sign(claims)), detail);
  }
  const none = accepted(await tokens.verify(await sign({ parley: { unknown: 1 }, roles: ["admin"] }))).grants;
  assert(!none.mayPublish("a") && !none.maySubscribe("a") && !none.mayRespond("a"));
  assert(!none.mayDirect && !none.mayMonitor && !none.mayAdmin && none.mayPublish("$echo"));
  const all = { publish: [">"], subscribe: [">"], respond: [">"], direct: true, admin: true };
  const { grants } = accepted(await tokens.verify(await sign({ parley: all })));
  assert(grants.mayRespond("a") && grants.mayDirect && grants.mayMonitor && grants.mayAdmin);
});

Deno.test("tokens are revoked by their id, and one without an id cannot be", async () => {
  const { tokens, sign, revocations } = await makeExternal(await makeIssuerKey("EdDSA"));
  const identity = accepted(await tokens.verify(await sign()));
  const other = accepted(await tokens.verify(await sign({ jti: "login-7" })));
  const nameless = accepted(await tokens.verify(await sign({ jti: undefined })));
  await revocations.add("login-77");
  assertEquals(tokens.check(identity)?.reason, "revoked");
  assertEquals(rejected(await tokens.verify(await sign())).reason, "revoked");
  assertEquals([tokens.check(other), tokens.check(nameless)], [undefined, undefined]);
});

Deno.test("a key that is withdrawn ends what it signed, and a new one is accepted beside the old", async () => {
  const [before, after] = await Promise.all([makeIssuerKey("ES256", "1"), makeIssuerKey("ES256", "2")]);
  const { tokens, sign, source } = await makeExternal(before);
  const old = accepted(await tokens.verify(await sign()));
  assertNotValid(await tokens.verify(await sign({}, {}, after)), /signing key is not accepted/);
  assertEquals(source.refetches, 1);
  await source.set(jwksOf(before, after));
  const young = accepted(await tokens.verify(await sign({}, {}, after)));
  assertEquals([tokens.check(old), tokens.check(young)], [undefined, undefined]);
  await source.set(jwksOf(after));
  assertEquals([tokens.check(old)?.reason, tokens.check(young)], ["not valid here", undefined]);
  assertNotValid(await tokens.verify(await sign()), /signing key is not accepted/);
});

Deno.test("without a key id few keys are tried", async () => {
  const keys = await Promise.all(
    Array.from({ length: MAX_KEYS_TRIED + 1 }, (_, at) => makeIssuerKey("EdDSA", `${at}`)),
  );
  const { tokens, sign, source } = await makeExternal(...keys);
  const last = keys[MAX_KEYS_TRIED - 1];
  assertNotValid(
    await tokens.verify(await sign({}, { kid: undefined })),
    /names no key id that is known, and 5/,
  );
  accepted(await tokens.verify(await sign({}, {}, last)));
  await source.set(jwksOf(...keys.slice(0, -1)));
  accepted(await tokens.verify(await sign({}, { kid: undefined }, last)));
  assertEquals(source.refetches, 0);
});

Deno.test("neither issuer's token passes for one of the other", async () => {
  const key = await makeIssuerKey("EdDSA");
  const { tokens: external, sign, nowSeconds } = await makeExternal(key);
  const own = makeProcess();
  const both = external.beside(own.tokens);
  const { token } = await own.tokens.issue(ADA);
  const ada = accepted(await both.verify(token));
  const alsoAda = accepted(await both.verify(await sign()));
  assertEquals([ada.name, alsoAda.name], ["Ada", "Ada"]);
  assertEquals([ada.subject, alsoAda.subject], ["Ada", "https://app.example#Ada"]);
  assertEquals([both.check(ada), both.check(alsoAda)], [undefined, undefined]);
  // A token of this server that is signed by the other issuer, and the other way round.
  const claims = { iss: "parley-server", aud: "parley", jti: ada.id, nbf: nowSeconds(), grants: ADA };
  const { id: kid, key: ownKey } = await own.keys.signing();
  for (const header of [{}, { kid, typ: "JWT" }]) rejected(await both.verify(await sign(claims, header)));
  const signedHere = await sign({}, { kid, alg: "EdDSA" }, { ...key, privateKey: ownKey });
  assertNotValid(await both.verify(signedHere), /signing key is not accepted/);
  // Revoking one does not concern the other.
  await own.tokens.revoke(ada.id);
  assertEquals([both.check(ada)?.reason, both.check(alsoAda)], ["revoked", undefined]);
  for (const nothing of [undefined, "", "nonsense", `${"a".repeat(9000)}.b.c`, "e30.e30.e30"]) {
    assertEquals(rejected(await both.verify(nothing)), rejected(await own.tokens.verify(nothing)));
  }
});

Deno.test("a token of this server whose subject would be one of the other issuer is rejected", async () => {
  const { tokens: external } = await makeExternal(await makeIssuerKey("EdDSA"));
  const own = makeProcess();
  const { token } = await own.tokens.issue({ ...ADA, name: `${ISSUER}#Ada` });
  accepted(await own.tokens.verify(token));
  assertNotValid(await external.beside(own.tokens).verify(token), /its name begins as the subjects/);
});

function base64url(text: string): string {
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
