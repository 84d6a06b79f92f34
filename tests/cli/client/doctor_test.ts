/**
 * What a first-time user sees whose client does not connect: by the command that fails, and by `parley doctor`.
 */

import { assertEquals, assertMatch } from "@std/assert";
import type { TokenRequest } from "../../../lib/auth/tokens.ts";
import {
  type KeyPair,
  makeAuthority,
  makeServerCertificate,
} from "../../../lib/certificates/certificates.ts";
import { serve } from "../../../lib/server/serve.ts";
import { encodeControl } from "../../../lib/wire/control.ts";
import { encodeFrame, Type } from "../../../lib/wire/header.ts";
import { makeRoot, makeSigned } from "../../certificates/flawed.ts";
import { FakeServer, WELCOME } from "../../client/fake_server.ts";
import { makeFolder } from "../../harness/folder.ts";
import { runParley } from "../../harness/in_process.ts";
import { MAY_USE_FILES } from "../../harness/permissions.ts";
import { assertFailure } from "../../harness/program.ts";
import { RecordedLog } from "../../harness/recorded_log.ts";
import { siteTest } from "../../harness/site.ts";
import { openTokenDesk } from "../../harness/token_desk.ts";

const DAY_MS = 86_400_000;

/** For the servers: the log of the process is that of the commands. */
const { log } = new RecordedLog();

/** What a case leaves open until it is over. */
interface Site {
  readonly folder: string;
  readonly resources: AsyncDisposableStack;
}

/** A reason for which a client does not connect. */
interface Case {
  readonly name: string;
  /** Makes the server; resolves to the options that name it. */
  readonly start: (site: Site) => Promise<readonly string[]> | readonly string[];
  /** The command that fails; `ping` if left out. */
  readonly command?: readonly string[];
  readonly code: number;
  /** What both say. */
  readonly says: RegExp;
  /** The step that fails. */
  readonly step: string;
  /** What the steps say besides. */
  readonly also?: readonly RegExp[];
  /** Options for `doctor` alone. */
  readonly doctor?: readonly string[];
}

const ADA: TokenRequest = {
  name: "Ada",
  publish: ["jobs.*"],
  subscribe: [],
  respond: [],
  direct: false,
  expiresInSeconds: 3600,
};

/** A server that requires a token, and one that was issued by a clock that is `aheadSeconds` ahead. */
async function serveWithTokens({ folder, resources }: Site, aheadSeconds: number): Promise<string[]> {
  const { tokens } = openTokenDesk(folder, () => Date.now() + aheadSeconds * 1000);
  const { token } = await tokens.issue(ADA);
  const server = resources.use(await serve({ port: 0, auth: true, state: folder, log }));
  return ["--url", `${server.url}?token=${token}`];
}

/** A server with a certificate for `hosts`, made by a clock that is `aheadDays` ahead, whose authority is trusted. */
async function serveCertificate(site: Site, hosts: string[], aheadDays: number): Promise<string[]> {
  const authority = await makeAuthority(Date.now() - 365 * DAY_MS);
  const pair = await makeServerCertificate(authority, { hosts, nowMs: Date.now() + aheadDays * DAY_MS });
  const ca = `${site.folder}/ca.pem`;
  await Deno.writeTextFile(ca, authority.certificate);
  const server = await serveTls(site, pair);
  return ["--port", `${server.port}`, "--ca", ca];
}

async function serveTls({ folder, resources }: Site, { certificate, key }: KeyPair) {
  const [certificateFile, keyFile] = [`${folder}/cert.pem`, `${folder}/key.pem`];
  await Deno.writeTextFile(certificateFile, certificate);
  await Deno.writeTextFile(keyFile, key, { mode: 0o600 });
  return resources.use(await serve({ port: 0, tls: { certificateFile, keyFile }, log }));
}

/** Accepts connections and sends `greeting`, which is not Parley. */
function speak({ resources }: Site, greeting: string): string[] {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const conn of listener) {
      open.push(conn);
      await conn.write(new TextEncoder().encode(greeting));
    }
  })();
  resources.defer(async () => {
    listener.close();
    await accepting.catch(() => {});
    for (const conn of open) conn.close();
  });
  return ["--port", `${listener.addr.port}`];
}

