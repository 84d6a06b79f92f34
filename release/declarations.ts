/**
 * The declarations of a module for TypeScript, and of all that it mentions: a tree of `.d.ts` files. A program of its
 * own, `declarations.ts ENTRY ROOT OUT`, because nothing else of Parley may depend on the compiler: valibot would bring
 * it into the executables.
 *
 * @module
 */

/** The compiler, and the lock file that holds it. */
export const TYPESCRIPT = { specifier: "npm:typescript@5.9.3", lock: "release/npm/deno.lock" };

/** The part of the compiler's interface that is used here. */
interface Compiler {
  readonly ScriptTarget: { readonly ESNext: number };
  readonly ModuleKind: { readonly ESNext: number };
  transpileDeclaration(source: string, options: object): {
    readonly outputText: string;
    readonly diagnostics?: readonly { readonly messageText: unknown }[];
  };
}

/** What `Symbol.asyncDispose` and `await using` need, whatever the `lib` of the project that uses it. */
const LIB = '/// <reference lib="esnext.disposable" />\n';

if (import.meta.main) {
  const [entry, root, out] = Deno.args;
  const compiler: { default: Compiler } = await import(TYPESCRIPT.specifier);
  for (const [path, text] of await declarationsOf(entry, new URL(root), compiler.default)) {
    const file = `${out}/${path.replace(/^lib\//, "")}`;
    await Deno.mkdir(file.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(file, text);
  }
}

/** The declarations of the module at `entry`, a path below `root`, without what is `@internal`; by their paths. */
async function declarationsOf(entry: string, root: URL, ts: Compiler): Promise<Map<string, string>> {
  const compilerOptions = {
    target: ts.ScriptTarget.ESNext,
    module: ts.ModuleKind.ESNext,
    isolatedDeclarations: true,
    stripInternal: true,
  };
  const found = new Map<string, string>();
  const toDo = [entry];
  for (let path = toDo.pop(); path !== undefined; path = toDo.pop()) {
    const declared = path.replace(/\.ts$/, ".d.ts");
    if (found.has(declared)) continue;
    const source = await Deno.readTextFile(new URL(path, root));
    const options = { compilerOptions, fileName: path, reportDiagnostics: true };
    const { outputText, diagnostics = [] } = ts.transpileDeclaration(source, options);
    if (diagnostics.length > 0) throw new Error(`${path}: ${JSON.stringify(diagnostics[0].messageText)}`);
    const from = new URL(path, root);
    const text = outputText.replace(/(\bfrom ")(\.[^"]*)\.ts"/g, (_, before: string, name: string) => {
      toDo.push(new URL(`${name}.ts`, from).pathname.slice(root.pathname.length));
      return `${before}${name}.js"`;
    });
    found.set(declared, path === entry ? LIB + text : text);
  }
  return found;
}
