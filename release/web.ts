/**
 * Builds the dashboard: bundles the sources of `lib/web/page/` into the files of `lib/web/static/`, which are committed
 * and served as they are.
 *
 * ```sh
 * deno task build:web
 * ```
 *
 * @module
 */

import { join } from "node:path";

/** The sources of the dashboard. */
const PAGE = "lib/web/page";

/** What is served. */
export const STATIC = "lib/web/static";

/** Style sheets, in the order in which they are joined. */
const STYLES = ["base", "layout", "parts", "uplot"];

/** The bundler of Deno, esbuild, is not here, and cannot be downloaded. */
export class NoBundler extends Error {}

/** What `deno bundle` says then. */
const NOT_DOWNLOADED = /esbuild|error sending request|dns error|registry\.npmjs/i;

/**
 * Builds the files of the dashboard, by name.
 *
 * @param root the checkout
 * @throws {NoBundler} with what `deno bundle` printed
 * @throws {Error} the same, if the sources are wrong
 */
export async function buildWeb(root: string): Promise<Map<string, string>> {
  const read = (name: string) => Deno.readTextFile(join(root, PAGE, name));
  const styles = await Promise.all(STYLES.map((name) => read(`styles/${name}.css`)));
  return new Map([
    ["index.html", await read("index.html")],
    ["licenses.txt", await read("licenses.txt")],
    ["app.css", styles.join("\n")],
    ["app.js", await bundle(root)],
  ]);
}

async function bundle(root: string): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "parley-web-" });
  try {
    const file = join(folder, "app.js");
    const args = [
      "bundle",
      "--quiet",
      "--platform",
      "browser",
      "--minify",
      "-o",
      file,
      join(PAGE, "main.ts"),
    ];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args,
      cwd: root,
      env: { NO_COLOR: "1" },
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) {
      const text = new TextDecoder().decode(stderr).trim();
      const Kind = NOT_DOWNLOADED.test(text) ? NoBundler : Error;
      throw new Kind(`deno ${args.join(" ")}: ${text}`);
    }
    return await Deno.readTextFile(file);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const root = join(import.meta.dirname!, "..");
  await Deno.mkdir(join(root, STATIC), { recursive: true });
  for (const [name, text] of await buildWeb(root)) {
    await Deno.writeTextFile(join(root, STATIC, name), text);
    console.log(`${join(STATIC, name)}: ${(text.length / 1024).toFixed(1)} KiB`);
  }
}
