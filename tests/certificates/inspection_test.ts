/** Certificates that a server can serve and clients refuse: each flaw is found, held against a real client. */

import { assertEquals, assertMatch } from "@std/assert";
import { flawsAt, inspect } from "../../lib/certificates/inspection.ts";
import { makeAuthority, makeServerCertificate } from "../../lib/certificates/certificates.ts";
import { type Differences, ExtendedKeyUsage, KeyUsageFlags, makeRoot, makeSigned } from "./flawed.ts";

const root = await makeRoot();

/** Serves the certificate to Deno's TLS client, which trusts `ca`; resolves to why it refuses, or undefined. */
async function refusal(
  pair: { certificate: string; key: string },
  ca: string,
  hostname: string,
): Promise<string | undefined> {
  using listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert: pair.certificate, key: pair.key });
  const serve = async () => {
    using connection = await listener.accept();
    await connection.handshake();
  };
  const served = serve().catch(() => {}); // the client's error is what counts
  try {
    const { port } = listener.addr as Deno.NetAddr;
    const tcp = await Deno.connect({ hostname: "127.0.0.1", port });
    using connection = await Deno.startTls(tcp, { hostname, caCerts: [ca] });
    await connection.handshake();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  } finally {
    await served;
  }
}

const CASES: readonly [
  name: string,
  Differences & { selfSigned?: true; hostname?: string },
  flaws: string[],
  refused: RegExp,
][] = [
  [
    "self-signed and marked as an authority",
    { selfSigned: true, isAuthority: true },
    ["authority"],
    /CaUsedAsEndEntity/,
  ],
  ["signed and marked as an authority", { isAuthority: true }, ["authority"], /CaUsedAsEndEntity/],
  ["a common name only", { names: [] }, ["names"], /not valid for any names/],
  [
    "no name but an email address",
    { names: [{ type: "email", value: "a@b.example" }] },
    ["names"],
    /not valid for name/,
  ],
  [
    "an address as a DNS name",
    { names: [{ type: "dns", value: "127.0.0.1" }], hostname: "127.0.0.1" },
    ["names"],
    /not valid for name/,
  ],
  ["for clients only", { purposes: [ExtendedKeyUsage.clientAuth] }, ["usage"], /extended key usage/],
  ["signed with SHA-1", { hash: "SHA-1" }, ["signature"], /UnsupportedSignatureAlgorithm/],
  ["expired", { from: -100, until: -1 }, ["expired"], /expired/],
  ["not yet valid", { from: 1 }, ["not yet valid"], /not valid yet/],
];

for (const [name, { selfSigned, hostname = "localhost", ...differences }, kinds, refused] of CASES) {
  Deno.test(`a certificate is flawed, and a client refuses it: ${name}`, async () => {
    const pair = await makeSigned(selfSigned ? undefined : root, differences);
    const flaws = flawsAt(await inspect(pair), Date.now());
    assertEquals(flaws.map(({ kind }) => kind), kinds);
    for (const { message } of flaws) assertMatch(message, /clients.* refuse it|clients refuse it/);
    assertMatch(
      await refusal(pair, selfSigned ? pair.certificate : root.certificate, hostname) ?? "",
      refused,
    );
  });
}

Deno.test("a certificate that clients accept has no flaw", async () => {
  const serverAuth = [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth];
  const signing = KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment;
  for (const differences of [{}, { purposes: serverAuth }, { usages: signing }]) {
    for (const issuer of [root, undefined]) {
      const pair = await makeSigned(issuer, differences);
      assertEquals(flawsAt(await inspect(pair), Date.now()), []);
      assertEquals(await refusal(pair, (issuer ?? pair).certificate, "localhost"), undefined);
    }
  }
});

Deno.test("a certificate made by Parley has no flaw", async () => {
  const nowMs = Date.now();
  const pair = await makeServerCertificate(await makeAuthority(nowMs), {
    hosts: ["localhost", "::1"],
    nowMs,
  });
  assertEquals(flawsAt(await inspect(pair), nowMs), []);
});

Deno.test("a key usage without signatures is a flaw, though Deno's own client does not look at it", async () => {
  const flaws = flawsAt(
    await inspect(await makeSigned(root, { usages: KeyUsageFlags.keyEncipherment })),
    Date.now(),
  );
  assertEquals(flaws.map(({ kind }) => kind), ["usage"]);
});

Deno.test("a chain is flawed if the issuer's certificate is missing or has expired, and a client refuses it", async () => {
  const intermediate = await makeSigned(root, { isAuthority: true, names: [] });
  const leaf = await makeSigned(intermediate, { namesIssuer: true });
  const whole = { ...leaf, certificate: leaf.certificate + intermediate.certificate };
  assertEquals(flawsAt(await inspect(whole), Date.now()), []);
  assertEquals(await refusal(whole, root.certificate, "localhost"), undefined);

  assertEquals(flawsAt(await inspect(leaf), Date.now()).map(({ kind }) => kind), ["chain"]);
  assertMatch(await refusal(leaf, root.certificate, "localhost") ?? "", /UnknownIssuer/);

  const expired = await makeSigned(root, { isAuthority: true, names: [], from: -10, until: -1 });
  const late = await makeSigned(expired, { namesIssuer: true });
  const chain = { ...late, certificate: late.certificate + expired.certificate };
  assertEquals(flawsAt(await inspect(chain), Date.now()).map(({ kind }) => kind), ["expired"]);
  assertMatch(await refusal(chain, root.certificate, "localhost") ?? "", /expired/);
});
