/**
 * Tokens and authorities as the command line names them: by value, by file, or typed in.
 *
 * @module
 */

import { promptSecret } from "@std/cli";
import { ParleyError } from "../errors.ts";

/**
 * The token that `--token` or PARLEY_TOKEN stands for: `@FILE` is in that file, `-` is asked for at the terminal, so that
 * it stands in no process list and no shell history.
 *
 * @throws {ParleyError} `bad_argument` where it cannot be had
 */
export async function readToken(given: string | undefined): Promise<string | undefined> {
  if (given === "-") {
    const typed = promptSecret("token: ", { mask: "" })?.trim();
    if (typed) return typed;
    throw new ParleyError("bad_argument", "no token was typed; --token - needs a terminal to ask at");
  }
  if (!given?.startsWith("@")) return given;
  const token = (await readFile(given.slice(1), "token")).trim();
  if (token !== "") return token;
  throw new ParleyError("bad_argument", `${given.slice(1)} holds no token; it is empty`);
}

/**
 * The certificate in the file that `--ca` names, PEM.
 *
 * @throws {ParleyError} `bad_argument` where it cannot be read
 */
export async function readAuthority(path: string | undefined): Promise<string | undefined> {
  return path === undefined ? undefined : await readFile(path, "ca");
}

async function readFile(path: string, option: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ParleyError("bad_argument", `--${option}: cannot read ${path}: ${reason}`, { cause: error });
  }
}
