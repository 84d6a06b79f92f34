/**
 * A temporary folder.
 *
 * @module
 */

/** Makes a folder that is removed when it is disposed of. */
export function makeFolder(): { readonly path: string } & Disposable {
  const path = Deno.makeTempDirSync({ prefix: "parley-test-" });
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}
