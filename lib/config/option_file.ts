/**
 * Files that an option or a call names. If one cannot be read, the error says which and why.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";

/** Deno opens these paths only with all permissions, but has what they stand for. */
const STDIN = /^\/(dev\/stdin|dev\/fd\/0|proc\/self\/fd\/0)$/;

/**
 * Reads the text of `path`. It may be a pipe or `/dev/stdin`.
 *
 * @param failure how the error message begins; the path and the reason follow
 * @throws {ParleyError} `bad_argument` if the file cannot be read
 */
export async function readOptionFile(path: string, failure: string): Promise<string> {
  try {
    return await (STDIN.test(path) ? new Response(Deno.stdin.readable).text() : Deno.readTextFile(path));
  } catch (error) {
    const message = `${failure} ${path}: ${reasonNotRead(error)}`;
    throw new ParleyError("bad_argument", message, { cause: error });
  }
}

/** As {@linkcode readOptionFile}, at once, and throws what Deno throws. */
export function readTextFileSync(path: string): string {
  if (!STDIN.test(path)) return Deno.readTextFileSync(path);
  const decoder = new TextDecoder();
  const chunk = new Uint8Array(65_536);
  let text = "";
  for (let length = Deno.stdin.readSync(chunk); length !== null; length = Deno.stdin.readSync(chunk)) {
    text += decoder.decode(chunk.subarray(0, length), { stream: true });
  }
  return text + decoder.decode();
}

/** Why a file could not be read. */
export function reasonNotRead(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.NotCapable) {
    return "this runtime does not open it for a program; give a file, a pipe or /dev/stdin";
  }
  return error instanceof Error ? error.message : String(error);
}
