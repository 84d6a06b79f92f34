/**
 * What users and operators download: made and used here as far as one machine can.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { VERSION } from "../../lib/version.ts";
import { type Entry, writeArchive } from "../../release/archive.ts";
import { compileCommands, downloadFailure, machineOf, TARGETS } from "../../release/targets.ts";
import { makeFolder } from "../harness/folder.ts";
import { MAY_RUN, MAY_USE_FILES } from "../harness/permissions.ts";
import { COMPILED, type Ended, Program, ROOT, SOURCE } from "../harness/program.ts";
import { siteTest } from "../harness/site.ts";

const here = TARGETS.find(({ triple }) => triple === Deno.build.target);

/** Runs a program to its end. */
async function run(
  program: string,
  args: string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
) {
  await using running = new Program(args, { program: [program], ...options });
  await running.endInput();
  return await running.ended();
}

/** Runs `deno task release ARGS`. */
function release(...args: string[]): Promise<Ended> {
  return run(Deno.execPath(), ["run", "--quiet", "--no-check", "-A", `${ROOT}release/main.ts`, ...args]);
}

/** Whether a program is installed. */
function has(program: string): boolean {
  return MAY_RUN &&
    new Deno.Command("sh", { args: ["-c", `command -v ${program}`], stdout: "null" }).outputSync().success;
}

function readText(path: string): Promise<string> {
  return Deno.readTextFile(`${ROOT}${path}`);
}

Deno.test({
  name:
    "a release for this machine: an archive with all that belongs to it, a checksum, and a client that starts",
  ignore: COMPILED === undefined || here === undefined || !has("tar") || !has("sha256sum"),
  fn: async () => {
    using folder = makeFolder();
    const { path: cwd } = folder;
    const made = await release("--reuse", "--fast", "--target", here!.triple, "--out", cwd);
    assertEquals([made.code, made.stderr], [0, ""]);
    const top = `parley-${VERSION}-${here!.name}`;
    assertStringIncludes(made.stdout, `made     ${here!.triple}: ${top}.tar.gz, `);
    assertEquals((await run("sha256sum", ["--check", "SHA256SUMS"], { cwd })).stdout, `${top}.tar.gz: OK\n`);
    const { stdout } = await run("tar", ["tzf", `${top}.tar.gz`], { cwd });
    const files = stdout.trim().split("\n").map((line) => line.slice(top.length + 1));
    const expected = ["LICENSE", "README.md", "CHANGELOG.md", "docs/secure.md", "parley", "parley-server"];
    if (here!.os === "linux") expected.push("systemd/parley-server.service");
    for (const name of ["parley.bash", "_parley", "parley.fish"]) expected.push(`completions/${name}`);
    assertEquals(expected.filter((file) => !files.includes(file)), []);
    await run("tar", ["xzf", `${top}.tar.gz`, `${top}/parley`, `${top}/completions`], { cwd });
    const version = await run(`${cwd}/${top}/parley`, ["--version"], { cwd });
    assertEquals(version, { code: 0, stdout: `${VERSION}\n`, stderr: "" });
    assertEquals((await run("bash", ["-n", `${top}/completions/parley.bash`], { cwd })).code, 0);
  },
});

Deno.test({ name: "a tag that is not the version makes no release", ignore: !MAY_RUN }, async () => {
  const { code, stdout, stderr } = await release("--tag", "v99.0.0");
  assertEquals([code, stdout], [1, ""]);
  assertEquals(stderr, `release: the tag is v99.0.0, and deno.json has version ${VERSION}\n`);
});

Deno.test({ name: "every target of deno compile has an archive", ignore: !MAY_RUN }, async () => {
  const { stderr } = await run(Deno.execPath(), ["compile", "--target", "none", "server.ts"]);
  const [, listed] = /possible values: (.*)/.exec(stderr)!;
  assertEquals(listed.split(", ").sort(), TARGETS.map(({ triple }) => triple).sort());
});

