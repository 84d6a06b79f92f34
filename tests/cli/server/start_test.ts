/**
 * Safe by default: the files that a start makes, what it prints and what it logs.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { assertFailure } from "../../harness/program.ts";
import { EXTERNAL_ADDRESS } from "../../harness/permissions.ts";
import { siteTest } from "../../harness/site.ts";

const LINK = /^parleys:\/\/[^\s']+\?ca=[\w-]+&token=[\w.-]+$/;
/** The beginning of a JWT. */
const TOKEN = /eyJ[\w-]+/;

siteTest(
  "the first start on 0.0.0.0 makes keys and certificate, and a client needs only its join link",
  async (site) => {
    const server = await site.serve("--host", "0.0.0.0");
    const link = await server.link();
    assertMatch(link, LINK);
    const empty = await site.folder("elsewhere");
    const ping = await site.parley(["ping", "--url", link], { cwd: empty });
    assertEquals([ping.code, ping.stderr], [0, ""]);
    assertMatch(ping.stdout, /^connected to parley [\d.]+ as first, session \d+, .*\npong 1/);
    assertEquals([...Deno.readDirSync(empty)], [], "the client needs no file, and leaves none");

    const { stdout, stderr } = await server.stop();
    assertEquals(stdout.trimEnd().split("\n").length, 1, "one link, and nothing else");
    assertMatch(stderr, /"level":"info","message":"open to the network: clients need a token/);
    assertEquals(TOKEN.test(stderr), false, "the token is not in the log");
    const modes = [
      "parley-state",
      "parley-state/signing-keys.json",
      "parley-state/tokens.json",
      "certs/ca-key.pem",
    ]
      .map((name) => (Deno.statSync(`${site.path}/${name}`).mode! & 0o777).toString(8));
    assertEquals(modes, ["700", "600", "600", "600"]);

    const before = await Deno.readTextFile(`${site.path}/certs/server.pem`);
    const again = await site.serve("--host", "0.0.0.0");
    const url = link.replace(/(?<=:)\d+(?=\?)/, `${again.port}`);
    assertEquals(
      (await site.parley(["ping", "--url", url], { cwd: empty })).code,
      0,
      "the link is still good",
    );
    assertEquals((await again.stop()).stdout, "", "the second start prints no link");
    assertEquals(await Deno.readTextFile(`${site.path}/certs/server.pem`), before);
    assertEquals((await site.tokens()).length, 1);
  },
  { compiled: true },
);

siteTest("if two servers start at once with one state folder, one of them prints a link", async (site) => {
  const servers = await Promise.all([1, 2].map(() => site.serve("--host", "0.0.0.0")));
  const ended = await Promise.all(servers.map((server) => server.stop()));
  assertEquals(ended.map(({ stdout }) => stdout).join("").trimEnd().split("\n").length, 1);
  assertEquals((await site.tokens()).length, 1);
});

siteTest("on loopback the server is open to this machine, logs that, and makes no files", async (site) => {
  await Promise.all(["127.0.0.1", "localhost", "::1", "[::1]"].map(async (host) => {
    const server = await site.serve("--host", host);
    const { level } = await server.log.untilLike(
      "open to this machine: every program on this machine may connect",
    );
    assertEquals(level, "info");
    const ping = await site.parley([
      "ping",
      "--host",
      host.replace(/[[\]]/g, ""),
      "--port",
      `${server.port}`,
    ]);
    assertEquals([ping.code, ping.stderr], [0, ""]);
    assertEquals((await server.stop()).stdout, "");
  }));
  assertEquals([...Deno.readDirSync(site.path)], []);
});

siteTest("with --auth on loopback the link is for this machine", async (site) => {
  const server = await site.serve("--auth");
  assertMatch(
    await server.program.stdout.until(/.+\n/).then(([line]) => line),
    /^parley:\/\/127\.0\.0\.1:\d+\?token=/,
  );
  assertEquals((await site.parley(["ping", "--url", await server.link()])).code, 0);
  const { stderr } = await server.stop();
  assertStringIncludes(stderr, "programs on this machine that have a token may connect");
  assertStringIncludes(stderr, "To join from this machine");
});

siteTest("--insecure opens the server to the network, and every start logs a warning", async (site) => {
  for (let start = 1; start <= 2; start++) {
    const server = await site.serve("--host", "0.0.0.0", "--insecure");
    const { level, message } = await server.log.untilLike("insecure: open to the network");
    assertEquals(level, "warn");
    assertMatch(
      message,
      /any machine that can reach this one may connect and do everything; others can read messages/,
    );
    assertMatch(message, /remove --insecure/);
    assertEquals((await site.parley(["ping", "--port", `${server.port}`])).code, 0);
    assertEquals((await server.stop()).stdout, "");
  }
  assertEquals([...Deno.readDirSync(site.path)], []);
});

siteTest(
  "--web on an address that other machines reach implies tokens and TLS, and says so",
  async (site) => {
    const server = await site.serve("--web", "0.0.0.0:0");
    const { url } = await server.log.until("web");
    assertMatch(`${url}`, /^https:\/\/0\.0\.0\.0:\d+$/);
    await server.log.untilLike("open to the network: clients need a token; encrypted with TLS");
    const { stdout } = await site.server(["config", "--web", "0.0.0.0:7254"]);
    assertMatch(stdout, /tokens {2}required, because other machines can reach "0\.0\.0\.0"/);
    await server.stop();
  },
);

siteTest("--insecure --auth requires tokens, and clients send them only with --insecure", async (site) => {
  const server = await site.serve("--host", "0.0.0.0", "--insecure", "--auth");
  const { level, message } = await server.log.untilLike("insecure: open to the network");
  assertEquals(level, "warn");
  assertMatch(message, /others can read tokens and messages on the network/);
  const link = await server.link();
  assertMatch(link, /^parley:\/\/[^?]+\?token=/);
  if (EXTERNAL_ADDRESS !== undefined) {
    assertFailure(await site.parley(["ping", "--url", link]), 2, /token would cross the network/);
  }
  assertEquals((await site.parley(["ping", "--url", link, "--insecure"])).code, 0);
  assertMatch((await server.stop()).stderr, /Clients send it only with --insecure/);
});

siteTest("--insecure with --auth and --tls is not insecure", async (site) => {
  const server = await site.serve("--host", "0.0.0.0", "--insecure", "--auth", "--tls");
  assertEquals(
    (await server.log.untilLike("open to the network: clients need a token")).level,
    "info",
  );
  assertMatch(await server.link(), LINK);
});

siteTest("under systemd no token goes to the journal", async (site) => {
  const script = 'exec env JOURNAL_STREAM="$(stat -L -c %d:%i /proc/$$/fd/1)" "$@"';
  const program = ["sh", "-c", script, "sh", ...site.programs.server];
  await using server = site.start("server", ["--port", "0", "--auth"], { program });
  await server.stderr.until(/no join link is printed.*token issue.*\n/);
  server.kill("SIGTERM");
  const { code, stdout } = await server.ended();
  assertEquals([code, stdout], [0, ""]);
  assertEquals(await site.tokens(), [], "the link is still to come");
}, { ignore: Deno.build.os !== "linux" });

siteTest("a signal during the start stops the server cleanly", async (site) => {
  const server = await site.serve("--host", "0.0.0.0");
  server.program.kill("SIGHUP");
  const { code, stderr } = await server.stop();
  assertEquals(code, 0);
  assertStringIncludes(stderr, '"message":"stopped"');
});

siteTest("a signal ends a start that waits for a lock at once", async (site) => {
  Deno.mkdirSync(`${site.path}/parley-state`, { mode: 0o700 });
  using lock = Deno.openSync(`${site.path}/parley-state/.lock`, { write: true, create: true });
  lock.lockSync(true);
  await using server = site.start("server", ["--port", "0", "--auth", "--log-level", "debug"]);
  // Nothing is said of a wait. It has opened the file by the time it waits.
  const opened = () =>
    [...Deno.readDirSync(`/proc/${server.pid}/fd`)].some(({ name }) => {
      try {
        return Deno.readLinkSync(`/proc/${server.pid}/fd/${name}`).endsWith("/.lock");
      } catch {
        return false;
      }
    });
  while (!opened()) await new Promise((resolve) => setTimeout(resolve, 10));
  const start = performance.now();
  server.kill("SIGTERM");
  const { code, stderr } = await server.ended();
  assertEquals(code, 0, stderr);
  assertStringIncludes(stderr, "stopped during the start");
  assert(performance.now() - start < 3000, `it took ${performance.now() - start} ms`);
}, { ignore: Deno.build.os !== "linux" });

siteTest(
  "a certificate keeps the names that the operator chose, and gets those of this machine",
  async (site) => {
    await site.ok("certs", "--host", "hub.example");
    const server = await site.serve("--host", "0.0.0.0");
    assertEquals((await site.parley(["ping", "--url", await server.link()])).code, 0);
    await server.stop();
    const listed = await site.ok("certs", "--host", "hub.example", "--host", "localhost");
    const other = await site.serve("--tls");
    await other.stop();
    assertMatch(listed, /^for +hub\.example, localhost$/m);
    const ca = await Deno.readTextFile(`${site.path}/certs/server.pem`);
    const third = await site.serve("--tls");
    await third.stop();
    assertEquals(await Deno.readTextFile(`${site.path}/certs/server.pem`), ca, "it has all it needs now");
  },
);

siteTest("the link has a name of the certificate given by file", async (site) => {
  await site.ok("certs", "--host", "localhost", "--out", "bought");
  const files = ["--tls-cert", "bought/server.pem", "--tls-key", "bought/server-key.pem"];
  const server = await site.serve("--host", "0.0.0.0", ...files);
  const [link] = await server.program.stdout.until(/^parleys:\S+(?=\n)/m);
  assertMatch(link, /^parleys:\/\/localhost:\d+\?token=[\w.-]+$/);
  const ping = await site.parley(["ping", "--url", link, "--ca", "bought/ca.pem"]);
  assertEquals([ping.code, ping.stderr], [0, ""]);
  assertEquals((await server.log.untilLike("certificate")).hosts, ["localhost"]);
  assertStringIncludes((await server.stop()).stderr, "need it with --ca");
});

siteTest("IPv6 works from first start to ping", async (site) => {
  const server = await site.serve("--host", "::1", "--tls", "--auth");
  const link = await server.link();
  assertMatch(link, /^parleys:\/\/\[::1\]:\d+\?ca=/);
  assertEquals((await site.parley(["ping", "--url", link])).code, 0);
});

siteTest(
  "the programs start beside a service called parley, and warn of a misspelled variable",
  async (site) => {
    const env = {
      PARLEY_PORT: "tcp://10.0.0.11:7253",
      PARLEY_SERVICE_HOST: "10.0.0.11",
      PARLEY_PORT_7253_TCP: "tcp://10.0.0.11:7253",
      PARLEY_VERSION: "1.2.3",
      PARLEY_HOTS: "0.0.0.0",
    };
    await using server = site.start("server", ["--port", "0", "--log-format", "json"], { env });
    const [, port] = await server.stderr.until(/"message":"listening".*"port":(\d+)/);
    const meant = "PARLEY_HOTS is ignored: it is not an option; did you mean PARLEY_HOST?";
    assertStringIncludes(
      server.stderr.text,
      `"level":"warn","message":"a variable is ignored","reason":"${meant}"`,
    );
    const ping = await site.parley(["ping", "--port", port], { env });
    assertEquals([ping.code, ping.stderr], [0, `parley: ${meant}\n`]);
    const certs = await site.server(["certs", "--host", "[::1]"], {
      env: { ...env, PARLEY_HOST: "0.0.0.0" },
    });
    assertEquals(certs.code, 0, certs.stderr);
  },
);

siteTest("config shows the security in effect, and why", async (site) => {
  const config = (...args: string[]) => site.ok("config", ...args);
  assertMatch(await config(), /tokens +off\n +TLS +off\n +result +open to this machine/);
  assertMatch(
    await config("--host", "0.0.0.0", "--tls-cert", "c", "--tls-key", "k"),
    /tokens +required, because other machines can reach "0\.0\.0\.0"; stored in parley-state\n +TLS +on, as set; certificate from c\n/,
  );
  assertMatch(
    await config("--host", "0.0.0.0", "--insecure", "--auth"),
    /tokens +required, as set.*\n +TLS +off, because of --insecure\n +result +insecure:/,
  );
  assertEquals((await site.server(["config", "--port", "x"])).code, 1);
});

for (
  const [args, words] of [
    [["sevre"], /"sevre" is not a command; the commands are config, token, certs/],
    [["--prot", "1"], /--prot is not an option; did you mean --port\?/],
    [["--tls-key", "k.pem"], /tls-key needs tls-cert, the certificate that the key belongs to/],
    [["--port", "70000"], /--port must be a whole number from 0 to 65535/],
  ] as const
) {
  siteTest(`parley-server ${args.join(" ")} is wrong usage`, async (site) => {
    const { code, stdout, stderr } = await site.server(args);
    assertEquals([code, stdout], [2, ""]);
    assertMatch(stderr, words);
  });
}

siteTest("a start that fails prints one line and ends with 1", async (site) => {
  await site.folder("open", 0o777);
  await Deno.writeTextFile(`${site.path}/open/x`, "");
  await Deno.mkdir(`${await site.folder("unwritable")}/.lock`); // a file by this name cannot be written, even by root
  await site.write("file", "");
  await site.ok("certs", "--host", "localhost", "--out", "one");
  await site.ok("certs", "--host", "localhost", "--out", "two");
  const given = (certificate: string, key: string) => ["--tls-cert", certificate, "--tls-key", key];
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const cases: [string[], RegExp][] = [
    [
      ["--auth", "--state", "open"],
      /others can change what is in the folder open \(mode 0777\).*chmod 700 open/,
    ],
    [["--auth", "--state", "unwritable"], /cannot write unwritable\/\.lock/],
    [
      given("one/server.pem", "one/server.pem"),
      /there is no private key in this file; give the file of the key/,
    ],
    [["--auth", "--state", "file"], /file is not a folder/],
    [["--tls", "--certs", "file"], /file/],
    [given("gone.pem", "one/server-key.pem"), /cannot read the certificate gone\.pem: there is no such file/],
    [given("one/server.pem", "gone.pem"), /cannot read the key gone\.pem: there is no such file/],
    [
      given("one/server.pem", "two/server-key.pem"),
      /one\/server\.pem and the key two.*the key is not the certificate's/,
    ],
    [given("one/server-key.pem", "one/server.pem"), /they are the wrong way round/],
    [given("file", "one/server-key.pem"), /the first is not a certificate in PEM/],
    [["--host", "203.0.113.77"], /cannot listen on 203\.0\.113\.77:\d+.*choose an address of this machine/],
    [["--port", `${(taken.addr as Deno.NetAddr).port}`], /another program listens there/],
    [["--log-file", "gone/log"], /cannot write the log file/],
  ];
  await Promise.all(cases.map(async ([args, words]) => {
    const { code, stdout, stderr } = await site.server(
      ["--port", "0", ...args].slice(args[0] === "--port" ? 2 : 0),
    );
    assertEquals(
      [code, stdout, stderr.trimEnd().split("\n").length],
      [1, "", 1],
      `${args.join(" ")}: ${stderr}`,
    );
    assertMatch(stderr, words);
    assert(!/\n\s+at /.test(stderr));
  }));
});
