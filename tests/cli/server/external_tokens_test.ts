/** Tokens of another issuer with the programs: options, start, the watched file of keys, revoking, and exit codes. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { exportSPKI } from "jose";
import {
  AUDIENCE,
  ISSUER,
  type IssuerKey,
  jwksOf,
  makeIssuerKey,
  signToken,
} from "../../auth/external_fixtures.ts";
import { ServerProcess } from "../../harness/server_process.ts";
import { type Site, siteTest } from "../../harness/site.ts";

const PINNED = ["--auth-issuer", ISSUER, "--auth-audience", AUDIENCE];

const sign = (key: IssuerKey, claims: object = {}) =>
  signToken(key, Math.floor(Date.now() / 1000), { parley: { subscribe: ["chat"] }, ...claims });

/** Starts a subscriber with `token`, and waits until it has subscribed. */
async function subscriber(site: Site, port: number, token: string) {
  const program = site.startClient(["subscribe", "chat", "--port", `${port}`], {
    env: { PARLEY_TOKEN: token },
  });
  await program.stderr.until(/subscribed|listening|chat/);
  return program;
}

siteTest("--auth-keys requires tokens, and a file of keys is read again when it changes", async (site) => {
  const [first, second] = await Promise.all(["ES256", "EdDSA"].map((alg) => makeIssuerKey(alg)));
  await site.write("keys.json", jwksOf(first), 0o644);
  await site.write("keys.pem", await exportSPKI((await makeIssuerKey("RS256")).publicKey), 0o644);
  const server = await site.serve("--auth-keys", "keys.json", "--auth-keys", "keys.pem", ...PINNED);
  const { keys, issuer } = await server.log.until("tokens of another issuer are accepted");
  assertEquals([keys, issuer], [2, ISSUER]);
  const ping = async (token: string | undefined) => {
    const env = token === undefined ? undefined : { PARLEY_TOKEN: token };
    return (await site.parley(["ping", "--count", "1", "--port", `${server.port}`], { env })).code;
  };
  assertEquals([await ping(undefined), await ping(await sign(first))], [4, 0]);
  const env = { PARLEY_TOKEN: await sign(first) };
  const doctor = await site.parley(["doctor", "--port", `${server.port}`], { env });
  assertMatch(
    doctor.stdout,
    /^ok {4}token {7}Ada's from https:\/\/app\.example, valid until .*; may subscribe to chat; may not publish/m,
  );
  await site.write("keys.json", "not yet", 0o644);
  const failed = await server.log.untilLike("cannot read the keys of another issuer; those from before stay");
  assertMatch(`${failed.reason}`, /keys\.json is neither JSON nor PEM/);
  assertEquals(await ping(await sign(first)), 0);
  await site.write("keys.json", jwksOf(second), 0o644);
  await server.log.untilLike("the keys of another issuer can be read again");
  assertEquals([await ping(await sign(first)), await ping(await sign(second))], [4, 0]);
  const { stderr } = await server.stop();
  assertEquals(/eyJ/.test(stderr), false, "no part of a token is in the log");
}, { compiled: true });

siteTest(
  "token revoke --external ends the sessions of an id within 5 s, and none by a mistake",
  async (site) => {
    const key = await makeIssuerKey("EdDSA");
    await site.write("keys.json", jwksOf(key), 0o644);
    const server = await site.serve("--auth-keys", "keys.json", ...PINNED);
    const token = await sign(key);
    const ada = await subscriber(site, server.port, token);
    const other = await subscriber(site, server.port, await sign(key, { jti: "login-7" }));
    const mistaken = await site.server(["token", "revoke", "login-77"]);
    assertEquals(mistaken.code, 1);
    assertMatch(mistaken.stderr, /no token has an id that begins with "login-77".*--external revokes/);
    const start = performance.now();
    const { stderr } = await site.server(["token", "revoke", "--external", "login-77"]);
    assertEquals(stderr, "revoked login-77 of your own backend; its sessions end within seconds\n");
    const { code } = await ada.ended();
    assert(performance.now() - start < 5000);
    assertEquals(code, 4);
    const again = await site.parley(["ping", "--port", `${server.port}`], { env: { PARLEY_TOKEN: token } });
    assertEquals(again.code, 4);
    assertMatch(again.stderr, /token revoked: ask for a new one/);
    const json = JSON.parse(await site.ok("token", "revoke", "--external", "login-77", "--json"));
    assertEquals([json.id, typeof json.revokedAtMs], ["login-77", "number"]);
    other.kill("SIGTERM");
    assertEquals((await other.ended()).code === 4, false);
  },
);

