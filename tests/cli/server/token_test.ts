/**
 * `parley-server token`: its output, and its effect on sessions.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Program } from "../../harness/program.ts";
import { type Site, siteTest } from "../../harness/site.ts";

const UUID = /[0-9a-f]{8}-[0-9a-f-]{27}/;

/** A session that stays until it is ended. */
async function subscriber(site: Site, port: number, token: string): Promise<Program> {
  const program = site.startClient(["subscribe", "chat", "--port", `${port}`], {
    env: { PARLEY_TOKEN: token },
  });
  await program.stderr.until(/"message":"subscribed"/);
  return program;
}

siteTest("issue, list and revoke", async (site) => {
  const issued = await site.server([
    "token",
    "issue",
    "--name",
    "Ada",
    "--publish",
    "chat.*",
    "--respond",
    "job.*",
    "--expires",
    "1h",
  ]);
  assertEquals(issued.code, 0);
  assertMatch(issued.stdout, /^eyJ[\w-]+\.[\w-]+\.[\w-]+\n$/);
  assertMatch(
    issued.stderr,
    /parley-state is a new state folder; start the server with the same --state\nissued [0-9a-f-]{36} to Ada, valid until/,
  );

  const nothing = await site.server(["token", "issue", "--name", "Bob"]);
  assertMatch(nothing.stderr, /permits only \$echo; use --publish/);
  assertEquals(nothing.code, 0);

  const rows = (await site.ok("token", "list")).trimEnd().split("\n");
  assertMatch(rows[0], /^ID +NAME +PUBLISH +SUBSCRIBE +RESPOND +DIRECT +SERVER +VALID UNTIL +LAST USED$/);
  assertMatch(rows[1], / Ada +chat\.\* +- +job\.\* +- +- +\d{4}-\d\d-\d\dT\d\d:\d\dZ +never$/);
  assertEquals(rows.length, 3);
  assertEquals(rows.join("").includes("eyJ"), false, "the token itself is kept nowhere");

  const [id] = UUID.exec(rows[1])!;
  const revoked = await site.server(["token", "revoke", id.slice(0, 8)]);
  assertEquals([revoked.code, revoked.stdout], [0, ""]);
  assertStringIncludes(revoked.stderr, `revoked ${id} of Ada; its sessions end within seconds`);
  const listed = (await site.ok("token", "list", "--json")).trimEnd().split("\n").map((line) =>
    JSON.parse(line)
  );
  assertEquals(listed.map(({ name, status }) => [name, status]), [["Ada", "revoked"], ["Bob", "valid"]]);
  assertEquals((await site.server(["token", "revoke", id])).code, 0, "twice changes nothing");
});

siteTest("--json prints objects", async (site) => {
  const issued = JSON.parse(await site.ok("token", "issue", "--name", "Ada", "--direct", "--json"));
  assertMatch(issued.token, /^eyJ/);
  assertEquals([issued.name, issued.direct, issued.publish], ["Ada", true, []]);
  assertEquals([issued.monitor, issued.admin], [undefined, undefined]);
  const watching = JSON.parse(await site.ok("token", "issue", "--name", "Bob", "--monitor", "--json"));
  assertEquals([watching.monitor, watching.admin], [true, undefined]);
  assertEquals(JSON.parse(await site.ok("token", "revoke", watching.id, "--json")).id, watching.id);
  assertEquals(JSON.parse(await site.ok("token", "revoke", issued.id, "--json")).id, issued.id);
  const { acceptedUntilMs, endEarly } = JSON.parse(await site.ok("token", "rotate", "--json"));
  assert(Math.abs(acceptedUntilMs - Date.now()) < 60_000, "there is nothing left to accept");
  assertEquals(endEarly, []);
});

siteTest("a state folder that does not exist", async (site) => {
  const list = await site.server(["token", "list", "--state", "gone"]);
  assertEquals([list.code, list.stdout], [0, ""]);
  assertMatch(
    list.stderr,
    /^no tokens: there is no state folder gone; give your server's folder with --state\n$/,
  );
  for (const command of [["revoke", "1"], ["rotate"]]) {
    const { code, stderr } = await site.server(["token", ...command, "--state", "gone"]);
    assertEquals(code, 1);
    assertMatch(
      stderr,
      /^parley-server: there is no state folder gone; give your server's folder with --state\n$/,
    );
  }
  assertEquals([...Deno.readDirSync(site.path)], [], "asking makes nothing");
});

siteTest("the state folder is the one that a server started here would use", async (site) => {
  await site.write("parley.jsonc", '{ "state": "kept", "certs": "kept-certs", "port": 0 }');
  await site.issue("--name", "Ada");
  assert(Deno.statSync(`${site.path}/kept/tokens.json`).isFile);
  await site.server(["token", "list"], { env: { PARLEY_STATE: "other" } }).then(({ stderr }) =>
    assertMatch(stderr, /no state folder other/)
  );
  await site.ok("certs", "--host", "localhost");
  assert(Deno.statSync(`${site.path}/kept-certs/server.pem`).isFile);
});

