import { assert, assertEquals, assertRejects } from "@std/assert";
import { ensureCertificate } from "../../lib/certificates/folder.ts";
import {
  describeCertificate,
  makeAuthority,
  makeServerCertificate,
  pairProblem,
} from "../../lib/certificates/certificates.ts";
import { FolderStorage } from "../../lib/state/folder.ts";
import { MemoryStorage, type Storage } from "../../lib/state/storage.ts";
import { ParleyError } from "../../lib/errors.ts";
import { START } from "../auth/fixtures.ts";
import { makeFolder } from "../harness/folder.ts";
import { MAY_USE_FILES } from "../harness/permissions.ts";

const DAY_MS = 86_400_000;
const HOSTS = ["localhost", "127.0.0.1"];

/** A storage with an authority and a certificate, in which `changes` replace or remove files. */
async function made(
  storage: Storage = new MemoryStorage(),
  changes: Record<string, string | undefined> = {},
) {
  const first = await ensureCertificate(storage, { hosts: HOSTS, nowMs: START });
  const copy = new MemoryStorage();
  for (const name of ["ca.pem", "ca-key.pem", "server.pem", "server-key.pem"]) {
    const text = name in changes ? changes[name] : await storage.read(name);
    if (text !== undefined) await copy.write(name, text);
  }
  return { storage: copy, first };
}

const ensure = (storage: Storage, options: object = {}) =>
  ensureCertificate(storage, { hosts: HOSTS, nowMs: START, ...options });

Deno.test("a missing certificate is made, and used from then on", async () => {
  const { storage, first } = await made();
  assertEquals(first.made, "there was none");
  assertEquals(await ensure(storage), {
    certificate: first.certificate,
    key: first.key,
    authority: first.authority,
  });
});

Deno.test("a good certificate is used although the folder cannot be locked or written", async () => {
  const { storage, first } = await made();
  const refuse = () => Promise.reject(new Error("read-only"));
  storage.exclusive = refuse;
  storage.write = refuse;
  assertEquals((await ensure(storage)).certificate, first.certificate);
  await assertRejects(() => ensure(storage, { renew: true }), Error, "read-only");
});

Deno.test("another order or spelling of the hosts is not a change of hosts", async () => {
  const { storage } = await made();
  assertEquals((await ensure(storage, { hosts: ["127.0.0.1", "LOCALHOST", "localhost"] })).made, undefined);
});

Deno.test("a server certificate is renewed by the same authority when asked, for other hosts, and near its end", async () => {
  for (
    const [options, reason] of [
      [{ renew: true }, "it was asked for"],
      [{ hosts: ["localhost"] }, "it was for other hosts"],
      [{ hosts: [...HOSTS, "::1"] }, "it was for other hosts"],
      [{ nowMs: START + 60 * DAY_MS + 1000 }, "it had 29 days left"],
      [{ nowMs: START + 90 * DAY_MS }, "it had ended"],
    ] as const
  ) {
    const { storage, first } = await made();
    const next = await ensure(storage, options);
    assertEquals(next.made, reason);
    assertEquals(next.authority, first.authority);
    assert(next.certificate !== first.certificate && next.key !== first.key);
    const again = await ensure(storage, { ...options, renew: false });
    assertEquals([again.made, again.certificate], [undefined, next.certificate]);
  }
  const { storage } = await made();
  assertEquals((await ensure(storage, { nowMs: START + 60 * DAY_MS })).made, undefined);
});

Deno.test("a short-lived certificate is not renewed every time", async () => {
  const storage = new MemoryStorage();
  const options = { days: 6 };
  assertEquals((await ensure(storage, options)).made, "there was none");
  assertEquals((await ensure(storage, { ...options, nowMs: START + 3 * DAY_MS })).made, undefined);
  assertEquals((await ensure(storage, { ...options, nowMs: START + 5 * DAY_MS })).made, "it had 1 days left");
});

Deno.test("an incomplete or mixed-up pair is replaced, and the authority only if it is missing", async () => {
  const { first } = await made();
  const cases: [Record<string, string | undefined>, string, boolean][] = [
    [{ "server.pem": undefined }, "there was none", true],
    [{ "server-key.pem": undefined }, "there was none", true],
    [{ "server-key.pem": first.key }, "the one there was could not be used", true],
    [{ "server-key.pem": "?" }, "the one there was could not be used", true],
    [{ "server.pem": "?" }, "the one there was could not be used", true],
    [
      { "server.pem": first.certificate, "server-key.pem": first.key },
      "another authority had signed it",
      true,
    ],
    [{ "ca.pem": undefined }, "its authority was gone", false],
    [{ "ca.pem": undefined, "server.pem": undefined }, "there was none", false],
  ];
  for (const [changes, reason, sameAuthority] of cases) {
    const { storage, first } = await made(undefined, changes);
    const next = await ensure(storage);
    assertEquals(
      [next.made, next.authority === first.authority],
      [reason, sameAuthority],
      JSON.stringify(changes),
    );
    assertEquals(await pairProblem(next), undefined);
    assertEquals((await ensure(storage)).made, undefined);
  }
});

