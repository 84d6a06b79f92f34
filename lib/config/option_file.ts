/**
 * Files that somebody named, in an option or a call: where they cannot be read, the one who named them is told.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";

/**
 * The text of `path`.
 *
 * @param failure how the message of the error begins; path and reason follow
 * @throws {ParleyError} `bad_argument` where it cannot be read
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
