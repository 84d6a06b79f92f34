/**
 * Every refusal: the client's message, its advice and exit code, and the details in the server's log.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import {
  type KeyPair,
  makeAuthority,
  makeServerCertificate,
} from "../../../lib/certificates/certificates.ts";
import { connect } from "../../../lib/client/connect.ts";
import type { ParleyError } from "../../../lib/errors.ts";
import { assertFailure } from "../../harness/program.ts";
import { Site, siteTest } from "../../harness/site.ts";

const DAY_MS = 86_400_000;

/** Starts a server with a certificate for `hosts`, made by a clock that is `days` off; clients are given its CA. */
async function serveCertificate(site: Site, hosts: string[], days = 0) {
  const nowMs = Date.now() + days * DAY_MS;
  const authority = await makeAuthority(Date.now() - 365 * DAY_MS);
  const pair = await makeServerCertificate(authority, { hosts, nowMs });
  const ca = await site.write("given-ca.pem", authority.certificate);
  const server = await site.serve(...await givenFiles(site, pair));
  return { server, ping: () => site.parley(["ping", "--port", `${server.port}`, "--ca", ca]) };
}

async function givenFiles(site: Site, { certificate, key }: KeyPair): Promise<string[]> {
  await Promise.all([site.write("given.pem", certificate), site.write("given-key.pem", key)]);
  return ["--tls-cert", "given.pem", "--tls-key", "given-key.pem"];
}

siteTest("a certificate of an authority that the client does not trust", async (site) => {
  const server = await site.serve("--tls");
  await site.ok("certs", "--host", "localhost", "--out", "other");
  for (const args of [["--tls"], ["--ca", "other/ca.pem"]]) {
    const ended = await site.parley(["ping", "--port", `${server.port}`, ...args]);
    assertFailure(
      ended,
      3,
      /has a certificate from a CA that is not known here; give that CA's certificate/,
    );
  }
  await server.log.untilLike("TLS handshake failed", "does not know the CA of this server's certificate");
});

siteTest("an expired certificate", async (site) => {
  const { server, ping } = await serveCertificate(site, ["127.0.0.1"], -100);
  assertFailure(
    await ping(),
    3,
    /expired \(20\d\d-\d\d-\d\d\); have it renewed there, and check that the clock here/,
  );
  assertEquals(
    (await server.log.untilLike("the certificate has expired and clients refuse it")).level,
    "warn",
  );
  await server.log.untilLike("TLS handshake failed", "expired");
});

siteTest("a certificate that is not valid yet", async (site) => {
  const { server, ping } = await serveCertificate(site, ["127.0.0.1"], 2);
  assertFailure(
    await ping(),
    3,
    /certificate that is not valid yet \(.*\); check that the clock here is right/,
  );
  assertEquals((await server.log.untilLike("the certificate is not valid yet")).level, "warn");
});

siteTest("a certificate for another name", async (site) => {
  const { server, ping } = await serveCertificate(site, ["hub.example", "192.0.2.200"]);
  assertFailure(
    await ping(),
    3,
    /not for 127\.0\.0\.1, but for hub\.example, 192\.0\.2\.200; connect by a name it is for/,
  );
  await server.log.untilLike("TLS handshake failed", "made for another name");
});

siteTest("a TLS client on a plain port", async (site) => {
  const server = await site.serve();
  const ended = await site.parley(["ping", "--port", `${server.port}`, "--tls"]);
  assertFailure(ended, 3, /does not speak TLS; connect without TLS, or check the port/);
  await server.log.untilLike("refused", "TLS");
});

siteTest("a plain client on a TLS port", async (site) => {
  const server = await site.serve("--tls");
  const ended = await site.parley(["ping", "--port", `${server.port}`]);
  assertFailure(ended, 3, /speaks TLS; connect over TLS \(a parleys:\/\/ URL\), with its CA/);
  await server.log.untilLike(
    "TLS handshake failed",
    "does not speak TLS; plain connections go to a server without TLS",
  );
});

siteTest("tokens: missing, expired, not yet valid, of another server, broken", async (site) => {
  await using other = new Site();
  const request = {
    name: "Ada",
    publish: [],
    subscribe: [],
    respond: [],
    direct: false,
    expiresInSeconds: 60,
  };
  const good = await site.issue("--name", "Ada");
  const server = await site.serve("--auth");
  const cases: [string | undefined, RegExp, string][] = [
    [
      undefined,
      /^parley: token missing: this server requires one; .*--token or PARLEY_TOKEN; parley doctor, .*$/m,
      "no token came",
    ],
    [
      await site.issueBy(-3600, request),
      /^parley: token expired: it ended at .*; ask for a new one; parley doctor, .*$/m,
      "now is",
    ],
    [
      await site.issueBy(3600, request),
      /token not yet valid: it begins at .*Z; wait, or set the clock that is wrong/,
      "clock says",
    ],
    [
      await other.issueBy(0, request),
      /not valid here: check that it is whole, and meant for this server/,
      "another server's",
    ],
    [`${good.slice(0, -9)}AAAAAAAAA`, /not valid here: check that it is whole/, "its signature is wrong"],
    ["nonsense", /not valid here/, "it is not a JWT"],
  ];
  await Promise.all(cases.map(async ([token, words, detail]) => {
    const env = token === undefined ? undefined : { PARLEY_TOKEN: token };
    const ended = await site.parley(["ping", "--port", `${server.port}`], { env });
    assertFailure(ended, 4, words);
    const line = await server.log.untilLike("refused", detail);
    assertEquals([line.level, line.code], ["warn", "unauthorized"]);
  }));
  const { stderr } = await server.stop();
  assertEquals(/eyJ/.test(stderr), false, "no part of a token is in the log");
});

