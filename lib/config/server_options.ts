/**
 * The options of `parley-server`. A new option is a new row.
 *
 * @module
 */

import {
  DEFAULT_PORT,
  DRAIN_MS,
  HANDSHAKE_MS,
  HEADER_BYTES,
  HEARTBEAT_SECONDS,
  HISTORY_MESSAGES,
  MAX_CHANNELS_PER_SESSION,
  MAX_CONNECTIONS,
  MAX_CONNECTIONS_PER_ADDRESS,
  MAX_HISTORY_BYTES,
  MAX_PAYLOAD_BYTES,
  MAX_PENDING_BYTES,
  MAX_REQUESTS_PER_SESSION,
  MAX_STORE_BYTES,
  REQUEST_MS,
  SLOW_CONSUMER_TIMEOUT_MS,
} from "../limits.ts";
import { EXTERNAL_TOKEN_OPTIONS, externalTokensProblem } from "./external_tokens.ts";
import { LIMIT_RANGES } from "./limit_ranges.ts";
import type { Options, Program, Values } from "./option.ts";
import { STORED_ENTRY, storedContradiction } from "./stored_channels.ts";

const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
const LOG_FORMATS = ["pretty", "json"] as const;
const logFormat = (isTerminal: boolean) => isTerminal ? "pretty" : "json";

/** The server's options, in the order in which help and `parley-server config` list them. */
export const SERVER_OPTIONS = {
  "host": {
    kind: "host",
    default: "127.0.0.1",
    placeholder: "ADDRESS",
    help: "address to listen on; localhost is 127.0.0.1 and ::1",
  },
  "port": {
    kind: "integer",
    range: [0, 65535],
    default: DEFAULT_PORT,
    help: "port to listen on; 0 chooses a free one",
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
    placeholder: "DIR",
    help: "directory of the server's signing keys and issued tokens",
  },
  "durable": {
    kind: "pattern",
    repeatable: true,
    placeholder: "PATTERN",
    help: "store these channels on disk, without bounds of their own",
  },
  "history": {
    kind: "pattern",
    repeatable: true,
    placeholder: "PATTERN",
    help: `keep the last ${HISTORY_MESSAGES} messages of each of these channels in memory`,
  },
  "stored": {
    kind: "entries",
    entry: STORED_ENTRY,
    only: ["file"],
    help: "which channels are stored, where, and how much of them",
  },
  "store": {
    kind: "path",
    placeholder: "DIR",
    help: "directory of the durable channels; default: store in the one of --state",
  },
  "store-bytes": {
    kind: "bytes",
    range: LIMIT_RANGES.storeBytes,
    default: MAX_STORE_BYTES,
    help: "what all durable channels together may take on disk",
  },
  "history-bytes": {
    kind: "bytes",
    range: LIMIT_RANGES.historyBytes,
    default: MAX_HISTORY_BYTES,
    help: "what the history of all channels together may take in memory",
  },
  "web": {
    kind: "listen",
    placeholder: "[HOST:]PORT",
    help: "serve HTTP there: health, and a page for browsers; HTTPS if TLS is on",
  },
  "web-origin": {
    kind: "origin",
    repeatable: true,
    placeholder: "URL",
    help: "let the pages of another origin use it",
  },
  "log-level": {
    kind: "choice",
    choices: LOG_LEVELS,
    default: "info",
    placeholder: "LEVEL",
    help: "lowest level to log",
  },
  "log-format": {
    kind: "choice",
    choices: LOG_FORMATS,
    default: logFormat,
    placeholder: "FORMAT",
    help: "text for people, or one JSON object per line",
  },
  "log-file": { kind: "path", help: "also log to this file, as JSON lines" },
  "auth": {
    kind: "boolean",
    default: false,
    help: "require a token; implied by any address but loopback",
  },
  ...EXTERNAL_TOKEN_OPTIONS,
  "tls": { kind: "boolean", default: false, help: "encrypt; implied by any address but loopback" },
  "tls-cert": { kind: "path", help: "certificate chain in PEM, instead of a generated one" },
  "tls-key": { kind: "path", help: "its private key in PEM; default: in the file of the certificate" },
  "certs": {
    kind: "path",
    default: "certs",
    placeholder: "DIR",
    help: "directory of generated certificates",
  },
  "insecure": {
    kind: "boolean",
    default: false,
    help: "do not imply --auth and --tls: let other machines connect without",
  },
  "max-payload": {
    kind: "bytes",
    range: LIMIT_RANGES.payloadBytes,
    default: MAX_PAYLOAD_BYTES,
    help: "largest payload of a message",
  },
  "max-pending": {
    kind: "bytes",
    range: LIMIT_RANGES.pendingBytes,
    default: MAX_PENDING_BYTES,
    help: "output that may wait for one session",
  },
  "max-pending-total": {
    kind: "bytes",
    range: LIMIT_RANGES.pendingTotalBytes,
    help: "output that may wait for all sessions; default: a quarter of the memory",
  },
  "max-channels": {
    kind: "integer",
    range: LIMIT_RANGES.channels,
    default: MAX_CHANNELS_PER_SESSION,
    help: "channels and patterns one session may have open",
  },
  "max-requests": {
    kind: "integer",
    range: LIMIT_RANGES.requests,
    default: MAX_REQUESTS_PER_SESSION,
    help: "unanswered requests one session may have",
  },
  "max-connections": {
    kind: "integer",
    range: LIMIT_RANGES.connections,
    default: MAX_CONNECTIONS,
    help: "connections in total",
  },
  "max-connections-per-address": {
    kind: "integer",
    range: LIMIT_RANGES.connectionsPerAddress,
    default: MAX_CONNECTIONS_PER_ADDRESS,
    help: "connections per IPv4 address or IPv6 /64 network",
  },
  "max-message-rate": {
    kind: "integer",
    range: LIMIT_RANGES.messagesPerSecond,
    default: 0,
    help: "messages per second of one session; 0 for no limit",
  },
  "max-byte-rate": {
    kind: "bytes",
    range: LIMIT_RANGES.bytesPerSecond,
    default: 0,
    help: "bytes per second of one session; 0 for no limit",
  },
  "handshake-time": {
    kind: "ms",
    range: LIMIT_RANGES.handshakeMs,
    default: HANDSHAKE_MS,
    help: "time for the TLS handshake and the HELLO",
  },
  "slow-consumer-timeout": {
    kind: "ms",
    range: LIMIT_RANGES.slowConsumerTimeoutMs,
    default: SLOW_CONSUMER_TIMEOUT_MS,
    help: "how long a session that does not read may delay its publishers",
  },
  "request-time": {
    kind: "ms",
    range: LIMIT_RANGES.requestMs,
    default: REQUEST_MS,
    help: "time a responder has to reply",
  },
  "drain-time": {
    kind: "ms",
    range: LIMIT_RANGES.drainMs,
    default: DRAIN_MS,
    help: "how long a shutdown waits for pending output",
  },
  "heartbeat": {
    kind: "seconds",
    range: LIMIT_RANGES.heartbeatSeconds,
    default: HEARTBEAT_SECONDS,
    help: "silence after which a session gets a PING",
  },
  "help": { kind: "boolean", default: false, only: ["flag"], short: "h", help: "print this and exit" },
  "version": { kind: "boolean", default: false, only: ["flag"], help: "print the version and exit" },
} as const satisfies Options;

