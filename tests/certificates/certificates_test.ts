import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import tls from "node:tls";
import {
  describeCertificate,
  isSignedBy,
  type KeyPair,
  makeAuthority,
  makeServerCertificate,
  pairProblem,
} from "../../lib/certificates/certificates.ts";
import { ParleyError } from "../../lib/errors.ts";
import { makeFolder } from "../harness/folder.ts";
import { MAY_RUN } from "../harness/permissions.ts";

const DAY_MS = 86_400_000;
const nowMs = Date.now(); // TLS libraries use the real clock
const authority = await makeAuthority(nowMs);
const HOSTS = ["localhost", "127.0.0.1", "::1"];
const server = await makeServerCertificate(authority, { hosts: HOSTS, nowMs });

/** Connects over TLS to a server with `pair`; the client expects `hostname` and trusts `ca`. Resolves to what it reads. */
async function handshake(pair: KeyPair, ca: string, hostname: string): Promise<string> {
  using listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert: pair.certificate, key: pair.key });
  const { port } = listener.addr as Deno.NetAddr;
  const serve = async () => {
    using conn = await listener.accept();
    await conn.handshake();
    await conn.write(new TextEncoder().encode("hello"));
  };
  const served = serve().catch(() => {}); // the client's error is asserted
  try {
    // Connects by address first, so that any hostname works without a resolver.
    const tcp = await Deno.connect({ hostname: "127.0.0.1", port });
    using conn = await Deno.startTls(tcp, { hostname, caCerts: [ca] });
    await conn.handshake();
    const buffer = new Uint8Array(16);
    return new TextDecoder().decode(buffer.subarray(0, await conn.read(buffer) ?? 0));
  } finally {
    await served;
  }
}

Deno.test("a client that trusts the authority connects by DNS name", async () => {
  assertEquals(await handshake(server, authority.certificate, "localhost"), "hello");
});

Deno.test("a client that trusts the authority connects by IPv4 and by IPv6 address", async () => {
  assertEquals(await handshake(server, authority.certificate, "127.0.0.1"), "hello");
  assertEquals(await handshake(server, authority.certificate, "::1"), "hello");
});

Deno.test("connectTls accepts the certificate, by name and by address", async () => {
  using listener = Deno.listenTls({
    hostname: "127.0.0.1",
    port: 0,
    cert: server.certificate,
    key: server.key,
  });
  const { port } = listener.addr as Deno.NetAddr;
  for (const hostname of ["localhost", "127.0.0.1"]) {
    const accepted = listener.accept();
    using client = await Deno.connectTls({ hostname, port, caCerts: [authority.certificate] });
    using conn = await accepted;
    const [info] = await Promise.all([client.handshake(), conn.handshake()]);
    assert(info !== undefined, hostname);
  }
});

Deno.test("the client rejects a name or an address that is not in the certificate", async () => {
  for (const hostname of ["other.example", "127.0.0.2", "::2", "sub.localhost"]) {
    await assertRejects(
      () => handshake(server, authority.certificate, hostname),
      Error,
      "certificate not valid for name",
      hostname,
    );
  }
});

Deno.test("a wildcard stands for one label", async () => {
  const wild = await makeServerCertificate(authority, { hosts: ["*.example.org"], nowMs });
  assertEquals(await handshake(wild, authority.certificate, "a.example.org"), "hello");
  for (const hostname of ["example.org", "a.b.example.org"]) {
    await assertRejects(
      () => handshake(wild, authority.certificate, hostname),
      Error,
      "certificate not valid for name",
      hostname,
    );
  }
});

Deno.test("the client rejects a certificate of another authority made by Parley", async () => {
  const other = await makeAuthority(nowMs);
  await assertRejects(() => handshake(server, other.certificate, "localhost"), Error, "UnknownIssuer");
});

Deno.test("the client rejects a certificate that has ended or has not begun", async () => {
  const ended = await makeServerCertificate(authority, {
    hosts: ["localhost"],
    days: 1,
    nowMs: nowMs - 2 * DAY_MS,
  });
  await assertRejects(
    () => handshake(ended, authority.certificate, "localhost"),
    Error,
    "certificate expired",
  );
  const early = await makeServerCertificate(authority, { hosts: ["localhost"], nowMs: nowMs + 2 * DAY_MS });
  await assertRejects(
    () => handshake(early, authority.certificate, "localhost"),
    Error,
    "certificate not valid yet",
  );
});

