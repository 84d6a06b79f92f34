/**
 * Runs `deno bundle` in the checkout.
 *
 * One at a time, also of those that other processes run: the first one ever on a machine installs the bundler, esbuild,
 * and one that begins meanwhile fails.
 *
 * @module
 */

import { deno } from "./deno.ts";

/** The bundler is not here, and cannot be downloaded. */
export class NoBundler extends Error {}

/** What `deno bundle` says then. */
const NOT_DOWNLOADED = /esbuild|error sending request|dns error/i;

/**
 * Runs `deno bundle` with `args`; paths are those of the checkout.
 *
 * @throws {NoBundler} with what it printed
 * @throws {Error} the same, if the sources are wrong
 */
export async function bundle(...args: string[]): Promise<void> {
  using lock = await Deno.open(new URL(import.meta.url));
  await lock.lock(true);
  try {
    await deno("bundle", "--quiet", ...args);
  } catch (error) {
    const { message } = error as Error;
    throw NOT_DOWNLOADED.test(message) ? new NoBundler(message) : error;
  }
}