/** The loaded options of `parley-server`. */
export type ServerConfig = Values<typeof SERVER_OPTIONS>;

/** An entry of the list `stored`. */
type StoredEntry =
  & Partial<ServerConfig["stored"][number]>
  & Pick<ServerConfig["stored"][number], "channels" | "storage">;

/** `parley-server` for `loadConfig`. */
export const SERVER: Program<typeof SERVER_OPTIONS> = {
  options: SERVER_OPTIONS,
  // Variables of the client and of Parley's tests.
  knownElsewhere: [
    "URL",
    "TOKEN",
    "NAME",
    "CA",
    "TIMEOUT",
    "TRACE",
    "JSON",
    "SEED",
    "COMPILED",
    "COMPILE_KIT",
  ]
    .map((name) => `PARLEY_${name}`),
  takesOperands: false,
  crossChecks: [{
    options: ["auth-keys", "auth-issuer", "auth-audience"],
    problem: ({ authKeys: keys, authIssuer: issuer, authAudience: audience }) =>
      externalTokensProblem({ keys, issuer, audience }, {
        keys: "auth-keys",
        issuer: "auth-issuer",
        audience: "auth-audience",
      }),
  }, {
    options: ["tls-cert", "tls-key"],
    problem: ({ tlsCert, tlsKey }) =>
      tlsKey !== undefined && tlsCert === undefined
        ? "tls-key needs tls-cert, the certificate that the key belongs to; set both or neither"
        : undefined,
  }, {
    options: ["max-pending", "max-payload"],
    problem: ({ maxPending, maxPayload }) =>
      maxPending < maxPayload + HEADER_BYTES
        ? `max-pending must be at least max-payload and one header, ${maxPayload + HEADER_BYTES} bytes, ` +
          `not ${maxPending}`
        : undefined,
  }, {
    options: ["max-pending-total", "max-pending"],
    problem: ({ maxPendingTotal = Infinity, maxPending }) =>
      maxPendingTotal < maxPending
        ? `max-pending-total must be at least max-pending, ${maxPending} bytes, not ${maxPendingTotal}`
        : undefined,
  }, {
    options: ["web-origin", "web"],
    problem: ({ webOrigin, web }) =>
      webOrigin.length > 0 && web === undefined
        ? "web-origin needs web, the port on which pages reach the server"
        : undefined,
  }, {
    options: ["stored", "durable", "history"],
    problem: (values) =>
      storedContradiction(storedEntries(values).map(({ label, entry }) => ({ label, ...entry }))),
  }],
};

/**
 * The entries of all channels that are stored, in the order in which they are tried, and how messages name them. The list
 * comes first, because it says more about a channel than `durable` and `history` do.
 */
export function storedEntries(
  { stored, durable, history }: Pick<ServerConfig, "stored" | "durable" | "history">,
): { readonly label: string; readonly entry: StoredEntry }[] {
  const simple = (storage: StoredEntry["storage"], patterns: string[]) =>
    patterns.map((channels) => ({ label: `${storage} ${channels}`, entry: { channels, storage } }));
  return [
    ...stored.map((entry, at) => ({ label: `stored[${at}]`, entry })),
    ...simple("durable", durable),
    ...simple("history", history),
  ];
}