Deno.test("node:tls accepts the certificate too, by name and by address", async () => {
  const listener = tls.createServer(
    { cert: server.certificate, key: server.key },
    (socket) => socket.end("hello"),
  );
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  for (const host of ["localhost", "127.0.0.1"]) {
    const socket = tls.connect({ host, port, ca: [authority.certificate] });
    const [data] = await once(socket, "data");
    assertEquals(String(data), "hello");
    socket.destroy();
    await once(socket, "close");
  }
  listener.close();
  await once(listener, "close");
});

Deno.test("a server certificate is described with subject, issuer, hosts, times and fingerprint", async () => {
  const start = Math.floor(nowMs / 1000) * 1000;
  const description = await describeCertificate(server.certificate);
  const { certificate } = authority;
  assertEquals(description, {
    subject: "CN=localhost",
    issuer: (await describeCertificate(certificate)).subject,
    hosts: HOSTS,
    notBefore: new Date(start - 3600_000),
    notAfter: new Date(start + 90 * DAY_MS),
    fingerprint: await fingerprintOf(server.certificate),
    isAuthority: false,
  });
  assert(await isSignedBy(server.certificate, certificate));
  assert(!await isSignedBy(server.certificate, (await makeAuthority(nowMs)).certificate));
  assert(!await isSignedBy(server.certificate, server.certificate));
});

async function fingerprintOf(pem: string): Promise<string> {
  const der = Buffer.from(pem.replace(/-----[^-]+-----/g, ""), "base64");
  return Buffer.from(await crypto.subtle.digest("SHA-256", der)).toString("hex");
}

Deno.test("an authority lasts ten years, is marked as one, and has a unique name", async () => {
  const { subject, issuer, isAuthority, notAfter, hosts } = await describeCertificate(authority.certificate);
  assertMatch(subject, /^CN=Parley CA [0-9a-f]{8}$/);
  assertEquals([issuer, isAuthority, hosts], [subject, true, []]);
  assertEquals(Math.round((notAfter.getTime() - nowMs) / DAY_MS), 3650);
  const other = await describeCertificate((await makeAuthority(nowMs)).certificate);
  assert(
    other.subject !== subject &&
      other.fingerprint !== (await describeCertificate(authority.certificate)).fingerprint,
  );
});

Deno.test("a server certificate never outlives its authority, and an expired authority signs nothing", async () => {
  const old = await makeAuthority(nowMs - 3600 * DAY_MS);
  const { notAfter } = await describeCertificate(old.certificate);
  const last = await makeServerCertificate(old, { hosts: ["a.example"], nowMs });
  assertEquals((await describeCertificate(last.certificate)).notAfter, notAfter);
  const after = notAfter.getTime();
  await assertRejects(
    () => makeServerCertificate(old, { hosts: ["a.example"], nowMs: after }),
    ParleyError,
    "this authority cannot sign: it ended at",
  );
});

Deno.test("only an authority with its own key can sign", async () => {
  const sign = (pair: KeyPair) => makeServerCertificate(pair, { hosts: ["a.example"], nowMs });
  await assertRejects(() => sign(server), ParleyError, "not an authority's certificate");
  await assertRejects(() => sign({ ...authority, key: server.key }), ParleyError, "not the certificate's");
  await assertRejects(() => sign({ ...authority, key: "?" }), ParleyError, "not an unencrypted private key");
  await assertRejects(
    () => sign({ ...authority, certificate: "?" }),
    ParleyError,
    "not a certificate in PEM",
  );
});

Deno.test("a wrong request is explained", async () => {
  const make = (options: object) =>
    makeServerCertificate(authority, { hosts: ["a.example"], nowMs, ...options });
  await assertRejects(() => make({ hosts: [] }), ParleyError, "for 1 to 100 hosts, not 0");
  await assertRejects(() => make({ hosts: Array(101).fill("a.example") }), ParleyError, "not 101");
  for (const days of [0, 398, 1.5, NaN]) {
    await assertRejects(() => make({ days }), ParleyError, `for 1 to 397 days, not ${days}`);
  }
  await assertRejects(() => make({ hosts: ["a b"] }), ParleyError, 'not "a b"');
});