siteTest("revoking an id that is unknown or ambiguous", async (site) => {
  const nothing = { publish: [], subscribe: [], respond: [], direct: false, expiresInSeconds: 60 };
  for (let count = 0; count < 17; count++) await site.issueBy(0, { name: "Ada", ...nothing });
  const firsts = (await site.tokens()).map(({ id }) => id[0]);
  const common = firsts.find((first, at) => firsts.indexOf(first) < at)!; // 17 ids begin with 16 digits
  const unclear = await site.server(["token", "revoke", common]);
  assertEquals(unclear.code, 1);
  assertMatch(unclear.stderr, /\d+ tokens have an id that begins with "."; give more of it/);
  const unknown = await site.server(["token", "revoke", "zzz"]);
  assertEquals([unknown.code, unknown.stdout], [1, ""]);
  assertMatch(unknown.stderr, /no token has an id that begins with "zzz".*token list/);
});

for (
  const [args, words] of [
    [[], /token: the commands are issue, list, revoke and rotate/],
    [["isue"], /token "isue": the commands are/],
    [["issue"], /token issue needs --name/],
    [["issue", "--name", "a\nb"], /--name must have 1 to 64 characters and no control characters/],
    [["issue", "--name", "Ada", "--publish", "a..b"], /--publish: segment 2 of "a\.\.b" is empty/],
    [
      ["issue", "--name", "Ada", "--subscribe", "$sys.>"],
      /--subscribe: "\$sys\.>" is reserved for the server/,
    ],
    [["issue", "--name", "Ada", "--expires", "400d"], /--expires must be a time/],
    [["issue", "--name", "Ada", "chat.*"], /token issue takes only options, but got "chat\.\*"/],
    [["revoke"], /token revoke takes one ID, as token list shows it/],
    [["revoke", "a", "b"], /takes one ID.*but got "a" "b"/],
    [["list", "--name", "Ada"], /token list does not take --name/],
    [["revoke", "1", "--expires", "1d"], /token revoke does not take --expires/],
  ] as const
) {
  siteTest(`token ${args.join(" ")} is wrong usage`.replaceAll("\n", "\\n"), async (site) => {
    const { code, stdout, stderr } = await site.server(["token", ...args]);
    assertEquals([code, stdout], [2, ""]);
    assertMatch(stderr, words);
    assertEquals([...Deno.readDirSync(site.path)], []);
  });
}

siteTest("revoking a token closes its session within 5 s, and the client prints the reason", async (site) => {
  const token = await site.issue("--name", "Ada", "--subscribe", "chat");
  const server = await site.serve("--auth");
  const ada = await subscriber(site, server.port, token);
  const [{ id }] = await site.tokens();
  const start = performance.now();
  await site.ok("token", "revoke", id);
  const { code, stderr } = await ada.ended();
  assert(performance.now() - start < 5000);
  assertEquals(code, 4);
  assertMatch(stderr, /^parley: token revoked: ask for a new one; give a valid token with --token/m);
  assertMatch(
    `${(await server.log.untilLike("refused")).reason}`,
    /^token revoked: it was revoked at \d{4}-/,
  );
  const again = await site.parley(["ping", "--port", `${server.port}`, "--token", token]);
  const reason = stderr.slice(stderr.indexOf("parley: token")).trimEnd();
  assertEquals([again.code, again.stderr.startsWith(`${reason}; parley doctor, `)], [4, true]);
}, { compiled: true });

siteTest("a session ends when its token expires, and the token opens no new one", async (site) => {
  const server = await site.serve("--auth");
  // By this process, because starting one more takes long on a busy machine.
  const token = await site.issueBy(0, {
    name: "Ada",
    publish: [],
    subscribe: ["chat"],
    respond: [],
    direct: false,
    expiresInSeconds: 4,
  });
  const ada = await subscriber(site, server.port, token);
  const { code, stderr } = await ada.ended();
  assertEquals(code, 4);
  assertMatch(stderr, /^parley: token expired: it ended at .*Z; ask for a new one$/m);
  assertMatch(
    `${(await server.log.untilLike("refused")).reason}`,
    /^token expired: it ended at .*Z, now is .*Z$/,
  );
  const again = await site.parley(["ping", "--port", `${server.port}`, "--token", token]);
  assertEquals(again.code, 4);
  assertMatch(again.stderr, /^parley: token expired: it ended at/);
});

