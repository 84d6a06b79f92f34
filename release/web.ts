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
import { bundle } from "./bundle.ts";

const root = join(import.meta.dirname!, "..");

/** The sources of the dashboard. */
const PAGE = "lib/web/page";

/** What is served. */
export const STATIC = "lib/web/static";

/** Style sheets, in the order in which they are joined. */
const STYLES = ["base", "layout", "parts", "uplot"];

/**
 * Builds the files of the dashboard, by name.
 *
 * @throws {NoBundler} see `bundle`
 * @throws {Error} the same
 */
export async function buildWeb(): Promise<Map<string, string>> {
  const read = (name: string) => Deno.readTextFile(join(root, PAGE, name));
  const styles = await Promise.all(STYLES.map((name) => read(`styles/${name}.css`)));
  return new Map([
    ["index.html", await read("index.html")],
    ["licenses.txt", await read("licenses.txt")],
    ["app.css", styles.join("\n")],
    ["app.js", await script()],
  ]);
}

async function script(): Promise<string> {
  const file = await Deno.makeTempFile({ prefix: "parley-web-", suffix: ".js" });
  try {
    await bundle("--platform", "browser", "--minify", "-o", file, `${PAGE}/main.ts`);
    return await Deno.readTextFile(file);
  } finally {
    await Deno.remove(file);
  }
}

if (import.meta.main) {
  await Deno.mkdir(join(root, STATIC), { recursive: true });
  for (const [name, text] of await buildWeb()) {
    await Deno.writeTextFile(join(root, STATIC, name), text);
    console.log(`${join(STATIC, name)}: ${(text.length / 1024).toFixed(1)} KiB`);
  }
}
