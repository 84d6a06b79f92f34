/**
 * The rules of docs/architecture.md, held against every file: what a room may import, no cycles, no module state.
 */

import { assertEquals } from "@std/assert";
import { ARCHITECTURE, roomName, roomsOf } from "./rooms.ts";

const canRead = (await Deno.permissions.query({ name: "read" })).state === "granted";
const root = new URL("../../", import.meta.url);

interface Import {
  readonly file: string;
  readonly line: number;
  readonly text: string;
  /** The imported file below `lib/`, or the specifier where it is not ours. */
  readonly target: string;
  readonly isOurs: boolean;
}

const IMPORT = /^(?:import|export)\b[^;]*?\bfrom\s+"([^"]+)"|\bimport\(\s*"([^"]+)"/gm;

async function* filesBelow(directory: URL): AsyncGenerator<URL> {
  for await (const entry of Deno.readDir(directory)) {
    const url = new URL(entry.name + (entry.isDirectory ? "/" : ""), directory);
    if (entry.isDirectory) yield* filesBelow(url);
    else if (/(?<!\.d)\.ts$/.test(entry.name)) yield url;
  }
}

async function importsOf(file: URL): Promise<Import[]> {
  const source = withoutComments(await Deno.readTextFile(file));
  const name = file.pathname.slice(root.pathname.length);
  return [...source.matchAll(IMPORT)].map((match) => {
    const specifier = match[1] ?? match[2];
    const isOurs = specifier.startsWith(".");
    const target = isOurs ? new URL(specifier, file).pathname.slice(root.pathname.length) : specifier;
    const end = match.index + match[0].length;
    return { file: name, line: source.slice(0, end).split("\n").length, text: match[0], target, isOurs };
  });
}

/** Blanks comments, examples in docstrings among them, and keeps the line numbers. */
function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ""));
}

async function allImports(): Promise<Import[]> {
  const found: Import[] = [];
  for await (const file of filesBelow(new URL("lib/", root))) found.push(...await importsOf(file));
  return found;
}

Deno.test(
  { name: "every room of lib imports only what the table of rooms allows", ignore: !canRead },
  async () => {
    const rooms = roomsOf(await Deno.readTextFile(new URL(ARCHITECTURE, root)));
    const allowed = new Map(
      rooms.flatMap(({ path, mayImport }) => mayImport ? [[roomName(path), mayImport]] : []),
    );
    const broken = (await allImports())
      .filter(({ isOurs, target }) => isOurs && target.startsWith("lib/"))
      .filter(({ file, target }) =>
        roomName(file) !== roomName(target) && !allowed.get(roomName(file))?.includes(roomName(target))
      )
      .map(({ file, line, target }) =>
        `${file}:${line} imports ${target}, which ${ARCHITECTURE} does not list for ${roomName(file)}`
      );
    assertEquals(broken, []);
  },
);

Deno.test({ name: "what is not ours comes through the import map", ignore: !canRead }, async () => {
  const { imports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", root)));
  const broken = (await allImports())
    .filter(({ isOurs, target }) => !isOurs && !Object.hasOwn(imports, target) && !target.startsWith("node:"))
    .map(({ file, line, target }) => `${file}:${line} imports ${target}, which deno.json does not map`);
  assertEquals(broken, []);
});

Deno.test({ name: "there are no import cycles, type imports included", ignore: !canRead }, async () => {
  const graph = new Map<string, string[]>();
  for (const { file, target, isOurs } of await allImports()) {
    if (isOurs) graph.set(file, [...(graph.get(file) ?? []), target]);
  }
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string, path: string[]) => {
    if (path.includes(file)) {
      cycles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
    } else if (!done.has(file)) {
      for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
      done.add(file);
    }
  };
  for (const file of graph.keys()) visit(file, []);
  assertEquals(cycles, []);
});

Deno.test({ name: "no module keeps state that changes", ignore: !canRead }, async () => {
  const broken: string[] = [];
  for await (const file of filesBelow(new URL("lib/", root))) {
    const lines = withoutComments(await Deno.readTextFile(file)).split("\n");
    lines.forEach((line, index) => {
      const stateful = /^(export )?(let|var)\b/.test(line) ||
        /^(export )?const \w+(: [^=]+)? = (new (Map|Set|WeakMap)\b|\[\];|\{\};)/.test(line);
      if (stateful) broken.push(`${file.pathname.slice(root.pathname.length)}:${index + 1} ${line}`);
    });
  }
  assertEquals(broken, []);
});

Deno.test({ name: "no file of lib has outgrown what one sitting can read", ignore: !canRead }, async () => {
  const most = 320;
  const broken: string[] = [];
  for await (const file of filesBelow(new URL("lib/", root))) {
    const lines = (await Deno.readTextFile(file)).split("\n").length - 1; // the last line ends, too
    if (lines > most) {
      broken.push(`${file.pathname.slice(root.pathname.length)} has ${lines} lines; split it`);
    }
  }
  assertEquals(broken, []);
});

Deno.test({ name: "tests start Parley's programs with tests/harness alone", ignore: !canRead }, async () => {
  const broken: string[] = [];
  for await (const file of filesBelow(new URL("tests/", root))) {
    const name = file.pathname.slice(root.pathname.length);
    if (name.startsWith("tests/harness/")) continue;
    const source = withoutComments(await Deno.readTextFile(file));
    for (const match of source.matchAll(/new Deno\.Command\(([\s\S]*?)\)\.?(spawn|output)/g)) {
      if (!/\b(server|client)\.ts\b|dist\/parley/.test(match[1])) continue;
      broken.push(`${name}:${source.slice(0, match.index).split("\n").length} use Program or ServerProcess`);
    }
  }
  assertEquals(broken, []);
});