siteTest("config shows whose tokens are accepted, by which keys", async (site) => {
  const shown = await site.ok("config", "--auth-keys", "https://app.example/jwks.json", ...PINNED);
  assertMatch(shown, /auth-max-lifetime +1d/);
  assertMatch(shown, /tokens +required, because of --auth-keys; stored in parley-state\n/);
  assertMatch(
    shown,
    /also those of https:\/\/app\.example for parley\.app\.example; keys from https:\/\/app\.example\/jwks\.json\n/,
  );
});

siteTest(
  "wrong options for tokens of another issuer are wrong usage, and passwords in them are not shown",
  async (site) => {
    const cases: [string[], RegExp][] = [
      [["--auth-keys", "keys.json"], /auth-keys needs auth-issuer and auth-audience.*auth-issuer is missing/],
      [["--auth-keys", "k", "--auth-issuer", "a"], /auth-audience is missing/],
      [["--auth-issuer", "a"], /auth-issuer needs auth-keys/],
      [["--auth-audience", "a"], /auth-audience needs auth-keys/],
      [
        ["--auth-keys", "k", "--auth-issuer", "parley-server", "--auth-audience", "a"],
        /auth-issuer must not be "parley-server", the issuer of the server's own tokens/,
      ],
      [["--auth-keys", "http://app.example/k", ...PINNED], /not from http:\/\/app\.example.*can make tokens/],
      [["--auth-keys", "http://127.0.0.1.evil.example/k", ...PINNED], /not from http:/],
      [["--auth-keys", "ftp://app.example/k", ...PINNED], /not from ftp:/],
      [["--auth-keys", "data:text/plain,x", ...PINNED], /not from data:/],
      [["--auth-keys", "https://", ...PINNED], /is no valid URL/],
      [["--auth-keys", "https://a:secret@app.example/k", ...PINNED], /app\.example must not hold a user/],
      [["--auth-keys", "k", ...PINNED, "--auth-max-lifetime", "31d"], /a time from 1m to 30d/],
    ];
    await Promise.all(cases.map(async ([args, words]) => {
      const { code, stderr } = await site.server(args);
      assertEquals([code, stderr.includes("secret")], [2, false], stderr);
      assertMatch(stderr, words);
    }));
  },
);

siteTest("a start fails if a file of keys is missing, secret or open to others", async (site) => {
  const { jwk } = await makeIssuerKey("EdDSA");
  await site.write("secret.json", JSON.stringify({ ...jwk, d: "c2VjcmV0" }));
  await site.write("open.json", JSON.stringify(jwk));
  await Deno.chmod(`${site.path}/open.json`, 0o666);
  const cases: [string, RegExp][] = [
    ["gone.json", /cannot read the keys gone\.json: there is no such file/],
    ["secret.json", /secret\.json holds a private or secret key/],
    ["open.json", /others can change open\.json, and so make tokens/],
  ];
  await Promise.all(cases.map(async ([file, words], at) => {
    const { code, stderr } = await site.server([
      "--port",
      "0",
      "--state",
      `s${at}`,
      "--auth-keys",
      file,
      ...PINNED,
    ]);
    assertEquals([code, stderr.includes("c2VjcmV0")], [1, false], stderr);
    assertMatch(stderr.trimEnd().split("\n").at(-1)!, words);
  }));
});

siteTest(
  "keys come from https: if the certificate is trusted, and SIGHUP fetches them at once",
  async (site) => {
    const [first, second] = await Promise.all(["1", "2"].map((kid) => makeIssuerKey("RS256", kid)));
    await site.ok("certs", "--host", "localhost", "--out", "web");
    const [cert, key] = await Promise.all(
      ["server", "server-key"].map((name) => Deno.readTextFile(`${site.path}/web/${name}.pem`)),
    );
    let keys = jwksOf(first);
    const listening = {
      hostname: "127.0.0.1",
      port: 0,
      cert,
      key,
      onListen: () => {},
      onError: () => new Response(),
    };
    await using web = Deno.serve(listening, () => new Response(keys));
    const args = ["--auth-keys", `https://localhost:${web.addr.port}/jwks.json`, ...PINNED];
    const distrustful = await site.serve(...args);
    const { reason } = await distrustful.log.untilLike("cannot read the keys of another issuer; no token");
    assertMatch(`${reason}`, /cannot fetch the keys https:.*UnknownIssuer; .*DENO_CERT/);
    await using server = await ServerProcess.start({
      args,
      cwd: site.path,
      program: site.programs.server,
      env: { DENO_CERT: `${site.path}/web/ca.pem` },
    });
    await server.log.until("tokens of another issuer are accepted", { keys: 1 });
    keys = jwksOf(first, second);
    server.program.kill("SIGHUP");
    await server.log.until("the keys of another issuer have changed", { keys: 2 });
    const env = { PARLEY_TOKEN: await sign(second) };
    assertEquals((await site.parley(["ping", "--count", "1", "--port", `${server.port}`], { env })).code, 0);
  },
  { compiled: true },
);
