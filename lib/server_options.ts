/**
 * The options of `parley-server`. A new option is a new row.
 *
 * @module
 */

import {
  DEFAULT_PORT,
  HEADER_BYTES,
  HEARTBEAT_SECONDS,
  MAX_CHANNELS_PER_SESSION,
  MAX_PAYLOAD_BYTES,
  MAX_PENDING_BYTES,
  MAX_REQUESTS_PER_SESSION,
} from "./limits.ts";
import type { Options, Program, Values } from "./options.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
const LOG_FORMATS = ["pretty", "json"] as const;
const logFormat = (isTerminal: boolean) => isTerminal ? "pretty" : "json";

/** The server's options, in the order in which help and `parley-server config` list them. */
export const SERVER_OPTIONS = {
  "host": { kind: "string", default: "127.0.0.1", show: "ADDRESS", help: "address to listen on" },
  "port": {
    kind: "integer",
    range: [0, 65535],
    default: DEFAULT_PORT,
    help: "port to listen on; 0 takes a free one",
  },
  "config": {
    kind: "path",
    default: "parley.jsonc",
    only: ["flag", "variable"],
    help: "file that sets the same options",
  },
  "state": {
    kind: "path",
    default: "parley-state",
    show: "DIR",
    help: "directory for what the server keeps",
  },
  "log-level": { kind: "choice", choices: LOG_LEVELS, default: "info", help: "least important thing to log" },
  "log-format": {
    kind: "choice",
    choices: LOG_FORMATS,
    default: logFormat,
    help: "for people, or one JSON object a line",
  },
  "log-file": { kind: "path", help: "log to this file too, as JSON lines" },
  "max-payload": {
    kind: "bytes",
    range: [KiB, 64 * MiB],
    default: MAX_PAYLOAD_BYTES,
    help: "largest payload of a message",
  },
  "max-pending": {
    kind: "bytes",
    range: [64 * KiB, 4096 * MiB],
    default: MAX_PENDING_BYTES,
    help: "what may wait for a session that reads slowly",
  },
  "max-channels": {
    kind: "integer",
    range: [1, 1e6],
    default: MAX_CHANNELS_PER_SESSION,
    help: "channels and patterns one session may have open",
  },
  "max-requests": {
    kind: "integer",
    range: [1, 65535],
    default: MAX_REQUESTS_PER_SESSION,
    help: "requests of one session that may wait for a reply",
  },
  "heartbeat": {
    kind: "seconds",
    range: [1, 3600],
    default: HEARTBEAT_SECONDS,
    help: "silence after which a session is asked whether it is there",
  },
  "help": { kind: "boolean", default: false, only: ["flag"], short: "h", help: "print this and exit" },
  "version": { kind: "boolean", default: false, only: ["flag"], help: "print the version and exit" },
} as const satisfies Options;

/** What `parley-server` was told to do; each property is the option of that name. */
export type ServerConfig = Values<typeof SERVER_OPTIONS>;

/** `parley-server` as `loadConfig` knows it. */
export const SERVER: Program<typeof SERVER_OPTIONS> = {
  options: SERVER_OPTIONS,
  // The client's, and those of Parley's own tests.
  elsewhere: ["URL", "TOKEN", "NAME", "CA", "TIMEOUT", "TRACE", "JSON", "SEED", "COMPILED", "COMPILE_KIT"]
    .map((name) => `PARLEY_${name}`),
  takesOperands: false,
  together: [{
    options: ["max-pending", "max-payload"],
    problem: ({ maxPending, maxPayload }) =>
      maxPending < maxPayload + HEADER_BYTES
        ? `max-pending of ${maxPending} bytes must be at least ${maxPayload + HEADER_BYTES}, ` +
          "max-payload and the header of one message"
        : undefined,
  }],
};
