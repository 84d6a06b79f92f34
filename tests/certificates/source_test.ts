/** The sources of certificates: made by Parley in a folder, or given in two files. */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  describeCertificate,
  makeAuthority,
  makeServerCertificate,
} from "../../lib/certificates/certificates.ts";
import { ensureCertificate } from "../../lib/certificates/folder.ts";
import { givenCertificate, ownCertificates } from "../../lib/certificates/source.ts";
import { MemoryStorage } from "../../lib/state/storage.ts";
import { ParleyError } from "../../lib/errors.ts";
import { CERTIFICATE_DAYS, MAX_HOSTS, RENEW_BELOW_DAYS } from "../../lib/limits.ts";
import { Clock, DAY_SECONDS } from "../auth/fixtures.ts";
import { makeFolder } from "../harness/folder.ts";
import { MAY_USE_FILES } from "../harness/permissions.ts";

const hostsOf = async (pem: string) => (await describeCertificate(pem)).hosts;

Deno.test("a certificate is made once, and renewed by the same authority when few days are left", async () => {
  const clock = new Clock();
  const source = ownCertificates(new MemoryStorage(), ["localhost"], clock.now);
  const first = await source.read();
  assertEquals(await source.read(), {
    certificate: first.certificate,
    key: first.key,
    authority: first.authority,
  });
  clock.advance((CERTIFICATE_DAYS - RENEW_BELOW_DAYS + 1) * DAY_SECONDS);
  const second = await source.read();
  assertEquals([second.certificate === first.certificate, second.authority], [false, first.authority]);
});

Deno.test("a new certificate keeps the hosts of the existing one", async () => {
  const [storage, clock] = [new MemoryStorage(), new Clock()];
  await ensureCertificate(storage, { hosts: ["hub.example", "203.0.113.7"], nowMs: clock.ms });
  const { certificate } = await ownCertificates(storage, ["LOCALHOST", "::1"], clock.now).read();
  assertEquals(await hostsOf(certificate), ["localhost", "::1", "hub.example", "203.0.113.7"]);
});

Deno.test("two servers with one folder share one certificate", async () => {
  const [storage, clock] = [new MemoryStorage(), new Clock()];
  const one = ownCertificates(storage, ["one.example", "localhost"], clock.now);
  const two = ownCertificates(storage, ["two.example", "localhost"], clock.now);
  await one.read();
  const agreed = await two.read();
  for (const source of [one, two, one]) assertEquals((await source.read()).certificate, agreed.certificate);
});

Deno.test("earlier hosts give way if the certificate has no room for the current ones", async () => {
  const [storage, clock] = [new MemoryStorage(), new Clock()];
  const before = Array.from({ length: MAX_HOSTS }, (_, at) => `10.0.0.${at}`);
  await ensureCertificate(storage, { hosts: before, nowMs: clock.ms });
  const source = ownCertificates(storage, ["localhost", "10.0.1.1"], clock.now);
  const { certificate } = await source.read();
  assertEquals((await hostsOf(certificate)).slice(0, 3), ["localhost", "10.0.1.1", "10.0.0.0"]);
  assertEquals((await source.read()).certificate, certificate);
});

Deno.test("a certificate that cannot be read is replaced, for the current hosts", async () => {
  const [storage, clock] = [new MemoryStorage(), new Clock()];
  const source = ownCertificates(storage, ["localhost"], clock.now);
  await source.read();
  await storage.write("server.pem", "no certificate");
  assertEquals(await hostsOf((await source.read()).certificate), ["localhost"]);
});

Deno.test("a malformed host is rejected", async () => {
  const source = ownCertificates(new MemoryStorage(), ["a b"], Date.now);
  await assertRejects(() => source.read(), ParleyError, "a host is a name or an address");
});

Deno.test({
  name: "given files are read each time, and problems name the file",
  ignore: !MAY_USE_FILES,
  fn: async () => {
    using folder = makeFolder();
    const [one, two] = [`${folder.path}/cert.pem`, `${folder.path}/key.pem`];
    const write = (path: string, text: string) => Deno.writeTextFile(path, text);
    const problem = async () =>
      (await assertRejects(() => givenCertificate(one, two).read(), ParleyError)).message;
    assertEquals(await problem(), `cannot read the certificate ${one}: there is no such file`);

    const authority = await makeAuthority(Date.now());
    const pair = await makeServerCertificate(authority, { hosts: ["localhost"], nowMs: Date.now() });
    await write(one, pair.certificate);
    assertEquals(await problem(), `cannot read the key ${two}: there is no such file`);
    await write(two, pair.key);
    const source = givenCertificate(one, two);
    assertEquals(await source.read(), pair);

    await write(two, authority.key);
    assertMatch(
      await problem(),
      /cert\.pem and the key .*key\.pem cannot be used: the key is not the certificate's$/,
    );
    await write(two, "");
    assertMatch(await problem(), /the key is not an unencrypted private key in PEM$/);
    await write(one, "");
    assertMatch(await problem(), /the first is not a certificate in PEM/);
    await Promise.all([write(one, pair.key), write(two, pair.certificate)]);
    assertMatch(await problem(), /they are the wrong way round$/);
    assertEquals((await problem()).includes("BEGIN PRIVATE"), false);

    const next = await makeServerCertificate(authority, { hosts: ["localhost"], nowMs: Date.now() });
    await Promise.all([write(one, next.certificate), write(two, next.key)]);
    assertEquals(await source.read(), next);
  },
});

Deno.test({
  name: "certificate and key may be in one file, in any order and beside other blocks",
  ignore: !MAY_USE_FILES,
  fn: async () => {
    using folder = makeFolder();
    const [both, chainFile] = [`${folder.path}/both.pem`, `${folder.path}/chain.pem`];
    const authority = await makeAuthority(Date.now());
    const pair = await makeServerCertificate(authority, { hosts: ["localhost"], nowMs: Date.now() });
    const chain = pair.certificate + authority.certificate;
    const parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    const expected = { certificate: chain, key: pair.key };
    await Deno.writeTextFile(chainFile, chain);
    for (
      const text of [
        chain + pair.key,
        pair.key + chain,
        `Bag Attributes: x\n${parameters}${pair.key}\r\n${chain}`,
      ]
    ) {
      await Deno.writeTextFile(both, text);
      for (
        const source of [
          givenCertificate(both, both),
          givenCertificate(both),
          givenCertificate(chainFile, both),
        ]
      ) {
        assertEquals(await source.read(), expected);
      }
    }
    const problem = async (...files: [string, string?]) =>
      (await assertRejects(() => givenCertificate(...files).read(), ParleyError)).message;
    assertEquals(
      await problem(chainFile),
      `the certificate and the key in ${chainFile} cannot be used: there is no private key in this file; ` +
        "give the file of the key as well",
    );
    await Deno.writeTextFile(both, pair.certificate + authority.key);
    assertMatch(await problem(both), /cannot be used: the key is not the certificate's$/);
    await Deno.writeTextFile(both, pair.key);
    assertMatch(await problem(both), /not a certificate in PEM/);
  },
});
