/**
 * `deno task build:npm`: the client library as a package of npm, in `dist/npm/`, for browsers, Node and Bun.
 *
 * `package/` is the package, `parley-client-VERSION.tgz` the same packed. `parley.js` in it is all that a page needs, and
 * is copied beside `examples/web/`, so that the example runs.
 *
 * @module
 */

import { VERSION } from "../lib/version.ts";
import { type Entry, writeArchive } from "./archive.ts";
import { TYPESCRIPT } from "./declarations.ts";

const root = new URL("../", import.meta.url);
const out = new URL("dist/npm/", root);

/** The two files of the library, and where each begins. */
const BUNDLES = [
  // What a browser loads, and no more: `lib/client/browser.ts` has no other network than WebSocket.
  { file: "parley.js", entry: "lib/client/browser.ts", options: ["--platform", "browser", "--minify"] },
  // For Node, Bun and Deno. Readable, because its stack traces are read.
  { file: "node.js", entry: "lib/client/mod.ts", options: ["--platform", "deno"] },
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
  main: "./node.js",
  exports: {
    ".": { types: TYPES, browser: "./parley.js", default: "./node.js" },
    "./browser": { types: TYPES, default: "./parley.js" },
    "./package.json": "./package.json",
  },
};

if (import.meta.main) {
  const { tarball, browserBytes, browserGzipBytes } = await buildPackage();
  const kib = (bytes: number) => `${(bytes / 1024).toFixed(1)} KiB`;
  console.log(`made ${tarball}`);
  console.log(`a browser loads ${kib(browserGzipBytes)} compressed with gzip, ${kib(browserBytes)} minified`);
}

/** What was made. */
export interface Built {
  /** The path of the packed package. */
  readonly tarball: string;
  /** The path of the package. */
  readonly folder: string;
  /** The size of the file for browsers. */
  readonly browserBytes: number;
  /** The same, as gzip compresses it at its best. */
  readonly browserGzipBytes: number;
}

/** Makes the package. */
export async function buildPackage(): Promise<Built> {
  const work = await Deno.makeTempDir({ prefix: "parley-npm-" });
  try {
    const entries: Entry[] = [];
    const add = (path: string, bytes: Uint8Array) => entries.push({ path, bytes, isExecutable: false });
    const [browser, node] = await Promise.all(BUNDLES.map((each) => bundle(work, each)));
    add("parley.js", browser);
    add("node.js", node);
    for (const path of await declare(work)) add(path, await Deno.readFile(`${work}/${path}`));
    add("package.json", new TextEncoder().encode(`${JSON.stringify(MANIFEST, undefined, 2)}\n`));
    add("README.md", await Deno.readFile(new URL("release/npm/README.md", root)));
    add("LICENSE", await Deno.readFile(new URL("LICENSE", root)));
    for (const { path, bytes } of entries) {
      await replace(new URL(`package/${path}`, out), bytes);
    }
    await replace(new URL("examples/web/parley.js", root), browser);
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
      browserBytes: browser.length,
      browserGzipBytes: await gzipBytes(browser),
    };
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

async function bundle(
  folder: string,
  { file, entry, options }: (typeof BUNDLES)[number],
): Promise<Uint8Array> {
  const to = `${folder}/${file}`;
  await deno("bundle", "--quiet", ...options, "--output", to, entry);
  return await Deno.readFile(to);
}

/** Writes the declarations below `folder`; resolves to their paths. */
async function declare(folder: string): Promise<string[]> {
  const compiler = ["--quiet", "--no-config", "--lock", TYPESCRIPT.lock, "--frozen", "-A"];
  await deno(
    "run",
    ...compiler,
    "release/declarations.ts",
    "lib/client/mod.ts",
    root.href,
    `${folder}/types`,
  );
  const paths: string[] = [];
  const list = async (path: string) => {
    for await (const { name, isDirectory } of Deno.readDir(`${folder}/${path}`)) {
      if (isDirectory) await list(`${path}/${name}`);
      else paths.push(`${path}/${name}`);
    }
  };
  await list("types");
  return paths;
}

/** Writes a file whole: what another process reads meanwhile, such as a test, is the one before or this one. */
async function replace(file: URL, bytes: Uint8Array): Promise<void> {
  await Deno.mkdir(new URL(".", file), { recursive: true });
  const beside = new URL(`${file.href}.${crypto.randomUUID()}`);
  await Deno.writeFile(beside, bytes);
  await Deno.rename(beside, file);
}

/** Runs Deno in the checkout. */
async function deno(...args: string[]): Promise<void> {
  const command = new Deno.Command(Deno.execPath(), { args, cwd: root, stdin: "null", stdout: "null" });
  const { success, stderr } = await command.output();
  if (!success) throw new Error(`deno ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

async function gzipBytes(bytes: Uint8Array): Promise<number> {
  const { gzipSync } = await import("node:zlib");
  return gzipSync(bytes, { level: 9 }).length;
}