siteTest("not granted: publish, subscribe, wider than the grant, direct", async (site) => {
  const token = await site.issue(
    "--name",
    "Ada",
    "--publish",
    "jobs.*",
    "--subscribe",
    "jobs.*.done",
    "--expires",
    "1h",
  );
  const server = await site.serve("--auth");
  const env = { PARLEY_TOKEN: token };
  const parley = (...args: string[]) => site.parley([...args, "--port", `${server.port}`], { env });
  const refused: [string[], RegExp][] = [
    [
      ["publish", "chat.lobby", "hello"],
      /does not allow to publish on chat\.lobby; use a token that permits it; parley doctor --channel NAME shows/m,
    ],
    [["publish", "jobs.a.done", "hello"], /does not allow to publish on jobs\.a\.done/],
    [
      ["subscribe", "jobs.a"],
      /does not allow to subscribe to jobs\.a; use a token that permits it; parley doctor/m,
    ],
    [["subscribe", "jobs.>"], /does not allow to subscribe to all of jobs\.>; use a token/],
    [["subscribe", "jobs.*.*"], /does not allow to subscribe to all of jobs\.\*\.\*/],
    [["request", "chat.lobby", "hello"], /does not allow to publish on chat\.lobby/],
    [
      ["respond", "jobs.a", "--exec", "cat"],
      /does not allow to respond on jobs\.a; use a token that permits it; parley doctor/m,
    ],
  ];
  for (const [args, words] of refused) assertFailure(await parley(...args), 4, words);
  assertEquals((await parley("publish", "jobs.a", "hello")).code, 0);
  const subscriber = site.startClient(["subscribe", "jobs.*.done", "--port", `${server.port}`], { env });
  await subscriber.stderr.until(/"message":"subscribed"/);

  const refusals: ParleyError[] = [];
  await using client = await connect({ port: server.port, token, onError: (error) => refusals.push(error) });
  await client.sendTo(client.sessionId, "to myself");
  await client.ping();
  assertEquals(refusals, []);
  await client.sendTo(client.sessionId + 1000, "to another");
  await client.ping();
  assertEquals(refusals.map(({ code }) => code), ["forbidden"]);
  assertMatch(refusals[0].message, /does not allow to write to others' inboxes/);
});

siteTest("a full server", async (site) => {
  const token = await site.issue("--name", "Ada", "--subscribe", ">");
  const server = await site.serve("--auth", "--tls", "--max-connections-per-address", "1");
  const args = ["--port", `${server.port}`, "--ca", "certs/ca.pem"];
  const env = { PARLEY_TOKEN: token };
  const ada = site.startClient(["subscribe", "chat", ...args], { env });
  await ada.stderr.until(/"message":"subscribed"/);
  const full = await site.parley(["ping", ...args], { env });
  assertFailure(
    full,
    3,
    /^parley: 127\.0\.0\.1 has 1 connection open, the most that one address may; try again later$/m,
  );
  ada.kill("SIGINT");
  await ada.ended();
  await server.log.untilLike("closed", '"reason":"bye"');
  // The place is free when the socket is closed, which is a moment after the log says so.
  let ended = await site.parley(["ping", ...args], { env });
  for (let tries = 0; ended.code === 3 && tries < 20; tries++) {
    ended = await site.parley(["ping", ...args], { env });
  }
  assertEquals([ended.code, ended.stderr], [0, ""]);
});

siteTest("a rate limit slows a session down, and refuses nothing", async (site) => {
  const server = await site.serve("--max-message-rate", "100", "--max-byte-rate", "64KiB");
  await using client = await connect({ port: server.port });
  await using channel = await client.subscribe("chat");
  const start = performance.now();
  for (let count = 0; count < 250; count++) await client.publish("chat", `${count}`);
  await client.ping({ timeoutMs: 20_000 });
  const seconds = (performance.now() - start) / 1000;
  assertEquals(seconds > 1.2 && seconds < 10, true, `250 messages at 100 a second took ${seconds} s`);
  let received = 0;
  for await (const message of channel) {
    assertEquals(message.text(), `${received}`);
    if (++received === 250) break;
  }
});