const CASES: readonly Case[] = [
  {
    name: "a join link that was cut",
    start: () => ["--url", "parleys://192.0.2.7:7253?ca=MIIB"],
    code: 2,
    says: /the server's URL: \?ca= is not a whole certificate in base64url; copy the whole link/,
    step: "address",
  },
  {
    name: "a token that would cross the network in plain text",
    start: () => ["--host", "198.51.100.1", "--token", "t0p-secret"],
    code: 2,
    says: /the token would cross the network to 198\.51\.100\.1:7253 unencrypted; connect over TLS/,
    step: "address",
  },
  {
    name: "no server",
    start: () => {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      return ["--port", `${listener.addr.port}`];
    },
    code: 3,
    says: /nothing listens on 127\.0\.0\.1:\d+; start a server there, or connect to another/,
    step: "tcp",
    also: [/^ok {4}name {8}127\.0\.0\.1 is an address$/m],
  },
  {
    name: "a name that does not exist",
    start: () => ["--host", "no-such-host.invalid"],
    code: 3,
    says:
      /(cannot connect to no-such-host\.invalid:7253: .*; check the name|address of no-such-host\.invalid: .*; check its spelling)/,
    step: "name",
  },
  {
    name: "a wrong port, where another program listens",
    start: (site) => speak(site, "SSH-2.0-OpenSSH_9.6\r\n"),
    code: 3,
    says: /answered "SSH-2\.0-OpenSSH_9\.6", which is not Parley; check the port/,
    step: "greeting",
    also: [/^ok {4}tcp {9}connected to 127\.0\.0\.1:\d+ in /m],
  },
  {
    name: "a wrong port, where a program listens that says nothing",
    start: (site) => [...speak(site, ""), "--timeout", "200ms"],
    code: 3,
    says: /did not greet within 0\.2 s; check that it is a Parley server/,
    step: "greeting",
  },
  {
    name: "a web server",
    start: ({ resources }) => {
      const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
      const server = resources.use(Deno.serve(options, () => new Response("hi")));
      return ["--port", `${server.addr.port}`];
    },
    code: 3,
    says: /speaks HTTP, not Parley; check the port/,
    step: "greeting",
  },
  {
    name: "a client without TLS, a server with TLS",
    start: async (site) => (await serveCertificate(site, ["127.0.0.1"], 0)).slice(0, 2),
    code: 3,
    says: /speaks TLS; connect over TLS \(a parleys:\/\/ URL\), with its CA/,
    step: "greeting",
    also: [/^ok {4}address {5}127\.0\.0\.1:\d+ \(from --port\), without TLS/m],
  },
  {
    name: "a client with TLS, a server without TLS",
    start: async (
      { resources },
    ) => ["--tls", "--port", `${resources.use(await serve({ port: 0, log })).port}`],
    code: 3,
    says: /does not speak TLS; connect without TLS, or check the port/,
    step: "tls",
  },
  {
    name: "a certificate of an authority that the client does not know",
    start: async (site) => [...(await serveCertificate(site, ["127.0.0.1"], 0)).slice(0, 2), "--tls"],
    code: 3,
    says: /has a certificate from a CA that is not known here; give that CA's certificate/,
    step: "tls",
    also: [
      /\(for 127\.0\.0\.1[^;]*; issued by Parley CA \w+; valid until 20\d\d-\d\d-\d\dT\d\d:\d\dZ, in \d+ days\)/,
    ],
  },
  {
    name: "a certificate for another name",
    start: (site) => serveCertificate(site, ["hub.example", "192.0.2.200"], 0),
    code: 3,
    says: /not for 127\.0\.0\.1, but for hub\.example, 192\.0\.2\.200; connect by a name it is for/,
    step: "tls",
  },
  {
    name: "an expired certificate",
    start: (site) => serveCertificate(site, ["127.0.0.1"], -100),
    code: 3,
    says: /certificate that expired \(20.*\); have it renewed there, and check that the clock here is right/,
    step: "tls",
    also: [/valid until 20\S+Z, \d+ days ago\)/],
  },
  {
    name: "a wrong clock, by the certificate",
    start: (site) => serveCertificate(site, ["127.0.0.1"], 3),
    code: 3,
    says: /certificate that is not valid yet \(20.*\); check that the clock here is right \(it says 20/,
    step: "tls",
    also: [/valid from 20\S+Z, in 3 days\)/],
  },
  {
    name: "no token",
    start: async (site) => (await serveWithTokens(site, 0)).map((option) => option.replace(/\?.*/, "")),
    code: 4,
    says: /token missing: this server requires one; give a valid token with --token or PARLEY_TOKEN/,
    step: "token",
    also: [/^ok {4}greeting {4}127\.0\.0\.1:\d+ is a Parley server, and rejects the token$/m],
  },
  {
    name: "a part of a token",
    start: async (site) =>
      (await serveWithTokens(site, 0)).map((option) => option.replace(/(token=[^.]*)\..*/, "$1")),
    code: 4,
    says: /token not valid here: check that it is whole, and meant for this server/,
    step: "token",
    also: [/\(what was given is no token for Parley, or only a part of one\)/],
  },
  {
    name: "an expired token",
    start: (site) => serveWithTokens(site, -3 * 3600),
    code: 4,
    says: /token expired: it ended at 20.*Z; ask for a new one/,
    step: "token",
    also: [
      /\(the token says that it is Ada's, valid until 20\S+Z, 2 hours ago; may publish on jobs\.\*; may not .*\)/,
      /^ok {4}clock {7}the server's differs by less than a second$/m,
    ],
  },
  {
    name: "a wrong clock, by the token",
    start: (site) => serveWithTokens(site, 3 * 3600),
    code: 4,
    says:
      /token not yet valid: it begins at 20.*Z, and this server's clock says 20.*Z; wait, or set the clock that is wrong/,
    step: "token",
    also: [/valid from 20\S+Z, in \d+ (minutes|hours)/],
  },
  {
    name: "a wrong clock, by the server's answer",
    start: ({ resources }) => {
      const server = resources.use(new FakeServer());
      const reject = async () => {
        using peer = await server.accept();
        await peer.expect(Type.HELLO);
        const time = new Date(Date.now() - 2 * DAY_MS).toISOString();
        const payload = { code: "unauthorized", message: "token not yet valid", fatal: true, time };
        await peer.control({ type: Type.ERROR }, payload);
        await peer.drain();
      };
      const played = reject().then(reject);
      resources.defer(() => played);
      return ["--port", `${server.port}`];
    },
    code: 4,
    says: /token not yet valid/,
    step: "token",
    also: [
      /^warn {2}clock {7}the server's is 2 days behind: there it is 20\S+Z, here 20\S+Z; set the clock that is wrong/m,
    ],
  },
  {
    name: "no permission",
    start: (site) => serveWithTokens(site, 0),
    command: ["publish", "chat.lobby", "hello"],
    doctor: ["--channel", "chat.lobby"],
    code: 4,
    says:
      /(token does not allow to publish on chat\.lobby; use a token|not permitted to publish, subscribe or respond on chat\.lobby; ask for)/,
    step: "permission",
    also: [
      /^ok {4}token {7}Ada's, valid until 20\S+Z, in \d+ minutes; may publish on jobs\.\*; may not subscribe/m,
    ],
  },
];

