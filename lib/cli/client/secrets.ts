/**
 * Reads tokens and certificate authorities that options give by value, by file or at the terminal.
 *
 * @module
 */

import { ParleyError } from "../../errors.ts";
import { CLIENT_OPTIONS } from "../../config/client_options.ts";
import { describeInvalid, parseValue } from "../../config/option.ts";
import { readOptionFile } from "../../config/option_file.ts";
import type { Host } from "../host.ts";
import { printError } from "../output.ts";
import { readAll, stdin } from "./input.ts";

/**
 * Reads the token that `--token` or PARLEY_TOKEN gives. `@FILE` reads it from a file, and `-` asks for it at the
 * terminal: neither shows it in a process list or a shell history. All are checked in the same way.
 *
 * @param origin the origin of `given`, as in `Loaded.origins`
 * @throws {ParleyError} `bad_argument` if there is no token to read
 */
export async function readToken(given: string | undefined, origin: string): Promise<string | undefined> {
  if (given === "-") {
    const typed = await ask("token: ");
    if (typed !== undefined) return checkedToken(typed, "the token typed");
    throw new ParleyError(
      "bad_argument",
      "cannot ask for the token: stdin is not a terminal; give it in PARLEY_TOKEN, or as --token @FILE",
    );
  }
  if (!given?.startsWith("@")) return given; // checked when it was loaded
  const label = origin === "flag" ? "--token" : origin;
  const path = given.slice(1).trim();
  if (path === "") throw new ParleyError("bad_argument", `${label}: @ must be followed by a file: @FILE`);
  return checkedToken(
    await readOptionFile(path, `${label}: cannot read`),
    `${label}: the content of ${path}`,
  );
}

/** Reads `text` as the value of the option would be read. */
function checkedToken(text: string, label: string): string {
  const token = parseValue(CLIENT_OPTIONS.token, text);
  if (token === undefined) {
    throw new ParleyError("bad_argument", describeInvalid(CLIENT_OPTIONS.token, text, label));
  }
  return String(token);
}

/**
 * Reads the file that `--ca` names: a certificate in PEM.
 *
 * @throws {ParleyError} `bad_argument` if it cannot be read
 */
export async function readAuthority(path: string | undefined): Promise<string | undefined> {
  return path === undefined ? undefined : await readOptionFile(path, "--ca: cannot read");
}

/** As much of stdin as can be a join link. */
const MAX_LINK_BYTES = 65_536;

/**
 * Reads a join link from stdin; asks for it if that is a terminal. So it is in no process list and no shell history.
 *
 * @throws {ParleyError} `bad_argument` if there is none
 */
export async function readLink(stream: Host["stdin"]): Promise<string> {
  const given = stream.isTerminal()
    ? await ask("join link: ")
    : new TextDecoder().decode(await readAll(stdin(stream), MAX_LINK_BYTES));
  if (given?.trim()) return given;
  throw new ParleyError(
    "bad_argument",
    "there is no join link on stdin; give it as an argument, or paste it",
  );
}

/**
 * Asks for a secret at the terminal, on stderr, without echo; undefined if stdin is not a terminal. `promptSecret` of
 * `@std/cli` does not serve: it asks on stdout, which may be a file, and blocks the event loop, so that Ctrl-C has no
 * effect.
 */
async function ask(question: string): Promise<string | undefined> {
  if (!Deno.stdin.isTerminal()) return undefined;
  const isWindows = Deno.build.os === "windows";
  const signals: Deno.Signal[] = isWindows ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  // A signal must not leave the terminal in raw mode.
  const restore = () => Deno.stdin.setRaw(false);
  Deno.stderr.writeSync(new TextEncoder().encode(question));
  Deno.stdin.setRaw(true, isWindows ? undefined : { cbreak: true });
  for (const signal of signals) Deno.addSignalListener(signal, restore);
  try {
    return await readTypedLine();
  } finally {
    for (const signal of signals) Deno.removeSignalListener(signal, restore);
    restore();
    printError("");
  }
}

/** The codes that Ctrl-C, Ctrl-D, Ctrl-H, Ctrl-U and the keys send. */
const [INTERRUPT, END, BACKSPACE, CLEAR, NEWLINE, RETURN, DELETE] = [3, 4, 8, 21, 10, 13, 127];

/** Reads the typed line, byte by byte: input after it is not for us. */
async function readTypedLine(): Promise<string> {
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
