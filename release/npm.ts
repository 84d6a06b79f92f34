/**
 * `deno task build:npm`: the client library as a package of npm, in `dist/npm/`, for browsers, Node and Bun.
 *
 * `package/` is the package, `parley-client-VERSION.tgz` the same packed. A page loads `parley.js` in it, which loads
 * `parley-*.js` beside it when it needs them. All are copied to `examples/web/`, so that the example runs.
 *
 * @module
 */

import { VERSION } from "../lib/version.ts";
import { type Entry, writeArchive } from "./archive.ts";
import { bundle } from "./bundle.ts";
import { TYPESCRIPT } from "./declarations.ts";
import { deno } from "./deno.ts";

const root = new URL("../", import.meta.url);
const out = new URL("dist/npm/", root);

/** What browsers load: it has no other network than WebSocket. */
const BROWSER = { entry: "lib/client/browser.ts", options: ["--platform", "browser", "--minify"] };
/** For Node, Bun and Deno. Readable, because its stack traces are read. */
const NODE = { entry: "lib/client/mod.ts", options: ["--platform", "deno"] };

/** The modules with the names of JSON on the wire, and of options; see `shrink.ts`. */
const RESERVED = [
  "lib/wire/client_control.ts",
  "lib/wire/control.ts",
  "lib/wire/header.ts",
  "lib/client/checks.ts",
];

const TYPES = "./types/client/mod.d.ts";

const MANIFEST = {
  name: "@parley/client",
  version: VERSION,
  description: "The client of Parley, a message server: for browsers, Node and Bun",
  license: "MIT",
  type: "module",
  sideEffects: false,
  engines: { node: ">=20" },
  types: TYPES,
  browser: "./parley.js",
  main: "./node/mod.js",
  exports: {
    ".": { types: TYPES, browser: "./parley.js", default: "./node/mod.js" },
    "./browser": { types: TYPES, default: "./parley.js" },
    "./package.json": "./package.json",
  },
};

if (import.meta.main) {
  const { tarball, first, all } = await buildPackage();
  const kib = (bytes: number) => `${(bytes / 1024).toFixed(1)} KiB`;
  const say = ({ bytes, gzip, brotli }: Size) =>
    `${kib(gzip)} compressed with gzip, ${kib(brotli)} with brotli, ${kib(bytes)} minified`;
  console.log(`made ${tarball}`);
  console.log(`a page loads ${say(first)}`);
  console.log(`and with everything that it may need ${say(all)}`);
}

/** What was made. */
export interface Built {
  /** The path of the packed package. */
  readonly tarball: string;
  /** The path of the package. */
  readonly folder: string;
  /** What a page loads that connects, publishes, subscribes and reconnects: `parley.js`. */
  readonly first: Size;
  /** All files that a page may load, each compressed by itself. */
  readonly all: Size;
}

/** A size in bytes, also compressed at its best. */
export interface Size {
  readonly bytes: number;
  readonly gzip: number;
  readonly brotli: number;
}

