/**
 * Attacks with tokens: forged, altered, misused or malformed ones. Each is rejected with a message that tells the client
 * nothing, and with the reason in the detail for the log. This is the only suite for them; what a rejection does to a
 * connection is tested in `tests/hostile` and `tests/broker`.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWTHeaderParameters,
  SignJWT,
  UnsecuredJWT,
} from "jose";
import { MAX_TOKEN_BYTES } from "../../lib/limits.ts";
import { accepted, ADA, makeProcess, rejected, START } from "./fixtures.ts";

const NOW = START / 1000;

/** A server that has issued one token, and a function that signs any other claims with the server's key. */
async function makeServer() {
  const server = makeProcess();
  const { token, issued } = await server.tokens.issue(ADA);
  const { id: kid, key } = await server.keys.signing();
  await server.tokens.refresh();
  const good = {
    iss: "parley-server",
    aud: "parley",
    sub: "Ada",
    jti: issued.id,
    iat: NOW,
    nbf: NOW,
    exp: NOW + 3600,
    grants: { publish: ["chat.>"], subscribe: ["chat.>"], respond: ["service.>"], direct: false },
  };
  const header = { alg: "EdDSA", typ: "JWT", kid };
  /** Signs the valid claims with `changes`; undefined removes a claim. */
  const sign = (changes: object = {}, headerChanges: object = {}) =>
    new SignJWT({ ...good, ...changes })
      .setProtectedHeader({ ...header, ...headerChanges } as JWTHeaderParameters)
      .sign(key);
  return { ...server, token, good, header, key, kid, sign };
}

type Server = Awaited<ReturnType<typeof makeServer>>;

/** Signs any text as header and payload. */
async function signRaw(server: Server, header: string, payload: string): Promise<string> {
  const input = `${base64url(header)}.${base64url(payload)}`;
  const signature = await crypto.subtle.sign("Ed25519", server.key, new TextEncoder().encode(input));
  return `${input}.${base64url(new Uint8Array(signature))}`;
}

