/**
 * The options of `parley`. A new option is a new row; each command in `lib/cli/client/commands/` lists those it takes.
 *
 * @module
 */

import { DEFAULT_PORT } from "../limits.ts";
import { formatName, namesSetBy, type Options, type Program, type Values } from "./option.ts";
import { SERVER_OPTIONS } from "./server_options.ts";

/** The client's options, in the order in which `--help` lists them. */
export const CLIENT_OPTIONS = {
  "url": {
    kind: "string",
    placeholder: "URL",
    help: "the server as parley://host:port or ws://host:port, or its join link; replaces --host and --port",
    secret: true,
  },
  "context": {
    kind: "word",
    placeholder: "NAME",
    help: "the server that parley context add saved under this name; replaces --url",
  },
  "host": {
    kind: "host",
    default: "127.0.0.1",
    placeholder: "ADDRESS",
    help: "name or address of the server",
  },
  "port": { kind: "integer", range: [1, 65535], default: DEFAULT_PORT, help: "port of the server" },
  "name": { kind: "string", help: "your name as others see it, 1 to 64 characters" },
  "token": {
    kind: "word",
    secret: true,
    indirect: true,
    placeholder: "TOKEN",
    help: "token that the server requires; @FILE reads it from a file, - asks for it",
  },
  "tls": { kind: "boolean", default: false, help: "encrypt; implied by a parleys:// URL and by --ca" },
  "ca": {
    kind: "path",
    placeholder: "FILE",
    help: "authority to trust besides the system's: the server's ca.pem",
  },
  "insecure": {
    kind: "boolean",
    default: false,
    help: "send the token to another machine even without TLS",
  },
  "timeout": {
    kind: "ms",
    range: [1, 86_400_000],
    help: "how long to wait: 10, 10s or 500ms; default 5s to connect, 30s for a reply",
  },
  "reconnect": {
    kind: "boolean",
    default: true,
    help: "connect again after the connection broke, as by default; --no-reconnect ends instead",
  },
  "count": {
    kind: "integer",
    range: [1, 1e9],
    only: ["flag"],
    help: "end after this many messages, requests, pings or seconds",
  },
  "duration": {
    kind: "ms",
    range: [100, 86_400_000],
    default: 5_000,
    only: ["flag"],
    help: "how long each workload is measured",
  },
  "size": {
    kind: "bytes",
    range: [8, 67_108_864],
    default: 128,
    only: ["flag"],
    help: "bytes of a payload",
  },
  "connections": {
    kind: "integer",
    range: [1, 10_000],
    only: ["flag"],
    help: "connections that publish or send requests; default 1",
  },
  "subscribers": {
    kind: "integer",
    range: [1, 10_000],
    only: ["flag"],
    help: "connections that subscribe or respond; default 1, and 10 for fan-out",
  },
  "under-way": {
    kind: "integer",
    range: [1, 1_000_000],
    only: ["flag"],
    help:
      "messages published and not yet received (default: 2MiB of them), or requests that each connection waits for (default 100)",
  },
  "file": {
    kind: "path",
    only: ["flag"],
    repeatable: true,
    placeholder: "FILE",
    help: "send what is in the file; - is stdin",
  },
  "whole": {
    kind: "boolean",
    default: false,
    only: ["flag"],
    help:
      "newlines do not separate messages: a file, or all of stdin, is one; a printed payload has none added",
  },
  "header": {
    kind: "string",
    only: ["flag"],
    repeatable: true,
    placeholder: "NAME=VALUE",
    help: "message header to send",
  },
  "kind": {
    kind: "choice",
    choices: ["text", "json", "bytes"],
    only: ["flag"],
    help: "what the receiver is told that the payload is; text if it is UTF-8, else bytes",
  },
  "repeat": {
    kind: "integer",
    range: [1, 1e9],
    default: 1,
    only: ["flag"],
    help: "how often to send it",
  },
  "rate": {
    kind: "decimal",
    range: [0.001, 1e6],
    only: ["flag"],
    help: "the most that is sent per second",
  },
  "raw": {
    kind: "boolean",
    default: false,
    only: ["flag"],
    help: "print payloads as they are, with nothing escaped",
  },
  "format": {
    kind: "string",
    only: ["flag"],
    placeholder: "TEMPLATE",
    help: "print each message so: '{time} {channel} {sender} {payload}'",
  },
  "exec": {
    kind: "string",
    only: ["flag"],
    placeholder: "COMMAND",
    help: "shell command to run for each message or request, whose payload is its stdin",
  },
  "exec-timeout": {
    kind: "ms",
    range: [1, 86_400_000],
    default: 30_000,
    only: ["flag"],
    help: "how long it may take for one; then it is ended",
  },
  "from": {
    kind: "string",
    only: ["flag"],
    placeholder: "START",
    help:
      "where to begin in a stored channel: all, last, new, a sequence, or a time such as 2026-11-25T12:00Z",
  },
  "end": {
    kind: "boolean",
    default: false,
    only: ["flag"],
    help: "end when everything has been shown that was stored at the start",
  },
  "consumer": {
    kind: "string",
    only: ["flag"],
    placeholder: "NAME",
    help: "consumer of a durable channel: the server keeps its position; for check, CHANNEL/NAME",
  },
  "producer": {
    kind: "string",
    only: ["flag"],
    placeholder: "NAME",
    help: "producer of a durable channel: what is stored already is skipped, and nothing is stored twice",
  },
  "parallel": {
    kind: "integer",
    range: [1, 1024],
    default: 1,
    only: ["flag"],
    help: "commands that run at once",
  },
  "retries": {
    kind: "integer",
    range: [0, 999],
    only: ["flag"],
    help: "how often a message is tried again before it is set aside; no limit if left out",
  },
  "max-latency": {
    kind: "string",
    only: ["flag"],
    placeholder: "MAX",
    help: "longest round trip, 500ms, or WARNING,CRITICAL: 500ms,2s",
  },
  "max-lag": {
    kind: "string",
    only: ["flag"],
    placeholder: "MAX",
    help: "messages that a consumer may have to go: 1000, or 100,1000",
  },
  "max-set-aside": {
    kind: "string",
    only: ["flag"],
    placeholder: "MAX",
    help: "messages that may be set aside: 0, or 0,10",
  },
  "channel": {
    kind: "string",
    only: ["flag"],
    placeholder: "NAME",
    help: "channel whose permissions are checked, a name or pattern",
  },
  "json": { kind: "boolean", default: false, help: "one JSON object per line, printed and read" },
  "trace": {
    kind: "boolean",
    default: false,
    help: "print every frame to stderr, byte by byte; tokens are masked",
  },
  "log-level": { ...SERVER_OPTIONS["log-level"], default: "warn" },
  "log-format": SERVER_OPTIONS["log-format"],
  "log-file": SERVER_OPTIONS["log-file"],
  "help": SERVER_OPTIONS.help,
  "version": SERVER_OPTIONS.version,
} as const satisfies Options;