for (const { name, start, command = ["ping"], code, says, step, also = [], doctor = [] } of CASES) {
  Deno.test({
    name: `a client that does not connect says why, and doctor says at which step: ${name}`,
    ignore: !MAY_USE_FILES,
    fn: async () => {
      using folder = makeFolder();
      await using resources = new AsyncDisposableStack();
      const options = await start({ folder: folder.path, resources });
      const failed = await runParley([...command, ...options]);
      assertFailure(failed, code, says);
      assertEquals(failed.stderr.includes("; parley doctor"), code !== 2);

      const found = await runParley(["doctor", ...doctor, ...options]);
      assertEquals([found.code, found.stderr], [code, ""]);
      const lines = found.stdout.trimEnd().split("\n");
      assertMatch(lines.at(-1)!, new RegExp(`^fail {2}${step} .*; more: parley explain [a-z_]+$`));
      assertEquals(lines.slice(0, -1).filter((line) => !/^(ok {2}|warn) {2}[a-z]/.test(line)), []);
      for (const words of [says, ...also]) assertMatch(found.stdout, words);
      assertEquals(/eyJ/.test(failed.stderr + found.stdout), false, "no part of a token is shown");
    },
  });
}

Deno.test({
  name: "if all is well, doctor says what it found at each step, also as JSON",
  ignore: !MAY_USE_FILES,
  fn: async () => {
    using folder = makeFolder();
    await using resources = new AsyncDisposableStack();
    const { path: state } = folder;
    const { tokens } = openTokenDesk(state);
    const { token } = await tokens.issue({ ...ADA, subscribe: ["jobs.>"], expiresInSeconds: 90 * 86_400 });
    const certs = `${state}/certs`;
    const server = resources.use(await serve({ port: 0, auth: true, state, tls: true, certs, log }));
    const options = [
      "--url",
      server.url,
      "--ca",
      `${certs}/ca.pem`,
      "--token",
      token,
      "--channel",
      "jobs.resize",
    ];
    const text = await runParley(["doctor", ...options]);
    assertEquals([text.code, text.stderr], [0, ""]);
    const expected = [
      /^ok {4}address {5}127\.0\.0\.1:\d+ \(from --url\), over TLS, trusting the authority that was given, with a token$/,
      /^ok {4}name {8}127\.0\.0\.1 is an address$/,
      /^ok {4}tcp {9}connected to 127\.0\.0\.1:\d+ in [\d.]+ ms$/,
      /^ok {4}tls {9}the certificate is trusted: for .*127\.0\.0\.1.*; issued by Parley CA \w+; valid until \S+Z, in \d+ days$/,
      /^ok {4}greeting {4}parley [\d.]+ welcomes Ada as session \d+$/,
      /^ok {4}clock {7}the server's differs by less than a second$/,
      /^ok {4}token {7}Ada's, valid until \S+Z, in \d+ days; may publish on jobs\.\*, subscribe to jobs\.>; may not respond, send direct messages$/,
      /^warn {2}permission {2}on jobs\.resize may publish and subscribe, may not respond$/,
      /^ok {4}round trip {2}\d+\.\d{3} ms, the shortest of 3$/,
    ];
    const lines = text.stdout.trimEnd().split("\n");
    assertEquals(lines.length, expected.length);
    for (const [at, words] of expected.entries()) assertMatch(lines[at], words);

    const json = await runParley(["doctor", "--json", ...options]);
    const steps = json.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    assertEquals(steps.map(({ step }) => step), lines.map((line) => line.slice(6, 16).trim()));
    assertEquals(steps[6].grants.publish, ["jobs.*"]);
    assertEquals(steps[7].publish && steps[7].subscribe && !steps[7].respond, true);
    assertEquals(json.stdout.includes("eyJ"), false);
    const pattern = await runParley(["doctor", ...options.slice(0, -1), "jobs.>"]);
    assertMatch(pattern.stdout, /^warn {2}permission {2}on jobs\.> may subscribe, may not respond$/m);
  },
});