function base64url(data: string | Uint8Array): string {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

const NOT_VALID = "token not valid here: check that it is whole, and meant for this server";

/** Asserts that the client learns no reason, that the log gets `detail`, and that neither contains part of the token. */
async function assertNotValid({ tokens }: Server, token: string, detail: RegExp): Promise<void> {
  const rejection = rejected(await tokens.verify(token));
  assertEquals(rejection.message, NOT_VALID);
  assertMatch(rejection.detail, detail);
  for (const part of token.split(".").filter((part) => part.length >= 4)) {
    assert(!(rejection.message + rejection.detail).includes(part.slice(0, 24)), rejection.detail);
  }
}

Deno.test("the forging helpers make valid tokens if nothing is changed", async () => {
  const server = await makeServer();
  accepted(await server.tokens.verify(await server.sign()));
  const raw = await signRaw(server, JSON.stringify(server.header), JSON.stringify(server.good));
  accepted(await server.tokens.verify(raw));
});

Deno.test('a token with "alg": "none" is rejected', async () => {
  const server = await makeServer();
  await assertNotValid(server, new UnsecuredJWT(server.good).encode(), /not a JWT: three parts/);
  for (const alg of ["none", "None", "NONE", ""]) {
    const unsigned = `${base64url(JSON.stringify({ ...server.header, alg }))}.${
      base64url(JSON.stringify(server.good))
    }.`;
    await assertNotValid(server, unsigned, /not a JWT: three parts/);
    for (const signature of ["AAAA", server.token.split(".")[2]]) {
      await assertNotValid(server, unsigned + signature, /not signed with EdDSA|not a JWT, or not one/);
    }
  }
});

Deno.test("a token signed by HS256 with the public key as its secret is rejected", async () => {
  const server = await makeServer();
  const publicKey = server.keys.accepted(server.kid)!;
  const { x } = await exportJWK(publicKey);
  const texts = [await exportSPKI(publicKey), x!, JSON.stringify(await exportJWK(publicKey))];
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", publicKey));
  for (const secret of [...texts.map((text) => new TextEncoder().encode(text)), raw]) {
    const token = await new SignJWT(server.good)
      .setProtectedHeader({ alg: "HS256", typ: "JWT", kid: server.kid })
      .sign(secret);
    await assertNotValid(server, token, /not signed with EdDSA/);
  }
});

Deno.test("a token with another algorithm than EdDSA is rejected, even with the server's key id", async () => {
  const server = await makeServer();
  for (const alg of ["ES256", "ES512"]) {
    const { privateKey } = await generateKeyPair(alg);
    const token = await new SignJWT(server.good)
      .setProtectedHeader({ ...server.header, alg }).sign(privateKey);
    await assertNotValid(server, token, /not signed with EdDSA/);
  }
});

Deno.test("a token signed with another key is rejected, with the server's key id and with its own", async () => {
  const server = await makeServer();
  const { privateKey } = await generateKeyPair("EdDSA");
  const signed = (header: object) =>
    new SignJWT(server.good).setProtectedHeader({ ...server.header, ...header }).sign(privateKey);
  await assertNotValid(server, await signed({}), /its signature is wrong/);
  await assertNotValid(server, await signed({ kid: "another" }), /signing key is not accepted/);
});

Deno.test("a token that carries its own key is rejected", async () => {
  const server = await makeServer();
  const { privateKey, publicKey } = await generateKeyPair("EdDSA", { extractable: true });
  const jwk = await exportJWK(publicKey);
  for (const ownKey of [{ jwk }, { jku: "http://127.0.0.1:1/keys" }, { x5u: "http://127.0.0.1:1/x" }]) {
    const token = await new SignJWT(server.good)
      .setProtectedHeader({ ...server.header, ...ownKey } as JWTHeaderParameters).sign(privateKey);
    await assertNotValid(server, token, /its signature is wrong/);
  }
});

Deno.test("a token without a key id, or with a malformed one, is rejected", async () => {
  const server = await makeServer();
  for (const kid of [undefined, "", "__proto__", "constructor", "../signing-keys.json"]) {
    await assertNotValid(server, await server.sign({}, { kid }), /signing key is not accepted/);
  }
  for (const kid of [null, 7, {}, [server.kid]]) {
    const token = await signRaw(
      server,
      JSON.stringify({ ...server.header, kid }),
      JSON.stringify(server.good),
    );
    await assertNotValid(server, token, /signing key is not accepted|not a JWT/);
  }
});

Deno.test("a token of another server, of the same version, is rejected", async () => {
  const server = await makeServer();
  await assertNotValid(server, (await makeServer()).token, /signing key is not accepted/);
});

Deno.test("a token with another payload or another signature than was issued is rejected", async () => {
  const server = await makeServer();
  const [header, payload, signature] = server.token.split(".");
  const wider = { ...server.good, grants: { ...server.good.grants, publish: [">"], respond: [">"] } };
  const later = { ...server.good, exp: NOW + 86_400 };
  for (const claims of [wider, later, { ...server.good, sub: "root" }]) {
    const token = `${header}.${base64url(JSON.stringify(claims))}.${signature}`;
    await assertNotValid(server, token, /its signature is wrong/);
  }
  const { token: other } = await server.tokens.issue({ ...ADA, name: "Grace" });
  for (const wrong of [other.split(".")[2], `${signature.slice(0, -9)}AAAAAAAAA`, "A".repeat(86), "AAAA"]) {
    await assertNotValid(server, `${header}.${payload}.${wrong}`, /its signature is wrong/);
  }
});

Deno.test("a token with one bit changed anywhere is rejected", async () => {
  const server = await makeServer();
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  // The last character is left out: some of its bits encode nothing, as the signature's 64 bytes end within it.
  for (let at = 0; at < server.token.length - 1; at++) {
    const value = alphabet.indexOf(server.token[at]);
    const changed = value < 0 ? "A" : alphabet[value ^ 16];
    const { message } = rejected(
      await server.tokens.verify(server.token.slice(0, at) + changed + server.token.slice(at + 1)),
    );
    assertEquals(message, NOT_VALID, `character ${at}`);
  }
});

Deno.test("a token with a wrong issuer is rejected", async () => {
  const server = await makeServer();
  for (const iss of ["parley", "Parley-Server", "", ["parley-server"], null, 1]) {
    await assertNotValid(server, await server.sign({ iss }), /its iss is invalid/);
  }
  await assertNotValid(server, await server.sign({ iss: undefined }), /its iss is missing/);
});

Deno.test("a token with a wrong audience is rejected", async () => {
  const server = await makeServer();
  for (const aud of ["parley-server", "PARLEY", "", [], ["another"], null, 1]) {
    await assertNotValid(server, await server.sign({ aud }), /its aud is invalid/);
  }
  await assertNotValid(server, await server.sign({ aud: undefined }), /its aud is missing/);
});

Deno.test("a token with no expiry is rejected", async () => {
  const server = await makeServer();
  await assertNotValid(server, await server.sign({ exp: undefined }), /its exp is missing/);
});

Deno.test("a token whose expiry is not a time is rejected", async () => {
  const server = await makeServer();
  for (const exp of [null, "2100-01-01", String(NOW + 3600), [], {}, true]) {
    await assertNotValid(server, await server.sign({ exp }), /its exp is invalid/);
  }
  await assertNotValid(server, await server.sign({ exp: 1e300 }), /its exp is invalid/);
});

Deno.test("an expired token is rejected as expired, whatever number its expiry is", async () => {
  const server = await makeServer();
  for (const exp of [NOW - 3600, NOW, 0, -1, -1e300]) {
    assertEquals(rejected(await server.tokens.verify(await server.sign({ exp }))).reason, "expired");
  }
});

Deno.test("a token from the future is rejected as not yet valid, whatever number its beginning is", async () => {
  const server = await makeServer();
  for (const nbf of [NOW + 6, NOW + 1e9, 1e300]) {
    const { reason } = rejected(await server.tokens.verify(await server.sign({ nbf })));
    assertEquals(reason, "not yet valid");
  }
  for (const nbf of [null, "soon", {}]) {
    await assertNotValid(server, await server.sign({ nbf }), /its nbf is invalid/);
  }
  for (const claim of ["nbf", "iat"]) {
    await assertNotValid(
      server,
      await server.sign({ [claim]: undefined }),
      new RegExp(`its ${claim} is missing`),
    );
  }
});

Deno.test("with a wrong signature, no message says that a token expired or was revoked", async () => {
  const server = await makeServer();
  const { privateKey } = await generateKeyPair("EdDSA");
  for (const claims of [{ exp: NOW - 1 }, { nbf: NOW + 99 }]) {
    const token = await new SignJWT({ ...server.good, ...claims })
      .setProtectedHeader(server.header).sign(privateKey);
    await assertNotValid(server, token, /its signature is wrong/);
  }
  await server.tokens.revoke(server.good.jti);
  const token = await new SignJWT(server.good).setProtectedHeader(server.header).sign(privateKey);
  await assertNotValid(server, token, /its signature is wrong/);
});

Deno.test("a token of another type than JWT is rejected", async () => {
  const server = await makeServer();
  for (const typ of ["at+jwt", "dpop+jwt", ""]) {
    await assertNotValid(server, await server.sign({}, { typ }), /its typ is (missing|invalid)/);
  }
  await assertNotValid(server, await server.sign({}, { typ: undefined }), /its typ is (missing|invalid)/);
});

Deno.test("a token with an unknown critical header is rejected", async () => {
  const server = await makeServer();
  const header = { ...server.header, crit: ["exp"], exp: 1 };
  const token = await signRaw(server, JSON.stringify(header), JSON.stringify(server.good));
  await assertNotValid(server, token, /not a JWT, or not one of this kind/);
});

Deno.test("a token without a subject, or with one that is not a valid name, is rejected", async () => {
  const server = await makeServer();
  await assertNotValid(server, await server.sign({ sub: undefined }), /its sub is missing/);
  for (const sub of ["", "x".repeat(65), "A\u0000", "A\r\nB", "\u009b31m", "\ud800", null, 7, ["Ada"], {}]) {
    await assertNotValid(server, await server.sign({ sub }), /its sub is invalid/);
  }
});

Deno.test("a token without an id, or with a malformed or unknown one, is rejected", async () => {
  const server = await makeServer();
  await assertNotValid(server, await server.sign({ jti: undefined }), /its jti is missing/);
  for (const jti of ["", "x".repeat(65), null, 7, [server.good.jti], {}]) {
    await assertNotValid(server, await server.sign({ jti }), /its jti is invalid/);
  }
  for (const jti of [crypto.randomUUID(), "__proto__", "constructor"]) {
    await assertNotValid(server, await server.sign({ jti }), /not in the list of issued/);
  }
});

Deno.test("a token with malformed grants is rejected", async () => {
  const server = await makeServer();
  await assertNotValid(server, await server.sign({ grants: undefined }), /its grants is missing/);
  const { grants } = server.good;
  const wrong = [
    null,
    "all",
    [],
    {},
    { ...grants, publish: undefined },
    { ...grants, subscribe: "chat.>" },
    { ...grants, direct: undefined },
    { ...grants, direct: "true" },
    { ...grants, direct: 1 },
    { ...grants, monitor: "true" },
    { ...grants, monitor: 1 },
    { ...grants, admin: null },
    { ...grants, admin: [">"] },
    { ...grants, publish: [7] },
    { ...grants, publish: ["a..b"] },
    { ...grants, publish: [">.a"] },
    { ...grants, publish: ["x".repeat(129)] },
    { ...grants, subscribe: ["$admin.>"] },
    { ...grants, respond: null },
    { ...grants, respond: true },
    { ...grants, respond: ">" },
    { ...grants, respond: { ">": true } },
    { ...grants, respond: ["a..b"] },
    { ...grants, respond: ["$echo"] },
    { ...grants, respond: Array.from({ length: 65 }, () => "a") },
    { ...grants, subscribe: Array.from({ length: 65 }, () => "a") },
  ];
  for (const each of wrong) {
    await assertNotValid(server, await server.sign({ grants: each }), /its grants/);
  }
});

Deno.test("a token nested as deep as fits into 8 KiB is rejected", async () => {
  const server = await makeServer();
  const nested = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth);
  const header = JSON.stringify(server.header);
  const depth = 2900;
  const lists = `{"grants":${nested("[", "]", depth)}}`;
  await assertNotValid(server, await signRaw(server, header, lists), /is missing|is invalid/);
  const good = JSON.stringify({ ...server.good, grants: 0 });
  const inGrants = good.replace('"grants":0', `"grants":${nested("[", "]", 2500)}`);
  await assertNotValid(server, await signRaw(server, header, inGrants), /its grants/);
  const objects = nested('{"a":', "}", 900).replace("}", "1}");
  await assertNotValid(server, await signRaw(server, header, objects), /is missing/);
  const inHeader = header.replace("{", `{"deep":${nested("[", "]", depth)},`);
  await assertNotValid(server, await signRaw(server, inHeader, "{}"), /is missing|not/);
  await assertNotValid(server, await signRaw(server, nested("[", "]", depth), "{}"), /not a JWT/);
  // An unknown claim does no harm, however deep it is.
  const beside = `{"deep":${nested("[", "]", 2500)},${JSON.stringify(server.good).slice(1)}`;
  accepted(await server.tokens.verify(await signRaw(server, header, beside)));
});

