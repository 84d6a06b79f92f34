/**
 * Where the keys of another issuer come from: what is accepted, when it is read again, and what a source that is slow,
 * huge, failing or hostile can do. Nothing here needs a network; `tests/server/external_tokens_test.ts` uses one.
 */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { exportPKCS8, exportSPKI } from "jose";
import { parseKeys } from "../../lib/auth/external_keys.ts";
import { FileKeys } from "../../lib/auth/file_keys.ts";
import type { KeySourceEvents } from "../../lib/auth/key_source.ts";
import { UrlKeys } from "../../lib/auth/url_keys.ts";
import { ParleyError } from "../../lib/errors.ts";
import { KEY_COOLDOWN_MS, KEY_REFETCH_MS, MAX_EXTERNAL_KEYS, MAX_KEY_SET_BYTES } from "../../lib/limits.ts";
import { makeFolder } from "../harness/folder.ts";
import { MAY_USE_FILES } from "../harness/permissions.ts";
import { jwksOf, makeIssuerKey } from "./external_fixtures.ts";

const FROM = "https://app.example/.well-known/jwks.json";

/** Collects what a source reports, as text. */
function eventsTo(reports: string[]): KeySourceEvents {
  return {
    failed: (_from, error, keys) => reports.push(`failed with ${keys}: ${(error as Error).message}`),
    again: (_from, keys) => reports.push(`again with ${keys}`),
    changed: (_from, keys) => reports.push(`changed to ${keys}`),
  };
}

/** A source at a URL, whose clock and whose answers are the test's. */
function makeUrlKeys(withinMs?: number) {
  const clock = { ms: 0 };
  const reports: string[] = [];
  const calls: RequestInit[] = [];
  const site = {
    answer: (_: RequestInit): Response | Promise<Response> => new Response("", { status: 503 }),
  };
  const source = new UrlKeys(new URL(FROM), {
    events: eventsTo(reports),
    now: () => clock.ms,
    withinMs,
    fetch: async (_url, init = {}) => {
      calls.push(init);
      await Promise.resolve();
      return await site.answer(init);
    },
  });
  return { clock, reports, calls, site, source };
}

Deno.test("keys for something else, damaged and weak ones are left out if there are good ones", async () => {
  const [ed, ec, p384] = await Promise.all(["EdDSA", "ES256", "ES384"].map((alg) => makeIssuerKey(alg)));
  const { publicKey: weak } = await crypto.subtle.generateKey(
    {
      name: "RSASSA-PKCS1-v1_5",
      modulusLength: 1024,
      publicExponent: new Uint8Array([1, 0, 1]),
      hash: "SHA-256",
    },
    true,
    ["sign", "verify"],
  );
  const others = [
    p384.jwk,
    { ...ed.jwk, use: "enc" },
    { ...ed.jwk, alg: "ES256" },
    { ...ec.jwk, key_ops: ["sign"] },
    { ...ec.jwk, x: "AAAA" },
    { kty: "OKP", crv: "X25519", x: ed.jwk.x },
    { kty: "AKP", alg: "ML-DSA-44", pub: "AAAA" },
    { ...await crypto.subtle.exportKey("jwk", weak), key_ops: undefined, alg: undefined },
  ];
  const good = [ed.jwk, { ...ec.jwk, alg: "ES256", key_ops: ["verify"], use: undefined }];
  const keys = await parseKeys(JSON.stringify({ keys: [...others, ...good, ed.jwk] }));
  assertEquals(keys.map(({ kid }) => kid), ["key-EdDSA", "key-ES256"]);
  const reasons = [
    [others[4], /has a key that is damaged: keys\[0\], of type EC/],
    [others[7], /has an RSA key of 1024 bits; at least 2048 are needed/],
    [others[0], /has no key for EdDSA \(Ed25519\), ES256 or RS256 among its 1/],
  ] as const;
  for (const [key, reason] of reasons) {
    const { message } = await assertRejects(() => parseKeys(JSON.stringify({ keys: [key] })), ParleyError);
    assertMatch(message, reason);
  }
});

Deno.test("private and secret keys are refused, whatever else there is, and never quoted", async () => {
  const { privateKey, publicKey, jwk } = await makeIssuerKey("ES256");
  const { d, ...rest } = await crypto.subtle.exportKey("jwk", privateKey);
  const pem = await exportPKCS8(privateKey);
  const texts = [
    JSON.stringify({ keys: [jwk, { ...rest, d }] }),
    JSON.stringify({ keys: [jwk, { kty: "oct", k: d }] }),
    JSON.stringify({ ...rest, d }),
    pem,
    `${await exportSPKI(publicKey)}\n${pem}`,
  ];
  for (const text of texts) {
    const { message } = await assertRejects(() => parseKeys(text), ParleyError);
    assertMatch(message, /^holds a private or secret key/);
    assert(!message.includes(d!.slice(0, 8)), message);
  }
});

