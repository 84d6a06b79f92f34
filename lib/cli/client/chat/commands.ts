/**
 * What can be typed in a chat: text, and commands that begin with a slash; and how Tab completes both.
 *
 * @module
 */

import { closestString, levenshteinDistance } from "@std/text";

/** What an argument of a command can be, for Tab. */
type Argument = "channel" | "joined" | "name";

/** A command. */
interface ChatCommand {
  readonly usage: string;
  readonly summary: string;
  readonly argument?: Argument;
}

/** The commands, in the order in which `/help` lists them. */
const COMMANDS = {
  join: {
    usage: "/join CHANNEL",
    summary: "talk on a channel, also on one joined before",
    argument: "channel",
  },
  leave: { usage: "/leave [CHANNEL]", summary: "leave this channel or another", argument: "joined" },
  who: { usage: "/who [CHANNEL]", summary: "list the sessions there", argument: "joined" },
  msg: { usage: "/msg NAME TEXT", summary: "send a message to one session", argument: "name" },
  ask: { usage: "/ask CHANNEL TEXT", summary: "send a request and show the reply", argument: "channel" },
  history: { usage: "/history [N]", summary: "show the last messages that the server has stored" },
  help: { usage: "/help", summary: "show this" },
  quit: { usage: "/quit", summary: "end the chat, as Ctrl-D does" },
} as const satisfies Record<string, ChatCommand>;

/** The name of a command. */
export type ChatCommandName = keyof typeof COMMANDS;

/** A line that was typed. */
export type Entry =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "command"; readonly name: ChatCommandName; readonly argument: string }
  | { readonly kind: "unknown"; readonly problem: string };

/**
 * Tells commands from text. A text that begins with a slash is typed with two.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseEntry } from "./commands.ts";
 *
 * assertEquals(parseEntry("/join chat.tea"), { kind: "command", name: "join", argument: "chat.tea" });
 * assertEquals(parseEntry("//join"), { kind: "text", text: "/join" });
 * ```
 */
export function parseEntry(line: string): Entry {
  if (line.startsWith("//")) return { kind: "text", text: line.slice(1) };
  const [, name, argument] = /^\/(\S*)\s*(.*)$/s.exec(line) ?? [];
  if (name === undefined) return { kind: "text", text: line };
  if (Object.hasOwn(COMMANDS, name)) {
    return { kind: "command", name: name as ChatCommandName, argument: argument.trim() };
  }
  const guess = closestString(name, Object.keys(COMMANDS));
  const isNear = levenshteinDistance(name, guess) <= Math.min(2, guess.length - 1);
  const hint = isNear ? `did you mean /${guess}?` : "/help lists the commands";
  return {
    kind: "unknown",
    problem: `/${name} is not a command; ${hint} // sends a text that begins with /`,
  };
}

/** How a command is used. */
export function usageOf(name: ChatCommandName): string {
  return COMMANDS[name].usage;
}

/** What `/help` shows. */
export function chatHelp(): string {
  const commands: ChatCommand[] = Object.values(COMMANDS);
  const wide = Math.max(...commands.map(({ usage }) => usage.length)) + 2;
  return [
    ...commands.map(({ usage, summary }) => usage.padEnd(wide) + summary),
    "All else is sent to the channel; // sends a text that begins with /.",
    "Tab completes commands, channels and names. Up finds earlier lines.",
    "Alt-Enter begins a new line.",
  ].join("\n");
}

/** What Tab chooses from. */
export interface Candidates {
  /** Channels that are known. */
  readonly channels: readonly string[];
  /** Channels that are joined. */
  readonly joined: readonly string[];
  /** The names of the others. */
  readonly names: readonly string[];
}

/** What Tab does. */
export interface Completion {
  /** How many UTF-16 units before the cursor it replaces. */
  readonly typed: number;
  /** With what. */
  readonly text: string;
  /** If that is ambiguous: what it may become. */
  readonly choices: readonly string[];
}

/** Completes what is before the cursor; undefined if nothing fits. */
export function complete(beforeCursor: string, candidates: Candidates): Completion | undefined {
  const command = /^\/(\S*)$/.exec(beforeCursor);
  if (command !== null) return choose(beforeCursor, Object.keys(COMMANDS).map((name) => `/${name}`), " ");
  const [, name, typed] = /^\/(\S+)\s+(.*)$/s.exec(beforeCursor) ?? [];
  if (name !== undefined && Object.hasOwn(COMMANDS, name)) {
    const { argument }: ChatCommand = COMMANDS[name as ChatCommandName];
    if (argument === "name") return choose(typed, candidates.names, " ");
    if (argument === undefined || /\s/.test(typed)) return undefined;
    const choices = argument === "joined" ? candidates.joined : candidates.channels;
    return choose(typed, choices, name === "ask" ? " " : "");
  }
  const word = /\S*$/.exec(beforeCursor)![0];
  if (word === "") return undefined;
  return choose(word, candidates.names, word === beforeCursor ? ": " : " ");
}

/** Completes `typed` in any case of letters, up to where the fitting words differ; `end` comes behind a whole word. */
function choose(typed: string, words: readonly string[], end: string): Completion | undefined {
  const fitting = [...new Set(words)].filter((word) => word.toLowerCase().startsWith(typed.toLowerCase()))
    .sort();
  if (fitting.length === 0) return undefined;
  if (fitting.length === 1) return { typed: typed.length, text: fitting[0] + end, choices: [] };
  const common = commonStart(fitting);
  const text = common.length > typed.length ? common : typed;
  return { typed: typed.length, text, choices: common.length > typed.length ? [] : fitting };
}

/** The characters that all of `words` begin with. */
function commonStart(words: readonly string[]): string {
  const characters = words.map((word) => [...word]);
  const [first] = characters;
  const end = first.findIndex((char, at) => characters.some((other) => other[at] !== char));
  return first.slice(0, end < 0 ? first.length : end).join("");
}
