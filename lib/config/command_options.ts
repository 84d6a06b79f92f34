/**
 * The options of `parley-server token` and `parley-server certs`. A new option is a new row.
 *
 * @module
 */

import { CERTIFICATE_DAYS, KEY_OVERLAP_SECONDS, MAX_CERTIFICATE_DAYS, MAX_TOKEN_SECONDS } from "../limits.ts";
import { formatName, namesSetBy, type Option, type Options, type Program } from "./option.ts";
import { SERVER, SERVER_OPTIONS } from "./server_options.ts";

/** The options of `parley-server token issue --link` that say where clients reach the server. */
export const LINK_OPTIONS = {
  "host": {
    ...flagOf(SERVER_OPTIONS.host),
    placeholder: "NAME",
    help: "with --link: name or address of the server for its clients; as the server is started if left out",
  },
  "port": { ...flagOf(SERVER_OPTIONS.port), help: "with --link: port of the server; likewise" },
  "tls": { ...flagOf(SERVER_OPTIONS.tls), help: "with --link: the server encrypts; likewise" },
  "tls-cert": {
    ...flagOf(SERVER_OPTIONS["tls-cert"]),
    help: "with --link: certificate of the server; likewise",
  },
  "certs": {
    ...flagOf(SERVER_OPTIONS.certs),
    help: "with --link: directory of generated certificates; likewise",
  },
  "insecure": { ...flagOf(SERVER_OPTIONS.insecure), help: "with --link: the server is insecure; likewise" },
} as const satisfies Options;

/** The options of `parley-server token`. */
export const TOKEN_OPTIONS = {
  "state": SERVER_OPTIONS.state,
  "name": { kind: "string", only: ["flag"], help: "owner of the token; its sessions have this name" },
  "publish": {
    kind: "string",
    only: ["flag"],
    repeatable: true,
    placeholder: "PATTERN",
    help: "channels it may publish and send requests on",
  },
  "subscribe": {
    kind: "string",
    only: ["flag"],
    repeatable: true,
    placeholder: "PATTERN",
    help: "channels it may subscribe to",
  },
  "respond": {
    kind: "string",
    only: ["flag"],
    repeatable: true,
    placeholder: "PATTERN",
    help: "channels whose requests it may answer",
  },
  "direct": {
    kind: "boolean",
    default: false,
    only: ["flag"],
    help: "may send direct messages to other sessions",
  },
  "monitor": {
    kind: "boolean",
    default: false,
    only: ["flag"],
    help: "may see all that the server tells of itself: sessions, channels, counters",
  },
  "admin": {
    kind: "boolean",
    default: false,
    only: ["flag"],
    help: "may see it and act: disconnect sessions, pause and reset consumers",
  },
  "expires": {
    kind: "seconds",
    range: [1, MAX_TOKEN_SECONDS],
    default: KEY_OVERLAP_SECONDS,
    only: ["flag"],
    help: "how long the token is valid",
  },
  "link": {
    kind: "boolean",
    default: false,
    only: ["flag"],
    help: "print a join link, which holds the token, the server's address and its authority",
  },
  ...LINK_OPTIONS,
  "overlap": {
    kind: "seconds",
    range: [0, MAX_TOKEN_SECONDS],
    default: KEY_OVERLAP_SECONDS,
    only: ["flag"],
    help: "how long tokens of the old key stay valid after rotate",
  },
  "external": {
    kind: "boolean",
    default: false,
    only: ["flag"],
    help: "revoke: the whole id (jti) of a token of your own backend, see --auth-keys of the server",
  },
  "json": { kind: "boolean", default: false, only: ["flag"], help: "print one JSON object per line" },
  "help": SERVER_OPTIONS.help,
} as const satisfies Options;

/** The option as one that only a flag sets, and that has no default. */
function flagOf<T extends Option>(option: T): FlagOf<T> {
  const { default: _default, ...rest } = option;
  return { ...rest, only: ["flag"] } as unknown as FlagOf<T>;
}

type FlagOf<T extends Option> = Omit<T, "default" | "only"> & { readonly only: readonly ["flag"] };

/** `parley-server token` for `loadConfig`. */
export const TOKEN: Program<typeof TOKEN_OPTIONS> = {
  options: TOKEN_OPTIONS,
  knownElsewhere: variablesOfOthers(TOKEN_OPTIONS),
  takesOperands: true,
  crossChecks: [],
};

/** The options of `parley-server certs`. */
export const CERTS_OPTIONS = {
  "host": {
    kind: "host",
    only: ["flag"],
    repeatable: true,
    placeholder: "NAME",
    help: "name or address that clients use; all of this machine's if left out",
  },
  "out": {
    kind: "path",
    default: "certs",
    only: ["flag"],
    placeholder: "DIR",
    help: "directory to write to",
  },
  "days": {
    kind: "integer",
    range: [1, MAX_CERTIFICATE_DAYS],
    default: CERTIFICATE_DAYS,
    only: ["flag"],
    help: "days the server's certificate is valid",
  },
  "renew": {
    kind: "boolean",
    default: false,
    only: ["flag"],
    help: "make a new certificate even if the current one is still good",
  },
  "help": SERVER_OPTIONS.help,
} as const satisfies Options;

/** `parley-server certs` for `loadConfig`. */
export const CERTS: Program<typeof CERTS_OPTIONS> = {
  options: CERTS_OPTIONS,
  knownElsewhere: variablesOfOthers(CERTS_OPTIONS),
  takesOperands: false,
  crossChecks: [],
};

/** The options of `parley-server store`. */
export const STORE_OPTIONS = {
  "store": flagOf(SERVER_OPTIONS.store),
  "state": flagOf(SERVER_OPTIONS.state),
  "from": {
    kind: "integer",
    range: [1, Number.MAX_SAFE_INTEGER],
    only: ["flag"],
    help: "show: the sequence to begin with; the oldest if left out",
  },
  "count": {
    kind: "integer",
    range: [1, Number.MAX_SAFE_INTEGER],
    default: 10,
    only: ["flag"],
    help: "show: how many messages at most",
  },
  "before": {
    kind: "integer",
    range: [1, Number.MAX_SAFE_INTEGER],
    only: ["flag"],
    help: "purge: keep the messages from this sequence on",
  },
  "subject": {
    kind: "string",
    only: ["flag"],
    placeholder: "NAME",
    help: "consumer: whose consumer, if several subjects of tokens have one of that name",
  },
  "json": { kind: "boolean", default: false, only: ["flag"], help: "print one JSON object per line" },
  "help": SERVER_OPTIONS.help,
} as const satisfies Options;

/** `parley-server store` for `loadConfig`. */
export const STORE: Program<typeof STORE_OPTIONS> = {
  options: STORE_OPTIONS,
  knownElsewhere: variablesOfOthers(STORE_OPTIONS),
  takesOperands: true,
  crossChecks: [],
};

/** Variables that a command with the options `own` ignores: those of `parley-server` itself and of other programs. */
function variablesOfOthers(own: Options): string[] {
  const settable = namesSetBy(own, "variable").map(formatName.variable);
  return [
    ...SERVER.knownElsewhere,
    ...namesSetBy(SERVER_OPTIONS, "variable").map(formatName.variable),
  ].filter((variable) => !settable.includes(variable));
}
