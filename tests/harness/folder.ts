/**
 * A temporary folder.
 *
 * @module
 */

/**
 * Makes a folder that is removed when it is disposed of.
 *
 * @param dir where, if not in the usual place
 */
export function makeFolder(dir?: string): { readonly path: string } & Disposable {
  const path = Deno.makeTempDirSync({ dir, prefix: "parley-test-" });
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}
