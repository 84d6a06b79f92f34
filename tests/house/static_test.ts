/**
 * The committed files of the dashboard are what its sources give, and the licenses are those of the libraries in it.
 */

import { gzipSync } from "node:zlib";
import { assert, assertEquals } from "@std/assert";
import { NoBundler } from "../../release/bundle.ts";
import { buildWeb, STATIC } from "../../release/web.ts";
import { MAY_RUN } from "../harness/permissions.ts";

const root = new URL("../../", import.meta.url);

Deno.test(
  { name: "lib/web/static is what deno task build:web makes of lib/web/page", ignore: !MAY_RUN },
  async () => {
    let built: Map<string, string>;
    try {
      built = await buildWeb();
    } catch (error) {
      if (!(error instanceof NoBundler)) throw error;
      console.warn(`skipped: deno bundle does not run here: ${error.message}`);
      return;
    }
    const stale: string[] = [];
    for (const [name, text] of built) {
      const committed = await Deno.readTextFile(new URL(`${STATIC}/${name}`, root)).catch(() => undefined);
      if (committed !== text) {
        stale.push(
          `${STATIC}/${name} is not what its sources give: run deno task build:web`,
        );
      }
    }
    for await (const { name } of Deno.readDir(new URL(`${STATIC}/`, root))) {
      if (!built.has(name)) stale.push(`${STATIC}/${name} is not made by deno task build:web`);
    }
    assertEquals(stale, []);
  },
);

Deno.test(
  { name: "the licenses of the dashboard are those of the libraries in it", ignore: !MAY_RUN },
  async () => {
    const { imports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", root)));
    const text = await Deno.readTextFile(new URL(`${STATIC}/licenses.txt`, root));
    const missing = ["preact", "htm", "uplot"].map((name) =>
      imports[name].replace("npm:", "").replace("@", " ")
    )
      .filter((library) => !text.includes(`\n${library} (`));
    assertEquals(missing, []);
  },
);

Deno.test(
  { name: "docs/dashboard.md says how large the dashboard is, to a tenth", ignore: !MAY_RUN },
  async () => {
    const text = await Deno.readTextFile(new URL("docs/dashboard.md", root));
    const [, minified, compressed] = /^\| all of it .*?(\d+) KiB *\| *(\d+) KiB/m.exec(text)!.map(Number);
    let [bytes, zipped] = [0, 0];
    for (const name of ["index.html", "app.css", "app.js"]) {
      const content = await Deno.readFile(new URL(`${STATIC}/${name}`, root));
      bytes += content.length;
      zipped += gzipSync(content).length;
    }
    const isNear = (said: number, is: number) => Math.abs(said * 1024 - is) < is / 10;
    const found = `${Math.round(bytes / 1024)} KiB, ${Math.round(zipped / 1024)} KiB`;
    assert(isNear(minified, bytes) && isNear(compressed, zipped), `it is ${found}`);
  },
);
