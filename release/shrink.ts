/**
 * Makes what a page loads small: joins what it loads at once into one file, leaves what it loads when it is needed in
 * files beside it, and shortens names. A program of its own, `shrink.ts ENTRY OUT RESERVED...`, because nothing else of
 * Parley may depend on a minifier.
 *
 * `deno bundle --code-splitting` has made ENTRY, but puts every module that two files need into one more file, and small
 * files compress badly. So rollup joins them again: what ENTRY needs at once is in ENTRY.
 *
 * Properties are shortened as well, which is safe for every name that is never seen from outside. All others are
 * reserved: what occurs in the files RESERVED, which are the declarations of the runtimes (the code is checked against
 * them, so it uses no other names of a runtime), the declarations of the package, and the modules that have the names
 * of JSON on the wire and of options. Names in quotes are reserved too.
 *
 * @module
 */

/** The tools. They are in the same lock file as the compiler; see `declarations.ts`. */
const ROLLUP = "npm:@rollup/wasm-node@4.68.4";
const TERSER = "npm:terser@5.51.4";

/** The part of rollup's interface that is used here. */
interface Rollup {
  rollup(options: object): Promise<{ generate(options: object): Promise<{ output: readonly Chunk[] }> }>;
}

/** One file. */
interface Chunk {
  readonly fileName: string;
  readonly name: string;
  readonly code: string;
  readonly exports: readonly string[];
}

/** The part of terser's interface that is used here. */
interface Terser {
  minify(code: string, options: object): Promise<{ code: string }>;
}

if (import.meta.main) {
  const [entry, out, ...reserved] = Deno.args;
  const { rollup }: Rollup = await import(ROLLUP);
  const terser: Terser = await import(TERSER);
  const bundle = await rollup({
    input: entry,
    // The other files may import from this one: a file between them would be one more to wait for.
    preserveEntrySignatures: "allow-extension",
    treeshake: { moduleSideEffects: false },
  });
  const { output } = await bundle.generate({
    format: "es",
    entryFileNames: "parley.js",
    // The bundler has put a hash of its own into the names.
    chunkFileNames: ({ name }: Chunk) => `parley-${name.replace(/-[A-Z0-9]{8}$/, "")}-[hash].js`,
  });
  const names = await namesIn(reserved);
  for (const { exports } of output) for (const name of exports) names.add(name);
  const nameCache = {}; // the files use the same names
  for (const { fileName, code } of output) {
    const { code: short } = await terser.minify(code, {
      module: true,
      ecma: 2022,
      // Functions at the top, alike beside alike, compress better. No getter here has an effect that is needed.
      compress: { passes: 3, hoist_funs: true, pure_getters: true },
      mangle: { properties: { reserved: [...names], keep_quoted: true } },
      nameCache,
    });
    await Deno.writeTextFile(`${out}/${fileName}`, `${short}\n`);
  }
}

/** All names in files of TypeScript, those in comments left out. */
async function namesIn(files: readonly string[]): Promise<Set<string>> {
  const names = new Set<string>();
  for (const file of files) {
    const text = (await Deno.readTextFile(file)).replace(/\/\*[^]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
    for (const [name] of text.matchAll(/[\w$]+/g)) names.add(name);
  }
  return names;
}