Deno.test("every target is compiled as deno task compile says, to a folder of its own", () => {
  const task =
    "deno compile -P=server -o dist/parley-server server.ts && deno compile -o dist/parley client.ts";
  const [server, client] = compileCommands(task, TARGETS[1], "/tmp/x");
  const start = ["compile", "--quiet", "--target", "aarch64-unknown-linux-gnu"];
  assertEquals(server, [...start, "-P=server", "-o", "/tmp/x/parley-server", "server.ts"]);
  assertEquals(client, [...start, "-o", "/tmp/x/parley", "client.ts"]);
  assertThrows(() => compileCommands("echo", TARGETS[1], "/tmp/x"), Error, "not a command of deno compile");
});

Deno.test("a runtime that cannot be downloaded is a reason to skip, and nothing else is", () => {
  const failed = [
    "error: Writing deno compile executable to temporary file 'x.tmp'",
    "",
    "Caused by:",
    "    0: Setting up base binary.",
    "    1: error sending request for url (example): dns error",
    "    2: client error (Connect)",
  ].join("\n");
  assertMatch(downloadFailure(failed)!, /^its runtime cannot be downloaded here: error sending request /);
  assertEquals(downloadFailure("error: Type checking failed."), undefined);
});

Deno.test("the machine that an executable is for is read from its header", () => {
  const head = (fill: (view: DataView) => void) => {
    const bytes = new Uint8Array(256);
    fill(new DataView(bytes.buffer));
    return machineOf(bytes);
  };
  const elf = (machine: number) => (view: DataView) => {
    view.setUint32(0, 0x7f454c46);
    view.setUint16(18, machine, true);
  };
  const pe = (at: number) => (view: DataView) => {
    view.setUint16(0, 0x4d5a);
    view.setUint32(0x3c, at, true);
    if (at > 250) return;
    view.setUint32(at, 0x50450000);
    view.setUint16(at + 4, 0x8664, true);
  };
  const mach = (view: DataView) => {
    view.setUint32(0, 0xfeedfacf, true);
    view.setUint32(4, 0x0100000c, true);
  };
  const found = [elf(0x3e), elf(0xb7), elf(0x28), mach, pe(128), pe(4000), () => {}].map(head);
  const [x, y] = [undefined, undefined];
  assertEquals(found, ["linux-x86_64", "linux-aarch64", x, "macos-aarch64", "windows-x86_64", y, undefined]);
});

Deno.test(
  { name: "an archive is the same each time, and keeps what is executable", ignore: !has("unzip") },
  async () => {
    using folder = makeFolder();
    const bytes = new TextEncoder().encode("#!/bin/sh\n");
    const entries: Entry[] = [
      { path: "docs/b.md", bytes, isExecutable: false },
      { path: "a", bytes, isExecutable: true },
    ];
    const options = { folder: "x", time: new Date("2026-11-25T12:00:00Z"), level: 9 } as const;
    for (const type of ["tar.gz", "zip"]) {
      const paths = [1, 2].map((n) => `${folder.path}/${n}.${type}`);
      await writeArchive(paths[0], entries, options);
      await writeArchive(paths[1], entries.toReversed(), options);
      const [one, two] = await Promise.all(paths.map((path) => Deno.readFile(path)));
      assertEquals(one, two);
    }
    const zip = await run("unzip", ["-Z", `${folder.path}/1.zip`]);
    assertMatch(zip.stdout, /^-rwxr-xr-x .* 26-Nov-25 12:00 x\/a$/m);
    assertMatch(zip.stdout, /^-rw-r--r-- .* x\/docs\/b\.md$/m);
    const tar = await run("tar", ["tzvf", `${folder.path}/1.tar.gz`], { env: { TZ: "UTC" } });
    assertMatch(tar.stdout, /^-rwxr-xr-x 0\/0 .* 2026-11-25 12:00 x\/a\n-rw-r--r-- 0\/0 .* x\/docs\/b\.md$/m);
  },
);