Deno.test("a host named twice, in whatever form, is in the certificate once", async () => {
  const hosts = ["A.example", "a.example", "::1", "[0:0::1]", "10.0.0.1"];
  const { certificate } = await makeServerCertificate(authority, { hosts, nowMs });
  assertEquals((await describeCertificate(certificate)).hosts, ["a.example", "::1", "10.0.0.1"]);
});

Deno.test("a name longer than a common name may be is certified", async () => {
  const name = `${"a".repeat(60)}.${"b".repeat(60)}.example`;
  const pair = await makeServerCertificate(authority, { hosts: [name], nowMs });
  assertEquals(await handshake(pair, authority.certificate, name), "hello");
});

Deno.test("the first certificate of a file is described, whatever else the file holds", async () => {
  const chain = `a note\n${server.certificate}${authority.certificate}`;
  assertEquals((await describeCertificate(chain)).subject, "CN=localhost");
  assertEquals((await describeCertificate(`${server.key}${server.certificate}`)).subject, "CN=localhost");
  for (const pem of ["", "?", server.key, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]) {
    const error = await assertRejects(
      () => describeCertificate(pem),
      ParleyError,
      "not a certificate in PEM",
    );
    assertEquals(error.code, "bad_argument");
  }
});

Deno.test("a key in any format is checked against a certificate", async () => {
  assertEquals(await pairProblem(server), undefined);
  const wrong = "the key is not the certificate's";
  assertEquals(await pairProblem({ ...server, key: authority.key }), wrong);
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  for (const type of ["pkcs1", "pkcs8"] as const) {
    const key = privateKey.export({ type, format: "pem" }) as string;
    assertEquals(await pairProblem({ ...server, key }), wrong);
  }
  for (const key of ["", "?", server.certificate]) {
    assertEquals(await pairProblem({ ...server, key }), "the key is not an unencrypted private key in PEM");
  }
});

Deno.test({
  name: "OpenSSL with its strictest checks accepts a hundred certificates",
  ignore: !MAY_RUN || !hasOpenSsl(),
  async fn() {
    using folder = makeFolder();
    const hosts = ["parley.example", "*.example.org", "192.0.2.7", "2001:db8::7", "bücher.example"];
    const options = ["-x509_strict", "-purpose", "sslserver", "-CAfile", `${folder.path}/ca.pem`];
    for (let authorities = 0; authorities < 10; authorities++) {
      const ca = authorities === 0 ? authority : await makeAuthority(nowMs);
      Deno.writeTextFileSync(`${folder.path}/ca.pem`, ca.certificate);
      const files: string[] = [];
      for (let at = 0; at < 10; at++) {
        const { certificate } = await makeServerCertificate(ca, { hosts, nowMs });
        files.push(`${folder.path}/server${at === 0 ? "" : at}.pem`);
        Deno.writeTextFileSync(files[at], certificate);
      }
      for (const check of [["-verify_ip", "2001:db8:0::7"], ["-verify_hostname", "xn--bcher-kva.example"]]) {
        const { code, stdout, stderr } = new Deno.Command("openssl", {
          args: ["verify", ...options, ...check, ...files],
        }).outputSync();
        assertEquals(code, 0, new TextDecoder().decode(stderr));
        assertEquals(new TextDecoder().decode(stdout).match(/: OK$/gm)?.length, files.length);
      }
    }
    const { stdout } = new Deno.Command("openssl", {
      args: ["x509", "-in", `${folder.path}/server.pem`, "-noout", "-text", "-nameopt", "RFC2253"],
    }).outputSync();
    const text = new TextDecoder().decode(stdout);
    for (
      const part of [
        /Basic Constraints: critical\s+CA:FALSE/,
        /Key Usage: critical\s+Digital Signature\n/,
        /Extended Key Usage: *\s+TLS Web Server Authentication\n/,
        /DNS:parley\.example, DNS:\*\.example\.org, IP Address:192\.0\.2\.7, IP Address:2001:DB8:0:0:0:0:0:7, DNS:xn/,
        /Signature Algorithm: ecdsa-with-SHA256/,
        /NIST CURVE: P-256/,
      ]
    ) assertMatch(text, part);
  },
});

function hasOpenSsl(): boolean {
  try {
    return new Deno.Command("openssl", { args: ["version"], stdout: "null" }).outputSync().success;
  } catch {
    return false;
  }
}