siteTest("rotate accepts old tokens for the overlap, and none with --overlap 0", async (site) => {
  const token = await site.issue("--name", "Ada", "--subscribe", "chat");
  const server = await site.serve("--auth");
  const ada = await subscriber(site, server.port, token);
  const ping = (token: string) => site.parley(["ping", "--port", `${server.port}`, "--token", token]);
  const rotated = await site.server(["token", "rotate", "--overlap", "1d"]);
  assertEquals([rotated.code, rotated.stdout], [0, ""]);
  assertMatch(rotated.stderr, /earlier tokens are valid until .* at the latest\n {2}ends early: .* of Ada/);
  const newer = await site.issue("--name", "Bob");
  assertEquals([(await ping(token)).code, (await ping(newer)).code], [0, 0]);

  const cut = await site.server(["token", "rotate", "--overlap", "0"]);
  assertMatch(cut.stderr, /earlier tokens are no longer valid\n {2}ends early/);
  const { code, stderr } = await ada.ended();
  assertEquals(code, 4);
  assertMatch(stderr, /^parley: token not valid here: check that it is whole, and meant for this server; /m);
  assertEquals((await ping(newer)).code, 4);
  assertMatch(
    `${(await server.log.untilLike("refused", "no longer accepted")).reason}`,
    /^token not valid here/,
  );
  assertEquals((await ping(await site.issue("--name", "Cleo"))).code, 0);
  assertMatch(await site.ok("token", "list"), /Ada .* its key was rotated out/);
});

siteTest("list shows when a token was last used", async (site) => {
  const token = await site.issue("--name", "Ada");
  const server = await site.serve("--auth");
  assertEquals((await site.parley(["ping", "--port", `${server.port}`, "--token", token])).code, 0);
  await server.stop();
  assertMatch(await site.ok("token", "list"), / Ada .*Z +\d{4}-\d\d-\d\dT\d\d:\d\dZ$/m);
});

siteTest("a mistake in the server's option file is an error, not another folder", async (site) => {
  const broken = ['{ "state": "mine" "certs": "mine" }', '{ "stat": "mine" }', '{ "state": 7, "certs": 7 }'];
  for (const file of broken) {
    await site.write("parley.jsonc", file);
    for (const command of [["token", "issue", "--name", "Ada"], ["token", "list"], ["certs"]]) {
      const { code, stdout, stderr } = await site.server(command);
      assertEquals([code, stdout], [2, ""], `${file} ${command.join(" ")}`);
      assertMatch(stderr, /^parley-server: parley\.jsonc:1.*\n/);
    }
  }
  // What the file says of other options is the server's affair.
  await site.write("parley.jsonc", '{ "state": "mine", "certs": "mine-too", "port": "x" }');
  await site.issue("--name", "Ada");
  await site.ok("certs", "--host", "localhost");
  assertMatch(await site.ok("token", "list", "--state", "mine"), /Ada/);
  const names = [...Deno.readDirSync(site.path)].map(({ name }) => name).sort();
  assertEquals(names, ["mine", "mine-too", "parley.jsonc"]);
});

siteTest(
  "a join link holds address, authority and a limited token; a context keeps it, and shows no secret",
  async (site) => {
    const early = await site.server(["token", "issue", "--name", "Ada", "--link", "--host", "hub.example"]);
    assertEquals([early.code, early.stdout], [1, ""]);
    assertMatch(early.stderr, /there is no ca\.pem in certs; start the server once/);
    const server = await site.serve("--tls", "--auth");
    const flags = ["--link", "--host", "127.0.0.1", "--tls", "--port", `${server.port}`];
    const link = await site.issue("--name", "Ada", "--publish", "chat", ...flags);
    assertMatch(link, new RegExp(`^parleys://127\\.0\\.0\\.1:${server.port}\\?ca=[\\w-]+&token=[\\w.-]+$`));

    const env = { XDG_STATE_HOME: `${site.path}/home` };
    const added = await site.parley([
      "context",
      "add",
      "hub",
      ` "${link.slice(0, 80)}\n   ${link.slice(80)}"`,
    ], { env });
    assertEquals(added, { code: 0, stdout: "", stderr: "" });
    const { mode } = await Deno.stat(`${site.path}/home/parley/contexts.json`);
    assertEquals(mode! & 0o777, 0o600);
    const listed = await site.parley(["context", "list"], { env });
    assertEquals(listed.stdout, `* hub  parleys://127.0.0.1:${server.port}, with a token\n`);
    assertEquals((await site.parley(["publish", "chat", "hello"], { env })).code, 0);
    const refused = await site.parley(["publish", "news", "hello"], { env });
    assertEquals(refused.code, 4, refused.stderr);

    await Deno.chmod(`${site.path}/home/parley/contexts.json`, 0o644);
    const readable = await site.parley(["ping"], { env });
    assertEquals(readable.code, 2);
    assertMatch(readable.stderr, /^parley: others can read .*contexts\.json .*which is secret/);
  },
  { compiled: true },
);

for (
  const [args, words] of [
    [["--link", "--port", "0"], /the server takes any free port; give the one that it logs with --port/],
    [["--host", "hub.example"], /--host is for a link; add --link/],
  ] as const
) {
  siteTest(`token issue ${args.join(" ")} is refused`, async (site) => {
    const { code, stdout, stderr } = await site.server(["token", "issue", "--name", "Ada", ...args]);
    assertEquals([code === 0, stdout], [false, ""]);
    assertMatch(stderr, words);
  });
}