Deno.test("what is no set of keys is refused, with what was expected", async () => {
  const { publicKey } = await makeIssuerKey("ES256");
  const pem = await exportSPKI(publicKey);
  const many = await Promise.all(
    Array.from({ length: MAX_EXTERNAL_KEYS + 1 }, (_, at) => makeIssuerKey("EdDSA", `${at}`)),
  );
  const cases: [string, RegExp][] = [
    ["", /is neither JSON nor PEM/],
    ["<html>", /is neither JSON nor PEM/],
    ["[]", /is no JWK set/],
    ["null", /is no JWK set/],
    ['{"keys":{}}', /is no JWK set/],
    ['{"keys":[7]}', /is no JWK set/],
    ['{"keys":[]}', /has no key for EdDSA .* among its 0/],
    [jwksOf(...many), /has 65 keys, and at most 64 are accepted/],
    [pem.replaceAll("PUBLIC KEY", "RSA PUBLIC KEY"), /has a RSA PUBLIC KEY; a PUBLIC KEY is expected/],
    [pem.replaceAll("PUBLIC KEY", "CERTIFICATE"), /openssl x509 -pubkey/],
    [pem.replace("MF", "AA"), /has a PUBLIC KEY that is damaged/],
    [pem.slice(0, 60), /has no whole PUBLIC KEY/],
  ];
  for (const [text, reason] of cases) {
    const { message } = await assertRejects(() => parseKeys(text), ParleyError);
    assertMatch(message, reason);
  }
  assertEquals((await parseKeys(`${pem}${pem}`)).length, 1);
});

Deno.test("a thousand unknown keys cause one fetch within the cool-down, whether it succeeds or fails", async () => {
  const key = await makeIssuerKey("EdDSA");
  const { clock, calls, site, source } = makeUrlKeys();
  for (const answer of [() => new Response(jwksOf(key)), () => new Response("", { status: 503 })]) {
    site.answer = answer;
    clock.ms += KEY_COOLDOWN_MS;
    calls.length = 0;
    await Promise.all(Array.from({ length: 500 }, () => source.refetch()));
    for (let count = 0; count < 500; count++) await source.refetch();
    assertEquals(calls.length, 1);
    clock.ms += KEY_COOLDOWN_MS - 1;
    await source.refetch();
    assertEquals(calls.length, 1);
    clock.ms += 1;
    await source.refetch();
    assertEquals(calls.length, 2);
  }
  await source.close();
});

Deno.test("keys are fetched every five minutes, and after the cool-down while that fails; they are kept meanwhile", async () => {
  const [before, after] = await Promise.all(["1", "2"].map((kid) => makeIssuerKey("EdDSA", kid)));
  const { clock, calls, site, source, reports } = makeUrlKeys();
  await source.open();
  assertEquals([source.keys, calls.length], [[], 1]);
  const failure = `cannot fetch the keys ${FROM}: it answered with status 503, not 200`;
  assertEquals(reports, [`failed with 0: ${failure}`]);
  const refreshAfter = async (ms: number) => {
    clock.ms += ms;
    calls.length = 0;
    await source.refresh();
    await source.refetch(); // waits for what is under way
    return calls.length;
  };
  assertEquals(await refreshAfter(KEY_COOLDOWN_MS - 1), 0);
  site.answer = () => new Response(jwksOf(before));
  assertEquals(await refreshAfter(1), 1);
  assertEquals(source.keys.map(({ kid }) => kid), ["1"]);
  site.answer = () => new Response("", { status: 500 });
  clock.ms += KEY_REFETCH_MS;
  for (let count = 0; count < 3; count++) assertEquals(await refreshAfter(KEY_COOLDOWN_MS), 1);
  assertEquals(source.keys.map(({ kid }) => kid), ["1"]);
  site.answer = () => new Response(jwksOf(before));
  assertEquals(await refreshAfter(KEY_COOLDOWN_MS), 1);
  site.answer = () => new Response(jwksOf(after));
  assertEquals(await refreshAfter(KEY_REFETCH_MS), 1);
  assertEquals(source.keys.map(({ kid }) => kid), ["2"]);
  assertEquals(reports.slice(1), [
    "again with 1",
    `failed with 1: ${failure.replace("503", "500")}`,
    "again with 1",
    "changed to 1",
  ]);
  await source.close();
});