Deno.test("a token longer than 8 KiB is rejected by its length", async () => {
  const server = await makeServer();
  const padded = (length: number) => server.token + "A".repeat(length - server.token.length);
  await assertNotValid(server, padded(MAX_TOKEN_BYTES), /its signature is wrong|not a JWT/);
  await assertNotValid(server, padded(MAX_TOKEN_BYTES + 1), /8193 characters, at most 8192/);
  await assertNotValid(server, padded(1024 * 1024), /1048576 characters/);
  // Also with a valid signature.
  await assertNotValid(server, await server.sign({ padding: "x".repeat(6 * 1024) }), /at most 8192/);
  await assertNotValid(server, await server.sign({ jti: "x".repeat(1024 * 1024) }), /at most 8192/);
});

Deno.test("text that is not a token is rejected", async () => {
  const server = await makeServer();
  const [header, payload, signature] = server.token.split(".");
  const garbage = [
    " ",
    "null",
    "{}",
    "nonsense",
    ".",
    "..",
    "...",
    "a.b",
    "a.b.c",
    "a.b.c.d.e",
    `${header}.${payload}`,
    `${header}.${payload}.`,
    `${header}..${signature}`,
    `.${payload}.${signature}`,
    ` ${server.token}`,
    `${server.token}\n`,
    `${server.token.slice(0, 20)} ${server.token.slice(20)}`,
    `${server.token}=`,
    `Bearer ${server.token}`,
    `${server.token}.${server.token}`,
    "💥.💥.💥",
    "\u0000".repeat(100),
  ];
  for (const token of garbage) await assertNotValid(server, token, /not a JWT/);
});

Deno.test("a payload that is not a JSON object is rejected", async () => {
  const server = await makeServer();
  const header = JSON.stringify(server.header);
  for (const payload of ["", "null", "1", '"a"', "[]", "{", "{}x"]) {
    const token = await signRaw(server, header, payload);
    const { message } = rejected(await server.tokens.verify(token));
    assertEquals(message, NOT_VALID);
  }
  await assertNotValid(server, await signRaw(server, header, "{}"), /is missing/);
});
