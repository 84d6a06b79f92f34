/**
 * Tokens and authorities as the command line names them: by value, by file, or typed in.
 *
 * @module
 */

import { ParleyError } from "../../errors.ts";
import { readOptionFile } from "../../config/option_file.ts";
import { printError } from "../output.ts";

/**
 * The token that `--token` or PARLEY_TOKEN stands for: `@FILE` is in that file, `-` is asked for at the terminal, so that
 * it stands in no process list and no shell history.
 *
 * @throws {ParleyError} `bad_argument` where it cannot be had
 */
export async function readToken(given: string | undefined): Promise<string | undefined> {
  if (given === "-") {
    const typed = (await ask("token: "))?.trim();
    if (typed) return typed;
    const problem = typed === undefined
      ? "there is no terminal to ask for the token at; give it in PARLEY_TOKEN, or as --token @FILE"
      : "no token was typed";
    throw new ParleyError("bad_argument", problem);
  }
  if (!given?.startsWith("@")) return given;
  const path = given.slice(1);
  const token = (await readFile(path, "token")).trim();
  if (token === "") throw new ParleyError("bad_argument", `${path} holds no token; it is empty`);
  if (/\s/.test(token)) {
    throw new ParleyError(
      "bad_argument",
      `${path} must hold a token and nothing else, but has several words or lines`,
    );
  }
  return token;
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
  if (path === "") throw new ParleyError("bad_argument", `--${option}: @ needs a file after it: @FILE`);
  return await readOptionFile(path, `--${option}: cannot read`);
}

/**
 * Asks for a secret at the terminal, on stderr and without showing what is typed; nothing where there is no terminal.
 * Not `promptSecret` of `@std/cli`: that asks on stdout, which may be a file, and stops the whole program while it
 * waits, so that Ctrl-C has no effect.
 */
async function ask(question: string): Promise<string | undefined> {
  if (!Deno.stdin.isTerminal()) return undefined;
  const isWindows = Deno.build.os === "windows";
  const signals: Deno.Signal[] = isWindows ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  // A signal ends the program, but not this: the terminal must be as it was before that.
  const restore = () => Deno.stdin.setRaw(false);
  Deno.stderr.writeSync(new TextEncoder().encode(question));
  Deno.stdin.setRaw(true, isWindows ? undefined : { cbreak: true });
  for (const signal of signals) Deno.addSignalListener(signal, restore);
  try {
    return await typedLine();
  } finally {
    for (const signal of signals) Deno.removeSignalListener(signal, restore);
    restore();
    printError("");
  }
}

/** What Ctrl-C, Ctrl-D, Ctrl-H, Ctrl-U and the keys send. */
const [INTERRUPT, END, BACKSPACE, CLEAR, NEWLINE, RETURN, DELETE] = [3, 4, 8, 21, 10, 13, 127];

/** The line that is typed. Byte by byte: what comes after it is for somebody else. */
async function typedLine(): Promise<string> {
  const typed: number[] = [];
  const byte = new Uint8Array(1);
  while (await Deno.stdin.read(byte) === 1) {
    const [code] = byte;
    if ([INTERRUPT, END, NEWLINE, RETURN].includes(code)) break;
    if (code === BACKSPACE || code === DELETE) typed.pop();
    else if (code === CLEAR) typed.length = 0;
    else typed.push(code);
  }
  return new TextDecoder().decode(new Uint8Array(typed));
}
