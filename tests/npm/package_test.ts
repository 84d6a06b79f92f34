/**
 * The package as its users get it: packed, installed in an empty folder, and used by Node, Bun and TypeScript.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { serve, type Server } from "../../lib/mod.ts";
import { VERSION } from "../../lib/version.ts";
import { TYPESCRIPT } from "../../release/declarations.ts";
import { buildPackage, type Built } from "../../release/npm.ts";
import { Gateway } from "../client/web_socket_gateway.ts";
import { Relay } from "../client/relay.ts";
import { makeFolder } from "../harness/folder.ts";
import { MAY_RUN } from "../harness/permissions.ts";
import { type Ended, Program, ROOT } from "../harness/program.ts";
import { CONSUMER, STORING, TYPED_PROJECT } from "./programs.ts";

/** What a page may load before it can connect, publish, subscribe and reconnect, in bytes. */
const MAX_FIRST = { gzip: 22.5 * 1024, brotli: 20 * 1024 };
/** All that it may load. */
const MAX_ALL = { gzip: 31.5 * 1024, brotli: 28.5 * 1024 };

let built: Promise<Built> | undefined;

/** Builds the package once for all tests. */
function build(): Promise<Built> {
  return built ??= buildPackage();
}

async function run(cwd: string, ...command: string[]): Promise<Ended> {
  await using program = new Program(command.slice(1), { program: [command[0]], cwd });
  await program.endInput();
  return await program.ended(60_000);
}

let installed: Promise<string> | undefined;

/** The path of an empty folder in which the package is installed, without a network. Made once for all tests. */
function project(): Promise<string> {
  return installed ??= install();
}

async function install(): Promise<string> {
  const { tarball } = await build();
  const folder = makeFolder();
  addEventListener("unload", () => folder[Symbol.dispose]());
  const manifest = { name: "project", private: true, type: "module" };
  await Deno.writeTextFile(`${folder.path}/package.json`, JSON.stringify(manifest));
  const npm = ["npm", "install", "--offline", "--no-audit", "--no-fund", tarball];
  const { code, stderr } = await run(folder.path, ...npm);
  assertEquals(code, 0, stderr);
  await Deno.writeTextFile(`${folder.path}/consumer.mjs`, CONSUMER);
  return folder.path;
}

/** Runs `CONSUMER`, which must see a server do all that it asks; calls `interrupt` each time it is to be cut off. */
async function use(runtime: string[], options: object, interrupt?: () => void): Promise<void> {
  const folder = await project();
  const interruptions = interrupt === undefined ? 0 : 2;
  const lines: unknown[] = [];
  const input = JSON.stringify({ ...options, interruptions });
  await using program = new Program(["consumer.mjs", input], {
    program: runtime,
    cwd: folder,
    onOutputLine: (line) => {
      lines.push(JSON.parse(line));
      if (line.startsWith('{"interrupt"')) interrupt?.();
    },
  });
  const { code, stderr } = await program.ended();
  assertEquals({ code, stderr: stderr.replace(/^.*ExperimentalWarning[^]*?\n\(.*\n/m, "") }, {
    code: 0,
    stderr: "",
  });
  assertEquals(lines, [
    { name: "Ada" },
    { text: "hello", lang: "en", own: true },
    { reply: "QUIET" },
    { failed: "empty" },
    { refused: "no_responders" },
    { large: 1_000_000 },
    ...Array.from({ length: interruptions }, (_, i) => [{ interrupt: i }, { text: `after ${i}` }]).flat(),
    { closed: true },
  ]);
}

/** The runtimes that are here, and the flag that gives them a WebSocket. */
const RUNTIMES = MAY_RUN ? [runtime("node", 20), runtime("bun", 1)] : [];

function runtime(name: string, least: number): { name: string; version: number; isUsable: boolean } {
  let version = 0;
  try {
    const { stdout } = new Deno.Command(name, { args: ["--version"], stderr: "null" }).outputSync();
    version = parseInt(new TextDecoder().decode(stdout).replace(/^v/, ""));
  } catch {
    // It is not here.
  }
  return { name, version, isUsable: version >= least };
}

for (const { name, version, isUsable } of RUNTIMES) {
  const usingTest = (by: string, fn: () => Promise<void>) =>
    Deno.test({
      name: `${name} uses the package over ${by}${isUsable ? "" : ` (skipped: there is no ${name})`}`,
      ignore: !isUsable,
      fn,
    });

  usingTest("TCP, through broken connections", async () => {
    await using server = await serve({ port: 0 });
    await using relay = new Relay(server.port);
    await use([name], { port: relay.port }, () => {
      relay.cut();
      relay.resume();
    });
  });

  usingTest("TLS", async () => {
    using state = makeFolder();
    await using server: Server = await serve({ port: 0, tls: true, certs: state.path });
    const ca = await Deno.readTextFile(`${state.path}/ca.pem`);
    await use([name], { url: `parleys://127.0.0.1:${server.port}`, ca });
  });

  usingTest("WebSocket, through broken connections", async () => {
    await using server = await serve({ port: 0 });
    await using gateway = new Gateway(server.port);
    // Node 20 has one behind a flag; without it the option `webSocket` gives one.
    const flags = name === "node" && version < 22 ? ["--experimental-websocket"] : [];
    await use([name, ...flags], { url: gateway.url }, () => gateway.each((socket) => socket.close()));
  });
}

function packageTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !MAY_RUN, fn });
}