/** Makes the package. */
export async function buildPackage(): Promise<Built> {
  const work = await Deno.makeTempDir({ prefix: "parley-npm-" });
  try {
    const entries: Entry[] = [];
    const add = (path: string, bytes: Uint8Array) => entries.push({ path, bytes, isExecutable: false });
    const [, , types] = await Promise.all([
      split(`${work}/bundled`, BROWSER),
      split(`${work}/node`, NODE),
      declare(work),
    ]);
    await shrink(`${work}/bundled/browser.js`, `${work}/browser`, types.map((path) => `${work}/${path}`));
    const browser: Entry[] = [];
    for (const path of await list(`${work}/browser`)) {
      const bytes = await Deno.readFile(`${work}/browser/${path}`);
      browser.push({ path, bytes, isExecutable: false });
      add(path, bytes);
    }
    for (const path of await list(`${work}/node`)) {
      add(`node/${path}`, await Deno.readFile(`${work}/node/${path}`));
    }
    for (const path of types) add(path, await Deno.readFile(`${work}/${path}`));
    add("package.json", new TextEncoder().encode(`${JSON.stringify(MANIFEST, undefined, 2)}\n`));
    add("README.md", await Deno.readFile(new URL("release/npm/README.md", root)));
    add("LICENSE", await Deno.readFile(new URL("LICENSE", root)));
    for (const { path, bytes } of entries) {
      await replace(new URL(`package/${path}`, out), bytes);
    }
    for (const { path, bytes } of browser) await replace(new URL(`examples/web/${path}`, root), bytes);
    const current = new Set(browser.map(({ path }) => path));
    for (const folder of [new URL("package/", out), new URL("examples/web/", root)]) {
      await removeOthers(folder, current);
    }
    const tarball = new URL(`parley-client-${VERSION}.tgz`, out).pathname;
    // npm takes the times of files from nowhere else either: this is the one it uses itself.
    const packed = `${work}/packed.tgz`;
    await writeArchive(packed, entries, {
      folder: "package",
      time: new Date("1985-10-26T08:15:00Z"),
      level: 9,
    });
    await replace(new URL(`file://${tarball}`), await Deno.readFile(packed));
    return {
      tarball,
      folder: new URL("package/", out).pathname,
      first: await sizeOf(browser.filter(({ path }) => path === "parley.js")),
      all: await sizeOf(browser),
    };
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** Bundles into files of `folder`: what is loaded on demand is in files of its own. */
async function split(folder: string, { entry, options }: typeof BROWSER): Promise<void> {
  await bundle(...options, "--code-splitting", "--outdir", folder, entry);
}

/** Makes the files of a bundle small; see `shrink.ts`. */
async function shrink(entry: string, folder: string, declarations: readonly string[]): Promise<void> {
  await Deno.mkdir(folder);
  const runtimes = `${folder}.d.ts`;
  await Deno.writeTextFile(runtimes, await deno("types"));
  await tool("release/shrink.ts", entry, folder, runtimes, ...declarations, ...RESERVED);
}

/** Writes the declarations below `folder`; resolves to their paths. */
async function declare(folder: string): Promise<string[]> {
  await tool("release/declarations.ts", "lib/client/mod.ts", root.href, `${folder}/types`);
  return (await list(`${folder}/types`)).map((path) => `types/${path}`);
}

/** The paths of all files below `folder`. */
async function list(folder: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) paths.push(...(await list(`${folder}/${name}`)).map((path) => `${name}/${path}`));
    else paths.push(name);
  }
  return paths.sort();
}

/** Runs a program with dependencies of its own. */
async function tool(program: string, ...args: string[]): Promise<void> {
  await deno("run", "--quiet", "--no-config", "--lock", TYPESCRIPT.lock, "--frozen", "-A", program, ...args);
}

/** Removes the files of other builds. */
async function removeOthers(folder: URL, current: ReadonlySet<string>): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    if (/^parley-.*\.js$/.test(name) && !current.has(name)) await Deno.remove(new URL(name, folder));
  }
}

/** Writes a file whole: what another process reads meanwhile, such as a test, is the one before or this one. */
async function replace(file: URL, bytes: Uint8Array): Promise<void> {
  await Deno.mkdir(new URL(".", file), { recursive: true });
  const beside = new URL(`${file.href}.${crypto.randomUUID()}`);
  await Deno.writeFile(beside, bytes);
  await Deno.rename(beside, file);
}

async function sizeOf(files: readonly Entry[]): Promise<Size> {
  const { brotliCompressSync, gzipSync } = await import("node:zlib");
  const size = { bytes: 0, gzip: 0, brotli: 0 };
  for (const { bytes } of files) {
    size.bytes += bytes.length;
    size.gzip += gzipSync(bytes, { level: 9 }).length;
    size.brotli += brotliCompressSync(bytes).length;
  }
  return size;
}