Deno.test("the authority's key may be elsewhere until a new certificate is needed", async () => {
  const { storage } = await made(undefined, { "ca-key.pem": undefined });
  assertEquals((await ensure(storage)).made, undefined);
  const error = await assertRejects(
    () => ensure(storage, { hosts: ["a.example"] }),
    ParleyError,
    "it was for other hosts), but ca-key.pem (in memory) is not there",
  );
  assertEquals(error.code, "bad_argument");
});

Deno.test("a broken authority is reported and never replaced", async () => {
  const { first } = await made();
  for (
    const [changes, message] of [
      [{ "ca.pem": "?", "server.pem": undefined }, "ca.pem (in memory) is not a certificate in PEM"],
      [
        { "ca-key.pem": "?", "server.pem": undefined },
        "the key is not an unencrypted private key in PEM; restore ca",
      ],
      [{ "ca-key.pem": first.key, "server.pem": undefined }, "the key is not the certificate's"],
    ] as const
  ) {
    const { storage } = await made(undefined, changes);
    const before = await storage.read("ca.pem");
    await assertRejects(() => ensure(storage), ParleyError, message);
    assertEquals([await storage.read("ca.pem"), await storage.read("server.pem")], [before, undefined]);
  }
});

Deno.test("a certificate of another issuer is not replaced, unless the folder holds that issuer's authority", async () => {
  // An authority with a name that Parley does not give.
  const { storage: donor } = await made();
  const brought = await makeForeignAuthority();
  const foreign = await makeServerCertificate(brought, { hosts: HOSTS, nowMs: START });
  await donor.write("server.pem", foreign.certificate);
  await donor.write("server-key.pem", foreign.key);
  for (const renew of [false, true]) {
    await assertRejects(
      () => ensure(donor, { renew }),
      ParleyError,
      "was issued by CN=Example Corp, not by Parley",
    );
  }
  await donor.write("ca.pem", brought.certificate);
  await donor.write("ca-key.pem", brought.key);
  assertEquals((await ensure(donor)).made, undefined);
  const renewed = await ensure(donor, { renew: true });
  assertEquals((await describeCertificate(renewed.certificate)).issuer, "CN=Example Corp");
});

/** An authority as other tools make it. */
async function makeForeignAuthority() {
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const keys = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
    "sign",
    "verify",
  ]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: ["Example Corp"] }],
    keys,
    notBefore: new Date(START),
    notAfter: new Date(START + 365 * DAY_MS),
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { certificate: certificate.toString("pem"), key: x509.PemConverter.encode(pkcs8, "PRIVATE KEY") };
}

Deno.test("concurrent calls agree on one certificate, and readers never get a mixed-up pair", async () => {
  const storage = new MemoryStorage();
  const all = await Promise.all([ensure(storage), ensure(storage), ensure(storage)]);
  assertEquals(new Set(all.map(({ certificate }) => certificate)).size, 1);
  const renewals = [1, 2, 3].map(() => ensure(storage, { renew: true }));
  const read = await Promise.all(Array.from({ length: 10 }, () => ensure(storage)));
  await Promise.all(renewals);
  for (const pair of read) assertEquals(await pairProblem(pair), undefined);
});

Deno.test({
  name: "on disk only the owner can read the keys, and every user the certificates",
  ignore: !MAY_USE_FILES || Deno.build.os === "windows",
  async fn() {
    using folder = makeFolder();
    const path = `${folder.path}/certs`;
    const storage = new FolderStorage(path);
    const first = await ensure(storage);
    const modes = [...Deno.readDirSync(path)].map((
      { name },
    ) => [name, Deno.statSync(`${path}/${name}`).mode! & 0o777]);
    assertEquals(modes.sort().filter(([name]) => String(name).endsWith("key.pem")), [
      ["ca-key.pem", 0o600],
      ["server-key.pem", 0o600],
    ]);
    assert(
      modes.every(([name, mode]) =>
        (Number(mode) & 0o077) === 0 || ["ca.pem", "server.pem"].includes(String(name))
      ),
    );
    const before = await storage.stamp("server.pem");
    assertEquals((await ensure(storage)).made, undefined);
    assertEquals(await storage.stamp("server.pem"), before);
    assert((await ensure(storage, { renew: true })).certificate !== first.certificate);
    assert(await storage.stamp("server.pem") !== before);
    assertEquals(Deno.readTextFileSync(`${path}/ca.pem`), first.authority);
    Deno.chmodSync(`${path}/server-key.pem`, 0o644);
    await assertRejects(() => ensure(storage), ParleyError, "which is secret");
  },
});

Deno.test("an authority signs until it ends, and a certificate that ends with it is not made again and again", async () => {
  const storage = new MemoryStorage();
  const old = await makeAuthority(START - 3640 * DAY_MS);
  await storage.write("ca.pem", old.certificate);
  await storage.write("ca-key.pem", old.key);
  await ensure(storage);
  for (const days of [0, 5, 9]) {
    assertEquals((await ensure(storage, { nowMs: START + days * DAY_MS })).made, undefined);
  }
  await assertRejects(
    () => ensure(storage, { nowMs: START + 11 * DAY_MS }),
    ParleyError,
    "the authority ended at",
  );
});