packageTest("the files for browsers do all that the client can, their shortened names included", async () => {
  const folder = await project();
  await Deno.writeTextFile(`${folder}/storing.mjs`, STORING);
  using state = makeFolder();
  await using server = await serve({
    port: 0,
    state: state.path,
    stored: [{ channels: "orders.*", storage: "durable" }],
  });
  await using gateway = new Gateway(server.port);
  const flags = RUNTIMES[0].version < 22 ? ["--experimental-websocket"] : [];
  await using program = new Program(["storing.mjs", gateway.url], {
    program: ["node", ...flags],
    cwd: folder,
    onOutputLine: (line) => line === "interrupt" && gateway.each((socket) => socket.close()),
  });
  const { code, stdout, stderr } = await program.ended();
  assertEquals({ code, stderr: stderr.replace(/^.*ExperimentalWarning[^]*?\n\(.*\n/m, "") }, {
    code: 0,
    stderr: "",
  });
  assertEquals(stdout.trim().split("\n"), [
    "published in order, stored once: 0 1 2 3 4",
    "producer: 2 stored, then 3",
    "consumer: 0 1 2 3 4 a b c, again 1",
    "interrupt",
    "resumed, recovered: true",
    "published meanwhile: d",
    "reply: PING, failed: empty",
    "message headers: en",
    "refused: bad_channel bad_argument no_responders",
    "closed",
  ]);
});

packageTest("Node without a WebSocket says what to do", async () => {
  const folder = await project();
  const source = 'import { connect } from "@parley/client"; await connect({ url: "ws://127.0.0.1:1" });';
  await Deno.writeTextFile(`${folder}/main.mjs`, `delete globalThis.WebSocket; ${source}`);
  const { stderr } = await run(folder, "node", "main.mjs");
  assertMatch(
    stderr,
    /ParleyError: this runtime has no WebSocket; connect over TCP .*, or give one with the option/,
  );
});

packageTest("a strict TypeScript project compiles with the declarations of the package", async () => {
  const folder = await project();
  await Deno.writeTextFile(`${folder}/main.ts`, TYPED_PROJECT);
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    target: "es2022",
    module: "nodenext",
    types: [],
    noEmit: true,
  };
  const config = JSON.stringify({ compilerOptions, files: ["main.ts"] });
  await Deno.writeTextFile(`${folder}/tsconfig.json`, config);
  // The compiler is the one that made the declarations, from Deno's cache.
  const compiler = ["--no-config", "--lock", `${ROOT}${TYPESCRIPT.lock}`, "--frozen", "-A"];
  const tsc = [Deno.execPath(), "run", "--quiet", ...compiler, `${TYPESCRIPT.specifier}/tsc`];
  assertEquals(await run(folder, ...tsc, "--project", "."), { code: 0, stdout: "", stderr: "" });
});

packageTest(
  "what a browser loads is small, has all that it needs, and nothing of other runtimes",
  async () => {
    const { folder, first, all } = await build();
    assert(first.gzip <= MAX_FIRST.gzip && first.brotli <= MAX_FIRST.brotli, JSON.stringify(first));
    assert(all.gzip <= MAX_ALL.gzip && all.brotli <= MAX_ALL.brotli, JSON.stringify(all));
    const loaded = new Set(["parley.js"]);
    for (const file of loaded) {
      const code = await Deno.readTextFile(`${folder}${file}`);
      assertEquals(code.match(/\bDeno\b|node:|BEGIN CERTIFICATE/g), null, file);
      // Without a call it is loaded at once.
      const imports = [...code.matchAll(/\bimport\b[^"]*"([^"]*)"/g)];
      for (const [text, path] of imports) {
        assert(path.startsWith("./"), path);
        if (file === "parley.js") assert(text.startsWith("import("), text);
        loaded.add(path.slice(2));
      }
    }
    const present = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
    assertEquals([...loaded].sort(), present.filter((name) => name.endsWith(".js")).sort());
  },
);

packageTest(
  "the package has a licence, no dependency and no script, and is the same whenever it is built",
  async () => {
    const { folder, tarball } = await build();
    const manifest = JSON.parse(await Deno.readTextFile(`${folder}package.json`));
    assertEquals([manifest.name, manifest.version, manifest.license], ["@parley/client", VERSION, "MIT"]);
    assertEquals([manifest.dependencies, manifest.scripts], [undefined, undefined]);
    assert((await Deno.readTextFile(`${folder}LICENSE`)).includes("MIT"));
    const first = await Deno.readFile(tarball);
    assertEquals(await Deno.readFile((await buildPackage()).tarball), first);
  },
);