Deno.test({
  name: "doctor says which option the address comes from",
  ignore: !MAY_USE_FILES,
  fn: async () => {
    using folder = makeFolder();
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const url = `parley://127.0.0.1:${listener.addr.port}`;
    listener.close();
    const firstLine = async (args: string[], env: Record<string, string> = {}) => {
      const options = { env: { XDG_STATE_HOME: folder.path, ...env } };
      const { stdout } = await runParley(["doctor", "--timeout", "1s", ...args], options);
      return stdout.split("\n")[0].slice(18);
    };
    assertMatch(await firstLine(["--url", url]), /\(from --url\), without TLS/);
    assertMatch(await firstLine(["--host", "127.0.0.1", "--port", "1"]), /:1 \(from --host and --port\)/);
    assertMatch(await firstLine([], { PARLEY_URL: url }), /\(from PARLEY_URL\)/);
    assertMatch(await firstLine([], { PARLEY_PORT: "1" }), /^127\.0\.0\.1:1 \(from PARLEY_PORT\)/);
    assertMatch(await firstLine([]), /^127\.0\.0\.1:7253 \(the default, as no option names a server\)/);
    const env = { XDG_STATE_HOME: folder.path };
    assertEquals((await runParley(["context", "add", "home", url], { env })).code, 0);
    assertMatch(await firstLine([]), /\(the context home\)/);
    assertMatch(await firstLine(["--context", "home"]), /\(from --context\)/);
  },
});

