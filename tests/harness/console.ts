/**
 * A terminal for the command lines of the documentation: `parley` runs in this process, everything around it in a shell.
 *
 * Understood are quotes, `VARIABLE=value` in front, pipes, `<FILE`, `>FILE` and `source <(...)`.
 *
 * @module
 */

import type { Ended } from "./program.ts";
import { RunningCommand, runParley } from "./in_process.ts";

/** A command line with one `parley` or `parley-server` in it. */
interface Line {
  /** What runs before it, whose stdout is its stdin. */
  readonly before: string | undefined;
  readonly env: Record<string, string>;
  readonly args: string[];
  /** The file that is its stdin. */
  readonly input: string | undefined;
  /** The file that its stdout goes to. */
  readonly output: string | undefined;
  /** What runs behind it, whose stdin is its stdout. */
  readonly after: string | undefined;
}

/** Splits `text` at `|`, `<`, `>` and white space outside of quotes, and removes the quotes. */
function tokensOf(text: string): { text: string; isQuoted: boolean; at: number }[] {
  const pattern = /\s+|[|]|[<>]|(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s|<>'"\\])+/gy;
  return [...text.matchAll(pattern)].filter(([token]) => token.trim() !== "").map((match) => ({
    text: match[0].replace(
      /"((?:\\.|[^"\\])*)"|'([^']*)'|\\(.)/g,
      (_all, double, single, escaped) => double?.replace(/\\(["\\$`])/g, "$1") ?? single ?? escaped,
    ),
    isQuoted: /['"\\]/.test(match[0]),
    at: match.index,
  }));
}

/** Parses a command line. */
export function parseLine(line: string): Line {
  const [, sourced] = /^source <\((.*)\)$/.exec(line) ?? [];
  const text = sourced ?? line;
  const tokens = tokensOf(text);
  const isBar = (token: { text: string; isQuoted: boolean }) => token.text === "|" && !token.isQuoted;
  const program = tokens.findIndex(({ text }) => text === "parley" || text === "parley-server");
  if (program < 0) throw new Error(`there is no parley in ${line}`);
  const barBefore = tokens.slice(0, program).findLastIndex(isBar);
  const barAfter = tokens.findIndex((token, at) => at > program && isBar(token));
  const env: Record<string, string> = {};
  for (const { text } of tokens.slice(barBefore + 1, program)) {
    const [name, ...value] = text.split("=");
    env[name] = value.join("=");
  }
  const args: string[] = [];
  const files: { input?: string; output?: string } = {};
  const own = tokens.slice(program + 1, barAfter < 0 ? undefined : barAfter);
  for (let at = 0; at < own.length; at++) {
    const { text, isQuoted } = own[at];
    if (!isQuoted && text === "<") files.input = own[++at].text;
    else if (!isQuoted && text === ">") files.output = own[++at].text;
    else args.push(text);
  }
  return {
    before: barBefore < 0 ? undefined : text.slice(0, tokens[barBefore].at),
    env,
    args,
    input: files.input,
    output: files.output,
    after: barAfter < 0 ? undefined : text.slice(tokens[barAfter].at + 1),
  };
}

/** Runs command lines in a folder, with an environment. */
export class Console {
  readonly #folder: string;
  readonly #env: Record<string, string>;

  /** `env` is that of every command. */
  constructor(folder: string, env: Record<string, string>) {
    this.#folder = folder;
    this.#env = { PATH: Deno.env.get("PATH") ?? "", HOME: folder, ...env };
  }

  /** Runs a line to its end. */
  async run(line: string): Promise<Ended> {
    const parsed = parseLine(line);
    const ended = await runParley(this.#args(parsed), {
      env: { ...this.#env, ...parsed.env },
      stdin: await this.#input(parsed),
    });
    if (parsed.output !== undefined) {
      await Deno.writeTextFile(this.#path(parsed.output), ended.stdout);
      return { ...ended, stdout: "" };
    }
    if (parsed.after === undefined) return ended;
    return { ...ended, stdout: new TextDecoder().decode(await this.#shell(parsed.after, ended.stdout)) };
  }

  /** Starts a line that goes on until it is interrupted, and waits until its log has `ready`. */
  async start(line: string, ready: RegExp): Promise<RunningCommand> {
    const parsed = parseLine(line);
    const env = { ...this.#env, ...parsed.env, PARLEY_LOG_LEVEL: "info", PARLEY_LOG_FORMAT: "json" };
    const command = new RunningCommand(this.#args(parsed), { env });
    await command.stderr.until(ready);
    return command;
  }

  /** The arguments. The names of files become paths: this process is in another folder. */
  #args({ args }: Line): string[] {
    const names = new Set([...Deno.readDirSync(this.#folder)].map(({ name }) => name));
    return args.map((arg) => names.has(arg) ? this.#path(arg) : arg);
  }

  async #input({ before, input }: Line): Promise<Uint8Array> {
    if (before !== undefined) return await this.#shell(before, "");
    return input === undefined ? new Uint8Array() : await Deno.readFile(this.#path(input));
  }

  #path(name: string): string {
    return `${this.#folder}/${name.split("/").at(-1)}`;
  }

  async #shell(script: string, stdin: string): Promise<Uint8Array> {
    const child = new Deno.Command("sh", {
      args: ["-c", script],
      cwd: this.#folder,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const writer = child.stdin.getWriter();
    writer.write(new TextEncoder().encode(stdin)).then(() => writer.close()).catch(() => {});
    return (await child.output()).stdout;
  }
}
