/**
 * The options of `parley`. A new option is a new row; which command takes it is said in `lib/cli/commands/`.
 *
 * @module
 */

import { DEFAULT_PORT } from "../limits.ts";
import { namesFrom, type Options, type Program, spell, type Values } from "./option.ts";
import { SERVER_OPTIONS } from "./server_options.ts";

const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
const LOG_FORMATS = ["pretty", "json"] as const;
const logFormat = (isTerminal: boolean) => isTerminal ? "pretty" : "json";

/** The client's options, in the order in which help lists them. */
export const CLIENT_OPTIONS = {
  "url": {
    kind: "string",
    show: "URL",
    help: "server to talk to, as parley://host:port, or its join link; instead of --host and --port",
    secret: true,
  },
  "host": { kind: "string", default: "127.0.0.1", show: "ADDRESS", help: "name or address of the server" },
  "port": { kind: "integer", range: [1, 65535], default: DEFAULT_PORT, help: "port of the server" },
  "name": { kind: "string", help: "what others are to call you, 1 to 64 characters" },
  "token": {
    kind: "string",
    secret: true,
    show: "TOKEN",
    help: "token, for a server that asks for one; @FILE reads it from there, - asks for it",
  },
  "tls": { kind: "boolean", default: false, help: "encrypt; so it is with a parleys:// URL and with --ca" },
  "ca": { kind: "path", show: "FILE", help: "authority to trust beside the system's: the server's ca.pem" },
  "insecure": {
    kind: "boolean",
    default: false,
    help: "send the token even where others can read it on the way",
  },
  "timeout": {
    kind: "string",
    show: "TIME",
    help: "how long to wait: 10, 10s or 500ms (default 5s for the server, 30s for a reply)",
  },
  "count": { kind: "integer", range: [1, 1e9], only: ["flag"], help: "end after so many" },
  "exec": {
    kind: "string",
    only: ["flag"],
    show: "COMMAND",
    help: "shell command that gets each request on stdin and whose stdout is the reply",
  },
  "json": { kind: "boolean", default: false, help: "print one JSON object a line, for programs" },
  "trace": { kind: "boolean", default: false, help: "show every frame on stderr, without its payload" },
  "log-level": { kind: "choice", choices: LOG_LEVELS, default: "warn", help: "least important thing to log" },
  "log-format": {
    kind: "choice",
    choices: LOG_FORMATS,
    default: logFormat,
    help: "for people, or one JSON object a line",
  },
  "log-file": { kind: "path", help: "log to this file too, as JSON lines" },
  "help": { kind: "boolean", default: false, only: ["flag"], short: "h", help: "print this and exit" },
  "version": { kind: "boolean", default: false, only: ["flag"], help: "print the version and exit" },
} as const satisfies Options;

/** What `parley` was told; each property is the option of that name. Not to be trusted where a command lacks it. */
export type ClientConfig = Values<typeof CLIENT_OPTIONS>;

/** The options that belong to some commands only. */
export type CommandOption = "count" | "exec" | "json";

const COMMAND_OPTIONS: readonly string[] = ["count", "exec", "json"] satisfies CommandOption[];

/** Variables that others of Parley's programs take. */
const ELSEWHERE = [
  ...namesFrom(SERVER_OPTIONS, "variable"),
  ...namesFrom(CLIENT_OPTIONS, "variable"),
  ...["ca", "seed", "compiled", "compile-kit"],
].map(spell.variable);

/** `parley` as `loadConfig` knows it, with the options that all commands have and those of `taken`. */
export function clientProgram(taken: readonly CommandOption[]): Program<typeof CLIENT_OPTIONS> {
  const isTaken = (name: string) =>
    !COMMAND_OPTIONS.includes(name) || (taken as readonly string[]).includes(name);
  const rows = Object.entries(CLIENT_OPTIONS).filter(([name]) => isTaken(name));
  const own = rows.map(([name]) => spell.variable(name));
  return {
    options: Object.fromEntries(rows) as unknown as typeof CLIENT_OPTIONS,
    elsewhere: ELSEWHERE.filter((variable) => !own.includes(variable)),
    takesOperands: true,
    together: [{
      options: ["timeout"],
      problem: ({ timeout }) =>
        timeout !== undefined && milliseconds(timeout) === undefined
          ? `timeout must be a time from 1ms to 24h, such as 10, 10s or 500ms, not ${JSON.stringify(timeout)}`
          : undefined,
    }],
  };
}

const DAY_MS = 86_400_000;
const UNITS_MS: Record<string, number> = { "": 1000, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * The milliseconds of a time such as `10` (seconds), `500ms`, `1.5s`, `5m` or `24h`; nothing for what is none, or not
 * from 1 ms to 24 h.
 */
export function milliseconds(text: string): number | undefined {
  const [, digits, unit = ""] = /^(\d+(?:\.\d+)?) ?([a-z]*)$/i.exec(text) ?? [];
  const ms = Number(digits) * (UNITS_MS[unit.toLowerCase()] ?? NaN);
  return ms >= 1 && ms <= DAY_MS ? ms : undefined;
}