Deno.test({ name: "systemd accepts the unit", ignore: !has("systemd-analyze") }, async () => {
  using folder = makeFolder();
  const unit = await readText("release/parley-server.service");
  assertStringIncludes(unit, "ExecStart=/usr/local/bin/parley-server ");
  const path = `${folder.path}/parley-server.service`;
  // It looks whether the program is there.
  await Deno.writeTextFile(path, unit.replace("/usr/local/bin/parley-server", "/bin/true"));
  const { code, stdout, stderr } = await run("systemd-analyze", ["verify", path]);
  const said = `${stdout}${stderr}`.split("\n").filter((line) => line.includes(folder.path));
  assertEquals([code, said], [0, []]);
});

Deno.test({
  name: "the container file copies what is made, and runs as its own user",
  ignore: !MAY_USE_FILES,
}, async () => {
  const lines = (await readText("release/Containerfile")).replaceAll("\\\n", " ").split("\n");
  const all = (instruction: string) =>
    lines.filter((line) => line.startsWith(`${instruction} `)).map((line) =>
      line.slice(instruction.length + 1)
    );
  assertMatch(all("FROM").join(), /^debian:\w+-slim$/); // has glibc
  const sources = all("COPY").flatMap((line) =>
    line.split(" ").filter((word) => !word.startsWith("--")).slice(0, -1)
  );
  const { tasks } = JSON.parse(await readText("deno.json"));
  for (const source of sources) {
    if (source.startsWith("dist/")) assertStringIncludes(`${tasks.compile.command} `, ` -o ${source} `);
    else assert((await Deno.stat(`${ROOT}${source}`)).isFile);
  }
  const ignored = (await readText(".dockerignore")).split("\n");
  assertEquals(sources.filter((source) => !ignored.includes(`!${source}`)), []);
  assertEquals(all("USER"), ["parley"]);
  assertEquals(all("VOLUME"), all("WORKDIR"));
  assertEquals(all("ENTRYPOINT"), ['["parley-server"]']);
  assertMatch(all("HEALTHCHECK").join(), / CMD \["parley-health"\]$/);
});

siteTest("the health check of the container asks the server, with a token or without", async (site) => {
  const server = await site.serve("--auth", "--tls");
  await using bin = await makeBin();
  const check = async (token?: string) => {
    const env: Record<string, string> = {
      PATH: `${bin.path}:${Deno.env.get("PATH")}`,
      PARLEY_PORT: `${server.port}`,
    };
    if (token !== undefined) env.PARLEY_TOKEN = token;
    return (await run("sh", [`${ROOT}release/health.sh`], { cwd: site.path, env })).code;
  };
  const token = await site.issue("--name", "health");
  assertEquals([await check(), await check(token), await check("wrong")], [0, 0, 1]);
  await server.stop();
  assertEquals(await check(), 1);
});

/** A folder for PATH, in which `parley` is the client of this checkout. */
async function makeBin(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "parley-bin-" });
  const command = SOURCE.client.map((word) => `'${word}'`).join(" ");
  await Deno.writeTextFile(`${path}/parley`, `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o755 });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

Deno.test(
  { name: "the workflow runs on a tag, and what it runs is there", ignore: !MAY_USE_FILES },
  async () => {
    const workflow = await readText(".github/workflows/release.yml");
    assertStringIncludes(workflow, 'tags: ["v*"]');
    const { tasks } = JSON.parse(await readText("deno.json"));
    const named = [...workflow.matchAll(/ task (\S+)/g)].map(([, name]) => name);
    assertEquals(named.filter((name) => !(name in tasks)), []);
    const options = [...workflow.matchAll(/ task release (.*)/g)].flatMap(([, args]) =>
      args.match(/--\w+/g)!
    );
    const source = await readText("release/main.ts");
    for (const option of options) assertStringIncludes(source, `  ${option} `);
    assert((await Deno.stat(`${ROOT}.ci/run`)).isFile);
  },
);