Deno.test("a server cannot control the terminal of doctor, of ping or of a trace", async () => {
  await using resources = new AsyncDisposableStack();
  const server = resources.use(new FakeServer());
  const evil = "\x1b[2J\nok    everything\u202e\x9b";
  const greet = async () => {
    using peer = await server.accept();
    await peer.expect(Type.HELLO);
    const welcome = {
      ...WELCOME,
      name: evil,
      message: evil,
      server: { name: evil, version: evil },
      time: evil,
    };
    await peer.write(encodeControl({ type: Type.WELCOME }, welcome));
    await peer.expect(Type.PING);
    await peer.control({ type: Type.ERROR }, { code: evil, message: evil, fatal: true });
    await peer.drain();
  };
  const played = greet().then(greet);
  resources.defer(() => played);
  const args = ["--port", `${server.port}`, "--trace"];
  for (
    const { stdout, stderr } of [await runParley(["ping", ...args]), await runParley(["doctor", ...args])]
  ) {
    assertEquals([...`${stdout}${stderr}`].filter((char) => /[^\P{Cc}\n]|\p{Bidi_Control}/u.test(char)), []);
    assertEquals(/^ok {4}everything/m.test(stdout + stderr), false);
  }
});

Deno.test("a trace shows the frame with which a server breaks the protocol, as far as it has come", async () => {
  await using resources = new AsyncDisposableStack();
  const server = resources.use(new FakeServer());
  const play = async () => {
    using peer = await server.greet();
    await peer.write(encodeFrame({ type: Type.PING, channel: 9 }, new Uint8Array(100)).subarray(0, 20));
    await peer.drain();
  };
  const played = play();
  resources.defer(() => played);
  const { code, stderr } = await runParley(["ping", "--port", `${server.port}`, "--trace"]);
  assertEquals(code, 1);
  assertMatch(stderr, /^ +8 {2}00 00 00 09 {14}channel {2}channel number 9$/m);
  assertMatch(stderr, /^ +20 +96 bytes missing$/m);
  assertMatch(stderr, /^parley: .*broke the protocol: channel of PING must be 0, got 9$/m);
});

Deno.test({
  name: "the names in a certificate cannot control the terminal",
  ignore: !MAY_USE_FILES,
  fn: async () => {
    using folder = makeFolder();
    await using resources = new AsyncDisposableStack();
    const root = await makeRoot();
    const pair = await makeSigned(root, { names: [{ type: "dns", value: "\x1b[2Jhub\nok    tls" }] });
    const ca = `${folder.path}/ca.pem`;
    await Deno.writeTextFile(ca, root.certificate);
    const { port } = await serveTls({ folder: folder.path, resources }, pair);
    for (const command of ["ping", "doctor"]) {
      const { code, stdout, stderr } = await runParley([command, "--port", `${port}`, "--ca", ca]);
      const printed = stdout + stderr;
      assertEquals([code, printed.includes("\x1b"), /^ok {4}tls/m.test(printed)], [3, false, false]);
      if (command === "doctor") assertMatch(stdout, /for \\x1b\[2Jhub\\nok {4}tls; /);
    }
  },
});

Deno.test("a token that a server repeats in its error is not shown", async () => {
  await using resources = new AsyncDisposableStack();
  const server = resources.use(new FakeServer());
  const reject = async () => {
    using peer = await server.accept();
    const { token } = (await peer.expect(Type.HELLO)).json();
    const payload = { code: "unauthorized", message: `no session for ${token}`, fatal: true };
    await peer.control({ type: Type.ERROR }, payload);
    await peer.drain();
  };
  const played = reject().then(reject);
  resources.defer(() => played);
  const args = [
    "--port",
    `${server.port}`,
    "--token",
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJBZGEifQ.c2ln",
    "--trace",
  ];
  for (
    const { stdout, stderr } of [await runParley(["ping", ...args]), await runParley(["doctor", ...args])]
  ) {
    assertEquals((stdout + stderr).includes("eyJ"), false);
  }
});

siteTest("doctor has the permissions it needs: a name, TLS and a token", async (site) => {
  const token = await site.issue("--name", "Ada", "--subscribe", "chat.*");
  const server = await site.serve("--auth", "--tls");
  const options = ["--host", "localhost", "--port", `${server.port}`, "--ca", "certs/ca.pem"];
  const env = { PARLEY_TOKEN: token };
  const { code, stdout, stderr } = await site.parley(["doctor", "--channel", "chat.lobby", ...options], {
    env,
  });
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^ok {4}name {8}localhost is .*127\.0\.0\.1/m);
  assertMatch(
    stdout,
    /^ok {4}tls {9}the certificate is trusted: for (.*, )?127\.0\.0\.1[,;].*; issued by Parley CA/m,
  );
  assertMatch(stdout, /^warn {2}permission {2}on chat\.lobby may subscribe, may not publish or respond$/m);
}, { compiled: true });
