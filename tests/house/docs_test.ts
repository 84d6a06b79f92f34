/**
 * The documentation, held against the tree: every path and every name of the code that it mentions is there, and the
 * table of rooms lists exactly the rooms of `lib/`.
 */

import { assertEquals } from "@std/assert";
import { ARCHITECTURE, roomsOf } from "./rooms.ts";

const canRead = (await Deno.permissions.query({ name: "read" })).state === "granted";
const root = new URL("../../", import.meta.url);

/** What is read for paths. The changelog is not: it may name what is no longer there. */
const DOCUMENTS = ["README.md", "SECURITY.md", "CONTRIBUTING.md", "certs/README.md", "docs/"];

/** Paths below these folders are made by a command, and are not in a checkout. */
const MADE = /^(certs\/.+\.pem|dist\/|parley-state\/)/;

/** A path of this repository: below one of its folders, or a file name with an extension that its files have. */
const PATH = /^(\.ci|bench|certs|docs|examples|lib|release|tests)\/|^[\w.-]+\.(ts|md|json|py|svg)$/;

interface Mention {
  readonly document: string;
  readonly line: number;
  readonly text: string;
  /** Where it should be, seen from the root: the first of these that exists. */
  readonly candidates: string[];
}

/** The entries of a folder: paths from the root, those of folders with a slash at the end. */
async function* entriesBelow(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, root))) {
    const path = `${folder}${name}${isDirectory ? "/" : ""}`;
    yield path;
    if (isDirectory) yield* entriesBelow(path);
  }
}

async function documents(): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  const add = async (path: string) => texts.set(path, await Deno.readTextFile(new URL(path, root)));
  for (const path of DOCUMENTS) {
    if (!path.endsWith("/")) await add(path);
    else for await (const entry of entriesBelow(path)) if (entry.endsWith(".md")) await add(entry);
  }
  return texts;
}

/** Blanks fenced blocks, whose content is not prose, and keeps the line numbers. */
function withoutFences(markdown: string): string {
  return markdown.replace(/^ *```[\s\S]*?^ *```$/gm, (fence) => fence.replace(/[^\n]/g, ""));
}

/**
 * Code spans of the text and targets of its links. In a list item or a table row that begins with a folder, a bare file
 * name is a file of that folder.
 */
function mentionsOf(document: string, markdown: string): Mention[] {
  let folder = "";
  return withoutFences(markdown).split("\n").flatMap((text, index) => {
    if (!text.startsWith("  ")) folder = /^(?:\| |- )`([^`]+\/)`/.exec(text)?.[1] ?? "";
    const spans = [...text.matchAll(/`([^`]+)`/g)].map(([, span]) => span)
      .filter((span) => PATH.test(span) && !MADE.test(span) && !/[ *=]/.test(span))
      .map((span) => ({ text: span, candidates: [span, folder + span] }));
    const links = [...text.matchAll(/\]\(([^)#]+)[^)]*\)/g)].map(([, target]) => target)
      .filter((target) => !/^[a-z]+:/.test(target))
      .map((target) => ({
        text: target,
        candidates: [new URL(target, new URL(document, "file:///")).pathname.slice(1)],
      }));
    return [...spans, ...links].map((mention) => ({ document, line: index + 1, ...mention }));
  });
}

/** What is only a comment cannot prove that a name is still there. */
function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
}

async function exists(path: string): Promise<boolean> {
  try {
    const { isDirectory } = await Deno.stat(new URL(path, root));
    return isDirectory || !path.endsWith("/");
  } catch {
    return false;
  }
}

Deno.test({ name: "every path that the documentation mentions exists", ignore: !canRead }, async () => {
  const broken: string[] = [];
  for (const [document, markdown] of await documents()) {
    for (const { line, text, candidates } of mentionsOf(document, markdown)) {
      const found = await Promise.all(candidates.map(exists));
      if (!found.includes(true)) broken.push(`${document}:${line} mentions ${text}, which is not there`);
    }
  }
  assertEquals(broken, []);
});

Deno.test(
  { name: "every name of the code that the documentation mentions is in lib", ignore: !canRead },
  async () => {
    let source = "";
    for await (const path of entriesBelow("lib/")) {
      if (/\.(ts|js)$/.test(path)) source += withoutComments(await Deno.readTextFile(new URL(path, root)));
    }
    const words = new Set(source.match(/\w+/g));
    const broken: string[] = [];
    for (const [document, markdown] of await documents()) {
      withoutFences(markdown).split("\n").forEach((text, index) => {
        // `Outbox`, `Outbox.send`, `onSlowConsumer`: what can only be a name of the code.
        for (const [, name] of text.matchAll(/`((?:[A-Z][a-z]+\w*(?:\.\w+)?|[a-z]+[A-Z]\w*))(?:\(\))?`/g)) {
          const unknown = name.split(".").filter((word) => !words.has(word));
          if (unknown.length > 0) {
            broken.push(`${document}:${index + 1} mentions ${name}; lib has no ${unknown}`);
          }
        }
      });
    }
    assertEquals(broken, []);
  },
);

Deno.test(
  { name: "the table of rooms lists the rooms of lib, and no others", ignore: !canRead },
  async () => {
    const listed = roomsOf(await Deno.readTextFile(new URL(ARCHITECTURE, root)));
    const there = new Set<string>();
    for await (const path of entriesBelow("lib/")) {
      const isRoom = path.endsWith("/") || /^lib\/[^/]+$/.test(path);
      if (isRoom) there.add(path);
    }
    const broken = listed.filter(({ path }) => !there.has(path))
      .map(({ path, line }) => `${ARCHITECTURE}:${line} lists ${path}, which is not there`);
    for (const path of there) {
      if (!listed.some((room) => room.path === path)) broken.push(`${path} has no row in ${ARCHITECTURE}`);
    }
    assertEquals(broken, []);
  },
);

Deno.test({ name: "at most five files are directly in lib", ignore: !canRead }, async () => {
  const files: string[] = [];
  for await (const { name, isFile } of Deno.readDir(new URL("lib/", root))) {
    if (isFile) files.push(`lib/${name}`);
  }
  assertEquals(files.length <= 5, true, `move one of these into a folder: ${files.sort().join(", ")}`);
});
