/**
 * Files that an option or a call names. If one cannot be read, the error says which and why.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";

/**
 * Reads the text of `path`.
 *
 * @param failure how the error message begins; the path and the reason follow
 * @throws {ParleyError} `bad_argument` if the file cannot be read
 */
export async function readOptionFile(path: string, failure: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound
      ? "there is no such file"
      : error instanceof Error
      ? error.message
      : String(error);
    throw new ParleyError("bad_argument", `${failure} ${path}: ${reason}`, { cause: error });
  }
}
