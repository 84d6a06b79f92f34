/**
 * The options of `parley-server`. A new option is a new row.
 *
 * @module
 */

import {
  CERTIFICATE_DAYS,
  DEFAULT_PORT,
  DRAIN_MS,
  HANDSHAKE_MS,
  HEADER_BYTES,
  HEARTBEAT_SECONDS,
  KEY_OVERLAP_SECONDS,
  MAX_CERTIFICATE_DAYS,
  MAX_CHANNELS_PER_SESSION,
  MAX_CONNECTIONS,
  MAX_CONNECTIONS_PER_ADDRESS,
  MAX_PAYLOAD_BYTES,
  MAX_PENDING_BYTES,
  MAX_REQUESTS_PER_SESSION,
  MAX_TOKEN_SECONDS,
  REQUEST_MS,
  SLOW_CONSUMER_TIMEOUT_MS,
} from "../limits.ts";
import { type Options, type Program, spell, type Values } from "./option.ts";

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
  "auth": { kind: "boolean", default: false, help: "let in only who has a token; so it is off loopback" },
  "tls": { kind: "boolean", default: false, help: "encrypt; so it is off loopback" },
  "tls-cert": { kind: "path", help: "certificate chain in PEM, instead of one made here" },
  "tls-key": { kind: "path", help: "its private key in PEM" },
  "certs": { kind: "path", default: "certs", show: "DIR", help: "directory of the certificates made here" },
  "insecure": {
    kind: "boolean",
    default: false,
    help: "neither tokens nor TLS unless asked for, whatever the address",
  },
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
  "max-connections": {
    kind: "integer",
    range: [1, 1e6],
    default: MAX_CONNECTIONS,
    help: "connections in all",
  },
  "max-connections-per-address": {
    kind: "integer",
    range: [1, 1e6],
    default: MAX_CONNECTIONS_PER_ADDRESS,
    help: "connections of one address (of IPv6, one /64 network)",
  },
  "max-message-rate": {
    kind: "integer",
    range: [0, 1e9],
    default: 0,
    help: "messages a second of one session; 0: any number",
  },
  "max-byte-rate": {
    kind: "bytes",
    range: [0, 1024 ** 4],
    default: 0,
    help: "bytes a second of one session; 0: any number",
  },
  "handshake-time": {
    kind: "seconds",
    range: [1, 60],
    default: HANDSHAKE_MS / 1000,
    help: "time for TLS and a whole HELLO",
  },
  "slow-consumer-timeout": {
    kind: "seconds",
    range: [1, 600],
    default: SLOW_CONSUMER_TIMEOUT_MS / 1000,
    help: "how long who does not read may hold others back",
  },
  "request-time": {
    kind: "seconds",
    range: [1, 3600],
    default: REQUEST_MS / 1000,
    help: "time for a reply",
  },
  "drain-time": {
    kind: "seconds",
    range: [0, 600],
    default: DRAIN_MS / 1000,
    help: "how long a stop waits for what is to be written",
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
    options: ["tls-cert", "tls-key"],
    problem: ({ tlsCert, tlsKey }) =>
      (tlsCert === undefined) !== (tlsKey === undefined)
        ? "tls-cert and tls-key belong together; give both or neither"
        : undefined,
  }, {
    options: ["max-pending", "max-payload"],
    problem: ({ maxPending, maxPayload }) =>
      maxPending < maxPayload + HEADER_BYTES
        ? `max-pending of ${maxPending} bytes must be at least ${maxPayload + HEADER_BYTES}, ` +
          "max-payload and the header of one message"
        : undefined,
  }],
};

/** The options of `parley-server token`. */
export const TOKEN_OPTIONS = {
  "state": SERVER_OPTIONS.state,
  "name": { kind: "string", only: ["flag"], help: "who the token is for: the name of its sessions" },
  "publish": {
    kind: "string",
    only: ["flag"],
    repeatable: true,
    show: "PATTERN",
    help: "channels it may publish on",
  },
  "subscribe": {
    kind: "string",
    only: ["flag"],
    repeatable: true,
    show: "PATTERN",
    help: "channels it may subscribe to",
  },
  "respond": {
    kind: "string",
    only: ["flag"],
    repeatable: true,
    show: "PATTERN",
    help: "channels whose requests it may answer",
  },
  "direct": {
    kind: "boolean",
    default: false,
    only: ["flag"],
    help: "it may write to other sessions' inboxes",
  },
  "expires": {
    kind: "seconds",
    range: [1, MAX_TOKEN_SECONDS],
    default: KEY_OVERLAP_SECONDS,
    only: ["flag"],
    help: "how long it is valid, such as 12h or 30d",
  },
  "overlap": {
    kind: "seconds",
    range: [0, MAX_TOKEN_SECONDS],
    default: KEY_OVERLAP_SECONDS,
    only: ["flag"],
    help: "how long tokens of the old key are still valid after rotate",
  },
  "json": { kind: "boolean", default: false, only: ["flag"], help: "print JSON, one object a line" },
  "help": SERVER_OPTIONS.help,
} as const satisfies Options;

/** `parley-server token` as `loadConfig` knows it. */
export const TOKEN: Program<typeof TOKEN_OPTIONS> = {
  options: TOKEN_OPTIONS,
  elsewhere: others(TOKEN_OPTIONS),
  takesOperands: true,
  together: [],
};

/** The options of `parley-server certs`. */
export const CERTS_OPTIONS = {
  "host": {
    kind: "string",
    only: ["flag"],
    repeatable: true,
    show: "NAME",
    help: "name or address clients will use; all of this machine's if left out",
  },
  "out": { kind: "path", default: "certs", only: ["flag"], show: "DIR", help: "directory to write to" },
  "days": {
    kind: "integer",
    range: [1, MAX_CERTIFICATE_DAYS],
    default: CERTIFICATE_DAYS,
    only: ["flag"],
    help: "how long the server's certificate is valid",
  },
  "renew": {
    kind: "boolean",
    default: false,
    only: ["flag"],
    help: "make a new one even where it is still good",
  },
  "help": SERVER_OPTIONS.help,
} as const satisfies Options;

/** `parley-server certs` as `loadConfig` knows it. */
export const CERTS: Program<typeof CERTS_OPTIONS> = {
  options: CERTS_OPTIONS,
  elsewhere: others(CERTS_OPTIONS),
  takesOperands: false,
  together: [],
};

/** The variables of `parley-server` itself, which its other commands let be. */
function others(own: Options): string[] {
  return [
    ...SERVER.elsewhere,
    ...Object.keys(SERVER_OPTIONS).filter((name) => !(name in own)).map(spell.variable),
  ];
}
