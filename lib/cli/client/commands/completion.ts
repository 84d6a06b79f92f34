/**
 * `parley completion`: prints what makes a shell complete commands, options, channels and contexts. The shell then runs
 * `parley complete` for each key press.
 *
 * @module
 */

import type { RootCommand } from "@bomb.sh/tab";
import { clientProgram } from "../../../config/client_options.ts";
import { namesSetBy, type Option } from "../../../config/option.ts";
import { ParleyError } from "../../../errors.ts";
import type { Command, Context } from "../command.ts";

const SHELLS = ["bash", "zsh", "fish", "powershell"];

/** The command for people. */
export const COMPLETION: Command = {
  name: "completion",
  operands: { usage: "SHELL", min: 1, max: 1, choices: SHELLS },
  summary: "print the completion script of a shell",
  details:
    `SHELL is ${SHELLS.join(", ")}. The script completes commands, options, contexts, and the names of\n` +
    "channels that you have used at a terminal before.",
  examples: [
    "source <(parley completion bash)",
    "parley completion zsh >~/.zfunc/_parley",
    "parley completion fish >~/.config/fish/completions/parley.fish",
  ],
  options: [],
  endsByInterrupt: false,
  isOffline: true,
  run: printScript,
};

/** The command for the script. Its arguments are the words of the command line, the last one being typed. */
export const COMPLETE: Command = {
  name: "complete",
  isHidden: true,
  operands: { usage: "-- WORD...", min: 0, max: Infinity },
  summary: "complete a command line",
  details: "The script that parley completion prints calls it.",
  examples: ["parley complete -- sub"],
  options: [],
  endsByInterrupt: false,
  isOffline: true,
  run: printCompletions,
};

async function printScript({ operands: [shell], output }: Context): Promise<void> {
  if (!SHELLS.includes(shell)) {
    const text = `${JSON.stringify(shell)} is not a shell that can complete; the shells are ${
      SHELLS.join(", ")
    }`;
    throw new ParleyError("bad_argument", text);
  }
  if (shell === "bash") return await output.line(BASH);
  const { RootCommand } = await import("@bomb.sh/tab");
  const lines = printedBy(() => new RootCommand().setup("parley", "parley", shell));
  await output.line(lines.join("\n"));
}

/**
 * The library's script for bash evaluates what is typed: completing after `>file` would empty the file. It also needs
 * the package bash-completion. A word is quoted unless a quote begins it.
 */
const BASH = `# bash completion for parley
_parley_complete() {
  local current=\${COMP_WORDS[COMP_CWORD]} out value rest
  COMPREPLY=()
  out=$(parley complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null) || return
  while IFS=$'\\t' read -r value rest; do
    case $value in
      :0) return ;;
      :*) compopt +o default 2>/dev/null; return ;;
    esac
    [[ $current == [\\'\\"]* ]] || printf -v value %q "$value"
    COMPREPLY+=("$value")
  done <<<"$out"
}
complete -o default -F _parley_complete parley`;

async function printCompletions(context: Context): Promise<void> {
  const { output, commands } = context;
  const words = wordsOf(context.operands);
  if (isFile(words, commands)) return await output.line(FILES);
  const { RootCommand } = await import("@bomb.sh/tab");
  const root = new RootCommand();
  await describe(root, context);
  for (const line of printedBy(() => root.parse(words))) await output.line(line);
}

/** The words without an opening quote, which bash passes on, and with their `=`, at which it splits them. */
function wordsOf(typed: readonly string[]): string[] {
  const words: string[] = [];
  for (const word of typed.map((word) => word.replace(/^['"]/, ""))) {
    const before = words.at(-1);
    const joins = word === "=" ? /^--[\w-]+$/ : /^--[\w-]+=$/;
    if (before !== undefined && joins.test(before)) words[words.length - 1] = before + word;
    else words.push(word);
  }
  return words;
}

/** The last line of completions, as cobra's scripts read it: complete the names of files. */
const FILES = ":0";

/** Whether the word that is typed is the value of an option that takes a file. */
function isFile(words: readonly string[], commands: readonly Command[]): boolean {
  const [, flag] = /^--([\w-]+)=/.exec(words.at(-1) ?? "") ?? /^--([\w-]+)$/.exec(words.at(-2) ?? "") ?? [];
  if (flag === undefined) return false;
  const { options } = clientProgram(commands.flatMap((command) => command.options));
  return Object.hasOwn(options, flag) && options[flag as keyof typeof options].kind === "path";
}

/** Tells the library about commands, options and arguments. */
async function describe(
  root: RootCommand,
  { commands, contexts, channels }: Context,
): Promise<void> {
  const contextNames = (await contexts.list().catch(() => [])).map(({ name }) => name);
  const channelNames = await channels.list();
  const suggest = (values: readonly string[]) => (complete: (value: string, description: string) => void) => {
    for (const value of values) complete(value, "");
  };
  const valuesOf = (name: string, option: Option) =>
    name === "context"
      ? contextNames
      : name === "channel"
      ? channelNames
      : option.kind === "choice"
      ? option.choices
      : [];
  const addOptions = (
    target: Pick<RootCommand, "option">,
    taken: Command["options"],
    isOffline?: boolean,
  ) => {
    const options: Readonly<Record<string, Option>> = clientProgram(taken, isOffline).options;
    for (const name of namesSetBy(options, "flag")) {
      const option = options[name];
      if (option.kind === "boolean") target.option(name, option.help, option.short ?? "");
      else target.option(name, option.help, suggest(valuesOf(name, option)), option.short);
    }
  };
  addOptions(root, []);
  for (const { name, summary, operands, options, isHidden, isOffline } of commands) {
    if (isHidden) continue;
    const command = root.command(name, summary);
    addOptions(command, options, isOffline);
    const { channels: which, choices } = operands;
    if (choices !== undefined) command.argument("first", suggest(choices));
    if (name === "context") command.argument("name", suggest(contextNames));
    if (which !== undefined) command.argument("channel", suggest(channelNames), which === "all");
  }
}

/** What `action` prints: the library writes to the console. */
function printedBy(action: () => void): string[] {
  const lines: string[] = [];
  const { log } = console;
  console.log = (line: string) => void lines.push(line);
  try {
    action();
  } finally {
    console.log = log;
  }
  return lines;
}