Deno.test("a redirect, an endless answer, a slow one and one that is no key set are refused within bounds", async () => {
  const key = await makeIssuerKey("EdDSA");
  const { clock, site, source, reports, calls } = makeUrlKeys(50);
  site.answer = () => new Response(jwksOf(key));
  await source.open();
  const answers: [string, (init: RequestInit) => Response | Promise<Response>, RegExp][] = [
    [
      "redirect",
      () => new Response(null, { status: 302, headers: { location: "https://evil.example/" } }),
      /answered with status 302, not 200; redirects are not followed/,
    ],
    ["html", () => new Response("<html>"), new RegExp(`${FROM} is neither JSON nor PEM`)],
    ["empty", () => new Response('{"keys":[]}'), /has no key for EdDSA/],
    ["no answer", ({ signal }) => until(signal!), /no whole answer within 0.05 s/],
    ["no end", ({ signal }) => new Response(endless(1, signal!)), /no whole answer within 0.05 s/],
    ["too long", ({ signal }) => new Response(endless(1e6, signal!)), /has more than 65536 bytes/],
    ["unreachable", () => Promise.reject(new TypeError("connection refused")), /connection refused/],
  ];
  for (const [what, answer, reason] of answers) {
    site.answer = answer;
    reports.length = 0;
    await source.reload();
    assertMatch(reports[0], reason, what);
    assertEquals(source.keys.length, 1, what);
    site.answer = () => new Response(jwksOf(key));
    clock.ms += KEY_COOLDOWN_MS;
    await source.refetch();
    assertEquals(reports[1], "again with 1", what);
  }
  assert(calls.every(({ redirect }) => redirect === "manual"));
  await source.close();
});

Deno.test("closing ends a fetch under way, and reports nothing", async () => {
  const { site, source, reports } = makeUrlKeys();
  site.answer = ({ signal }) => until(signal!);
  const opening = source.open();
  await source.close();
  await opening;
  await source.reload();
  assertEquals(reports, []);
});

Deno.test({
  name:
    "a file is read again when it changes; a bad one, or none, keeps the keys from before and is reported once",
  ignore: !MAY_USE_FILES,
  async fn() {
    using folder = makeFolder();
    const path = `${folder.path}/keys.json`;
    const [before, after] = await Promise.all(["1", "2"].map((kid) => makeIssuerKey("EdDSA", kid)));
    const reports: string[] = [];
    const source = new FileKeys(path, eventsTo(reports));
    await assertRejects(
      () => source.open(),
      ParleyError,
      `cannot read the keys ${path}: there is no such file`,
    );
    await Deno.writeTextFile(path, "<html>");
    await assertRejects(() => source.open(), ParleyError, `${path} is neither JSON nor PEM`);
    await Deno.writeTextFile(path, "x".repeat(MAX_KEY_SET_BYTES + 1));
    await assertRejects(() => source.open(), ParleyError, "has more than 65536 bytes");
    await Deno.writeTextFile(path, jwksOf(before));
    await source.open();
    await source.refresh();
    assertEquals(source.keys.map(({ kid }) => kid), ["1"]);
    await Deno.writeTextFile(path, `{"keys":`);
    for (let count = 0; count < 3; count++) await source.refresh();
    assertEquals(source.keys.map(({ kid }) => kid), ["1"]);
    await Deno.remove(path);
    await source.refresh();
    await Deno.writeTextFile(path, jwksOf(before, after));
    await source.refetch();
    assertEquals(source.keys.map(({ kid }) => kid), ["1", "2"]);
    await Deno.writeTextFile(path, jwksOf(after));
    await source.reload();
    assertEquals(reports.length, 3, reports.join("\n"));
    assertMatch(reports[0], /^failed with 1: .*is neither JSON nor PEM/);
    assertEquals(reports.slice(1), ["again with 2", "changed to 1"]);
    await source.close();
  },
});

Deno.test({
  name: "a file that others can change is refused",
  ignore: !MAY_USE_FILES || Deno.build.os === "windows",
  async fn() {
    using folder = makeFolder();
    const path = `${folder.path}/keys.json`;
    await Deno.writeTextFile(path, jwksOf(await makeIssuerKey("EdDSA")));
    for (const mode of [0o664, 0o646]) {
      await Deno.chmod(path, mode);
      const opening = () => new FileKeys(path, eventsTo([])).open();
      const { message } = await assertRejects(opening, ParleyError);
      assertMatch(message, /others can change .*keys\.json, and so make tokens; .*chmod go-w/);
    }
    await Deno.chmod(path, 0o444);
    await new FileKeys(path, eventsTo([])).open();
  },
});

/** Never answers, until `signal` is aborted. */
function until(signal: AbortSignal): Promise<Response> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason));
  });
}

/** A body of `size` bytes at a time that ends only by `signal`. */
function endless(size: number, signal: AbortSignal): ReadableStream<Uint8Array<ArrayBuffer>> {
  let pulls = 0;
  return new ReadableStream({
    start: (controller) => signal.addEventListener("abort", () => controller.error(signal.reason)),
    pull: (controller) => {
      if (size > 1 || pulls++ === 0) controller.enqueue(new Uint8Array(size));
      else return new Promise(() => {});
    },
  });
}
