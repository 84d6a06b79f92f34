/**
 * Tokens that must not let anybody in. Each is refused in words that tell a stranger nothing, and the log what it was.
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
import { ADA, admitted, process, refused, START } from "./fixtures.ts";

const NOW = START / 1000;

/** A server that has issued one token, and the means to sign others with its own key, however wrong they are. */
async function makeServer() {
  const server = process();
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
  /** Signs with the server's key what is good but for `changes`; undefined leaves a claim out. */
  const sign = (changes: object = {}, headerChanges: object = {}) =>
    new SignJWT({ ...good, ...changes })
      .setProtectedHeader({ ...header, ...headerChanges } as JWTHeaderParameters)
      .sign(key);
  return { ...server, token, good, header, key, kid, sign };
}

type Server = Awaited<ReturnType<typeof makeServer>>;

/** Signs any bytes at all as a payload. */
async function signRaw(server: Server, header: string, payload: string): Promise<string> {
  const input = `${base64url(header)}.${base64url(payload)}`;
  const signature = await crypto.subtle.sign("Ed25519", server.key, new TextEncoder().encode(input));
  return `${input}.${base64url(new Uint8Array(signature))}`;
}

function base64url(data: string | Uint8Array): string {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

const TOLD = "token not valid here: check that it is whole, and meant for this server";

/** Expects `token` to be refused without a word to the client; the log says `detail`, and no part of the token. */
async function assertNotValid({ tokens }: Server, token: string, detail: RegExp): Promise<void> {
  const rejection = refused(await tokens.verify(token));
  assertEquals(rejection.told, TOLD);
  assertMatch(rejection.detail, detail);
  for (const part of token.split(".").filter((part) => part.length >= 4)) {
    assert(!rejection.detail.includes(part.slice(0, 24)), rejection.detail);
  }
}

Deno.test("what the attacks below change is what they fail by: unchanged, they are let in", async () => {
  const server = await makeServer();
  admitted(await server.tokens.verify(await server.sign()));
  const raw = await signRaw(server, JSON.stringify(server.header), JSON.stringify(server.good));
  admitted(await server.tokens.verify(raw));
});

Deno.test('a token with "alg": "none" is refused', async () => {
  const server = await makeServer();
  await assertNotValid(server, new UnsecuredJWT(server.good).encode(), /not a JWT: three parts/);
  for (const alg of ["none", "None", "NONE", ""]) {
    const unsigned = `${base64url(JSON.stringify({ ...server.header, alg }))}.${
      base64url(JSON.stringify(server.good))
    }.`;
    await assertNotValid(server, unsigned, /not a JWT: three parts/);
    await assertNotValid(server, `${unsigned}AAAA`, /not signed with EdDSA|not a JWT, or not one/);
  }
});

Deno.test("a token signed by HS256 with the public key as its secret is refused", async () => {
  const server = await makeServer();
  const publicKey = server.keys.accepted(server.kid)!;
  const { x } = await exportJWK(publicKey);
  for (const secret of [await exportSPKI(publicKey), x!, JSON.stringify(await exportJWK(publicKey))]) {
    const token = await new SignJWT(server.good)
      .setProtectedHeader({ alg: "HS256", typ: "JWT", kid: server.kid })
      .sign(new TextEncoder().encode(secret));
    await assertNotValid(server, token, /not signed with EdDSA/);
  }
});

Deno.test("a token of another algorithm than EdDSA is refused, also under the name of our key", async () => {
  const server = await makeServer();
  for (const alg of ["ES256", "ES512"]) {
    const { privateKey } = await generateKeyPair(alg);
    const token = await new SignJWT(server.good)
      .setProtectedHeader({ ...server.header, alg }).sign(privateKey);
    await assertNotValid(server, token, /not signed with EdDSA/);
  }
});

Deno.test("a token signed with another key is refused, under our key's name and under its own", async () => {
  const server = await makeServer();
  const { privateKey } = await generateKeyPair("EdDSA");
  const signed = (header: object) =>
    new SignJWT(server.good).setProtectedHeader({ ...server.header, ...header }).sign(privateKey);
  await assertNotValid(server, await signed({}), /its signature is wrong/);
  await assertNotValid(server, await signed({ kid: "another" }), /no key of its name/);
});

Deno.test("a token that brings its own key along is refused", async () => {
  const server = await makeServer();
  const { privateKey, publicKey } = await generateKeyPair("EdDSA", { extractable: true });
  const jwk = await exportJWK(publicKey);
  for (const brought of [{ jwk }, { jku: "http://127.0.0.1:1/keys" }, { x5u: "http://127.0.0.1:1/x" }]) {
    const token = await new SignJWT(server.good)
      .setProtectedHeader({ ...server.header, ...brought } as JWTHeaderParameters).sign(privateKey);
    await assertNotValid(server, token, /its signature is wrong/);
  }
});

Deno.test("a token whose header names no key, or something that is no name, is refused", async () => {
  const server = await makeServer();
  for (const kid of [undefined, "", "__proto__", "constructor", "../signing-keys.json"]) {
    await assertNotValid(server, await server.sign({}, { kid }), /no key of its name/);
  }
  for (const kid of [null, 7, {}, [server.kid]]) {
    const token = await signRaw(
      server,
      JSON.stringify({ ...server.header, kid }),
      JSON.stringify(server.good),
    );
    await assertNotValid(server, token, /no key of its name|not a JWT/);
  }
});

Deno.test("a token of another server, of the same version, is refused", async () => {
  const server = await makeServer();
  await assertNotValid(server, (await makeServer()).token, /no key of its name/);
});

Deno.test("a token with one bit changed anywhere is refused", async () => {
  const server = await makeServer();
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  // The last character has bits that mean nothing: the signature's 64 bytes end within it.
  for (let at = 0; at < server.token.length - 1; at++) {
    const value = alphabet.indexOf(server.token[at]);
    const changed = value < 0 ? "A" : alphabet[value ^ 16];
    const { told } = refused(
      await server.tokens.verify(server.token.slice(0, at) + changed + server.token.slice(at + 1)),
    );
    assertEquals(told, TOLD, `character ${at}`);
  }
});

Deno.test("a token with a wrong issuer is refused", async () => {
  const server = await makeServer();
  for (const iss of ["parley", "Parley-Server", "", ["parley-server"], null, 1]) {
    await assertNotValid(server, await server.sign({ iss }), /its iss is not/);
  }
  await assertNotValid(server, await server.sign({ iss: undefined }), /lacks iss/);
});

Deno.test("a token with a wrong audience is refused", async () => {
  const server = await makeServer();
  for (const aud of ["parley-server", "PARLEY", "", [], ["another"], null, 1]) {
    await assertNotValid(server, await server.sign({ aud }), /its aud is not/);
  }
  await assertNotValid(server, await server.sign({ aud: undefined }), /lacks aud/);
});

Deno.test("a token with no expiry is refused", async () => {
  const server = await makeServer();
  await assertNotValid(server, await server.sign({ exp: undefined }), /lacks exp/);
});

Deno.test("a token whose expiry is no time is refused", async () => {
  const server = await makeServer();
  for (const exp of [null, "2100-01-01", String(NOW + 3600), [], {}, true]) {
    await assertNotValid(server, await server.sign({ exp }), /its exp is not/);
  }
  await assertNotValid(server, await server.sign({ exp: 1e300 }), /its exp is not/);
});

Deno.test("a token that expired is told so, whatever number its expiry is", async () => {
  const server = await makeServer();
  for (const exp of [NOW - 3600, NOW, 0, -1, -1e300]) {
    assertEquals(refused(await server.tokens.verify(await server.sign({ exp }))).reason, "expired");
  }
});

Deno.test("a token that is not yet valid is told so, whatever number its beginning is", async () => {
  const server = await makeServer();
  for (const nbf of [NOW + 6, NOW + 1e9, 1e300]) {
    const { reason } = refused(await server.tokens.verify(await server.sign({ nbf })));
    assertEquals(reason, "not yet valid");
  }
  for (const nbf of [null, "soon", {}]) {
    await assertNotValid(server, await server.sign({ nbf }), /its nbf is not/);
  }
  for (const claim of ["nbf", "iat"]) {
    await assertNotValid(server, await server.sign({ [claim]: undefined }), new RegExp(`lacks ${claim}`));
  }
});

Deno.test("that a token expired, or is revoked, is told to nobody whose signature does not hold", async () => {
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

Deno.test("a token for another purpose, by its type, is refused", async () => {
  const server = await makeServer();
  for (const typ of ["at+jwt", "dpop+jwt", ""]) {
    await assertNotValid(server, await server.sign({}, { typ }), /its typ is not/);
  }
  await assertNotValid(server, await server.sign({}, { typ: undefined }), /its typ is not/);
});

Deno.test("a token with a critical header that we do not know is refused", async () => {
  const server = await makeServer();
  const header = { ...server.header, crit: ["exp"], exp: 1 };
  const token = await signRaw(server, JSON.stringify(header), JSON.stringify(server.good));
  await assertNotValid(server, token, /not a JWT, or not one of this kind/);
});

Deno.test("a token without subject, or with one that is no name, is refused", async () => {
  const server = await makeServer();
  await assertNotValid(server, await server.sign({ sub: undefined }), /lacks sub/);
  for (const sub of ["", "x".repeat(65), "A\u0000", "A\r\nB", "\u009b31m", "\ud800", null, 7, ["Ada"], {}]) {
    await assertNotValid(server, await server.sign({ sub }), /its sub is not/);
  }
});

Deno.test("a token without an id, or with one that is none, is refused", async () => {
  const server = await makeServer();
  await assertNotValid(server, await server.sign({ jti: undefined }), /lacks jti/);
  for (const jti of ["", "x".repeat(65), null, 7, [server.good.jti], {}]) {
    await assertNotValid(server, await server.sign({ jti }), /its jti is not/);
  }
  for (const jti of [crypto.randomUUID(), "__proto__", "constructor"]) {
    await assertNotValid(server, await server.sign({ jti }), /not among the issued/);
  }
});

Deno.test("a token with malformed grants is refused", async () => {
  const server = await makeServer();
  await assertNotValid(server, await server.sign({ grants: undefined }), /lacks grants/);
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

Deno.test("a token nested as deep as it fits is refused", async () => {
  const server = await makeServer();
  const nested = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth);
  const header = JSON.stringify(server.header);
  const depth = 2900;
  const lists = `{"grants":${nested("[", "]", depth)}}`;
  await assertNotValid(server, await signRaw(server, header, lists), /lacks|is not as it must be/);
  const good = JSON.stringify({ ...server.good, grants: 0 });
  const inGrants = good.replace('"grants":0', `"grants":${nested("[", "]", 2500)}`);
  await assertNotValid(server, await signRaw(server, header, inGrants), /its grants/);
  const objects = nested('{"a":', "}", 900).replace("}", "1}");
  await assertNotValid(server, await signRaw(server, header, objects), /lacks/);
  const inHeader = header.replace("{", `{"deep":${nested("[", "]", depth)},`);
  await assertNotValid(server, await signRaw(server, inHeader, "{}"), /lacks|not/);
  await assertNotValid(server, await signRaw(server, nested("[", "]", depth), "{}"), /not a JWT/);
  // Where everything that counts is right, what is beside it does no harm.
  const beside = `{"deep":${nested("[", "]", 2500)},${JSON.stringify(server.good).slice(1)}`;
  admitted(await server.tokens.verify(await signRaw(server, header, beside)));
});

Deno.test("a token longer than 8 KiB is refused before it is parsed, a megabyte as fast as a byte", async () => {
  const server = await makeServer();
  const padded = (length: number) => server.token + "A".repeat(length - server.token.length);
  await assertNotValid(server, padded(MAX_TOKEN_BYTES), /its signature is wrong|not a JWT/);
  await assertNotValid(server, padded(MAX_TOKEN_BYTES + 1), /8193 characters, at most 8192/);
  await assertNotValid(server, padded(1024 * 1024), /1048576 characters/);
});

Deno.test("what is not a token at all is refused", async () => {
  const server = await makeServer();
  const [header, payload, signature] = server.token.split(".");
  const garbage = [
    " ",
    "null",
    "{}",
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

Deno.test("a payload that is not a JSON object is refused", async () => {
  const server = await makeServer();
  const header = JSON.stringify(server.header);
  for (const payload of ["", "null", "1", '"a"', "[]", "{", "{}x"]) {
    const token = await signRaw(server, header, payload);
    const { told } = refused(await server.tokens.verify(token));
    assertEquals(told, TOLD);
  }
  await assertNotValid(server, await signRaw(server, header, "{}"), /lacks/);
});