/** The loaded options of `parley`. Use only those that the command takes: its `Program` has no others. */
export type ClientConfig = Values<typeof CLIENT_OPTIONS>;

/** The options that only some commands take. */
export const COMMAND_OPTIONS = [
  ...["reconnect", "count", "duration", "size", "connections", "subscribers", "under-way"] as const,
  ...["file", "whole", "header", "kind", "repeat", "rate", "raw", "format", "exec", "exec-timeout"] as const,
  ...["from", "end", "consumer", "producer", "parallel", "retries"] as const,
  ...["max-latency", "max-lag", "max-set-aside", "channel", "json"] as const,
] as const;

/** An option that only some commands take. */
export type CommandOption = typeof COMMAND_OPTIONS[number];

/** The options that only commands take that connect. */
const CONNECTION_OPTIONS: readonly string[] = [
  "url",
  "context",
  "host",
  "port",
  "name",
  "token",
  "tls",
  "ca",
  "insecure",
  "timeout",
  "trace",
];

/** Variables of the server, of other commands and of Parley's tests. */
const KNOWN_ELSEWHERE = [
  ...namesSetBy(SERVER_OPTIONS, "variable"),
  ...namesSetBy(CLIENT_OPTIONS, "variable"),
  ...["ca", "seed", "compiled", "compile-kit"],
  ...["channel", "sender", "kind", "headers", "sequence", "deliveries"], // what --exec sets
].map(formatName.variable);

/** `parley` for `loadConfig`, with the options of every command and those in `taken`. */
export function clientProgram(
  taken: readonly CommandOption[],
  isOffline = false,
): Program<typeof CLIENT_OPTIONS> {
  const isTaken = (name: string) => {
    if ((COMMAND_OPTIONS as readonly string[]).includes(name)) {
      return (taken as readonly string[]).includes(name);
    }
    return !(isOffline && CONNECTION_OPTIONS.includes(name));
  };
  const rows = Object.entries(CLIENT_OPTIONS).filter(([name]) => isTaken(name));
  const own = rows.map(([name]) => formatName.variable(name));
  return {
    options: Object.fromEntries(rows) as unknown as typeof CLIENT_OPTIONS,
    knownElsewhere: KNOWN_ELSEWHERE.filter((variable) => !own.includes(variable)),
    takesOperands: true,
    crossChecks: FORMATS.every(isTaken) ? [{ options: FORMATS, problem: formatsProblem }] : [],
  };
}

/** The options of which only one decides what is printed. */
const FORMATS = ["json", "raw", "format"] as const;

function formatsProblem({ json, raw, format }: ClientConfig): string | undefined {
  const given = [json, raw, format !== undefined].filter(Boolean).length;
  return given > 1 ? "give one of --json, --raw and --format" : undefined;
}
