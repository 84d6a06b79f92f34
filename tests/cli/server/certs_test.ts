/**
 * `parley-server certs`, and certificates renewed under a running server.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { makeAuthority, makeServerCertificate } from "../../../lib/certificates/certificates.ts";
import { connect } from "../../../lib/client/connect.ts";
import { assertFailure } from "../../harness/program.ts";
import { siteTest } from "../../harness/site.ts";

siteTest(
  "certs makes an authority and a certificate, keeps a good one, and renews it with --renew",
  async (site) => {
    const command = ["certs", "--host", "hub.example", "--host", "192.0.2.7", "--days", "30"];
    const first = await site.server(command);
    assertEquals([first.code, first.stderr], [0, "made a new certificate, because there was none\n"]);
    assertMatch(
      first.stdout,
      /^certificate +certs\/server\.pem\nkey +certs\/server-key\.pem\nauthority +certs\/ca\.pem\nfor +hub\.example, 192\.0\.2\.7\nvalid until +.*Z\nSHA-256 +[0-9a-f]{64}\n$/,
    );
    const mode = (name: string) => (Deno.statSync(`${site.path}/certs/${name}`).mode! & 0o777).toString(8);
    assertEquals(["server-key.pem", "ca-key.pem", "server.pem", "ca.pem"].map(mode), [
      "600",
      "600",
      "644",
      "644",
    ]);
    const again = await site.server(command);
    assertEquals([again.code, again.stdout], [0, first.stdout]);
    assertMatch(again.stderr, /still good; use --renew to make a new one/);
    const authority = await Deno.readTextFile(`${site.path}/certs/ca.pem`);
    const renewed = await site.server(["certs", "--host", "hub.example", "--renew"]);
    assertMatch(renewed.stderr, /made a new certificate, because it was asked for/);
    assertEquals(await Deno.readTextFile(`${site.path}/certs/ca.pem`), authority, "clients go on knowing it");
  },
  { compiled: true },
);

siteTest("certs without --host is for this machine", async (site) => {
  assertMatch(await site.ok("certs"), /^for .*localhost, 127\.0\.0\.1, .*$/m);
});

for (
  const [args, words] of [
    [["--host", "a b"], /--host must be a name or an address, without a port, not "a b"/],
    [["--host", "0.0.0.0"], /--host: clients cannot connect to 0\.0\.0\.0; name the addresses/],
    [["--days", "1000"], /--days must be a whole number from 1 to 397/],
    [["now"], /unexpected argument "now"/],
  ] as const
) {
  siteTest(`certs ${args.join(" ")} is wrong usage`, async (site) => {
    const { code, stdout, stderr } = await site.server(["certs", ...args]);
    assertEquals([code, stdout], [2, ""]);
    assertMatch(stderr, words);
    assertEquals([...Deno.readDirSync(site.path)], []);
  });
}

siteTest("certs reports why it cannot make a certificate", async (site) => {
  await site.folder("open", 0o777);
  await Deno.writeTextFile(`${site.path}/open/x`, "");
  const open = await site.server(["certs", "--out", "open"]);
  assertEquals([open.code, open.stdout], [1, ""]);
  assertMatch(open.stderr, /others can change what is in the folder open .*chmod 700 open/);
});

siteTest("--tls-cert alone is enough if its file holds the key, too", async (site) => {
  const authority = await makeAuthority(Date.now());
  const pair = await makeServerCertificate(authority, { hosts: ["127.0.0.1"], nowMs: Date.now() });
  await site.write("both.pem", pair.key + pair.certificate);
  const ca = await site.write("ca.pem", authority.certificate);
  const server = await site.serve("--tls-cert", "both.pem");
  const ping = await site.parley(["ping", "--port", `${server.port}`, "--ca", ca]);
  assertEquals([ping.code, ping.stderr], [0, ""]);
});

siteTest("a renewed certificate is loaded on SIGHUP, and sessions continue", async (site) => {
  const [before, after] = await Promise.all([makeAuthority(Date.now()), makeAuthority(Date.now())]);
  const place = async (authority: typeof before) => {
    const pair = await makeServerCertificate(authority, { hosts: ["127.0.0.1"], nowMs: Date.now() });
    await Promise.all([site.write("s.pem", pair.certificate), site.write("s-key.pem", pair.key)]);
  };
  await place(before);
  const server = await site.serve("--tls-cert", "s.pem", "--tls-key", "s-key.pem");
  const { port } = server;
  await using ada = await connect({ port, ca: before.certificate });
  await using channel = await ada.subscribe("chat");

  await place(after);
  server.program.kill("SIGHUP");
  await server.log.untilLike("certificate renewed; sessions go on");
  await ada.publish("chat", "still here");
  for await (const message of channel) {
    assertEquals(message.text(), "still here");
    break;
  }
  const [oldCa, newCa] = [
    await site.write("old.pem", before.certificate),
    await site.write("new.pem", after.certificate),
  ];
  assertFailure(
    await site.parley(["ping", "--port", `${port}`, "--ca", oldCa]),
    3,
    /it is another server's or an old one/,
  );
  assertEquals((await site.parley(["ping", "--port", `${port}`, "--ca", newCa])).code, 0);

  await site.write("s-key.pem", "no key");
  server.program.kill("SIGHUP");
  const { level } = await server.log.untilLike("cannot renew the certificate; the one from before stays");
  assertEquals(level, "error");
  assertEquals((await site.parley(["ping", "--port", `${port}`, "--ca", newCa])).code, 0);
  await ada.ping();
}, { compiled: true });

siteTest("after parley-server certs --renew the link of a running server stays valid", async (site) => {
  const server = await site.serve("--host", "0.0.0.0");
  const link = await server.link();
  await using ada = await connect({ url: link });
  await site.ok("certs", "--renew");
  server.program.kill("SIGHUP");
  await server.log.untilLike("certificate renewed; sessions go on");
  await server.log.untilLike("checked for a new certificate and changed tokens");
  await ada.ping();
  assertEquals((await site.parley(["ping", "--url", link])).code, 0);
});
