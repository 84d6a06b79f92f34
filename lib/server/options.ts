/**
 * Checks what a program gives to `serve()`, so that a mistake fails at once and not at a client.
 *
 * @module
 */

import type { StoragePolicy } from "../broker/stored/policy.ts";
import { EXTERNAL_TOKEN_OPTIONS, externalTokensProblem } from "../config/external_tokens.ts";
import { contradictions, LIMIT_RANGES } from "../config/limit_ranges.ts";
import { originOf } from "../config/option.ts";
import { nearest } from "../config/sources.ts";
import { FULL, STORAGES, STORED_RANGES, storedContradiction } from "../config/stored_channels.ts";
import { ParleyError } from "../errors.ts";
import { DEFAULT_LIMITS, HISTORY_MESSAGES, type Limits, MAX_NUMBER } from "../limits.ts";
import { isLoopback } from "../net/target.ts";
import { channelProblem } from "../wire/names.ts";
import type {
  CertificateFiles,
  ExternalIssuerOptions,
  ServeOptions,
  StoredChannelOptions,
  WebServerOptions,
} from "./api.ts";

/** The address that a server listens on unless it is told another. */
export const DEFAULT_HOSTNAME = "127.0.0.1";

/** What a value must be, for messages, and whether it is. */
type Rule = readonly [expected: string, holds: (value: unknown) => boolean];

const text: Rule = ["text that is not empty", (value) => typeof value === "string" && value !== ""];
const flag: Rule = ["true or false", (value) => typeof value === "boolean"];
const object: Rule = ["an object", (value) => typeof value === "object" && value !== null];

const OPTION_RULES: Readonly<Record<keyof ServeOptions, Rule>> = {
  hostname: text,
  port: wholeNumber(0, 65_535),
  auth: [
    "true, false or { keys, issuer, audience, ... }",
    (value) => flag[1](value) || object[1](value),
  ],
  state: text,
  tls: ["true, false or { certificateFile, keyFile }", (value) => flag[1](value) || object[1](value)],
  certs: text,
  hosts: ["an array of names and addresses", (value) => Array.isArray(value) && value.every(text[1])],
  insecure: flag,
  firstSessionId: wholeNumber(1, MAX_NUMBER),
  limits: object,
  stored: ["an array of { channels, storage, ... }", Array.isArray],
  store: text,
  web: object,
  config: ["a function", (value) => typeof value === "function"],
  log: object,
};

const STORED_RULES: Readonly<Record<keyof StoredChannelOptions, Rule>> = {
  channels: [
    "the name of a channel, or a pattern",
    (value) => typeof value === "string" && !channelProblem(value),
  ],
  storage: oneOf(STORAGES),
  maxAgeMs: wholeNumber(...STORED_RANGES.maxAgeMs),
  maxBytes: wholeNumber(...STORED_RANGES.maxBytes),
  maxMessages: wholeNumber(...STORED_RANGES.maxMessages),
  full: oneOf(FULL),
};

const WEB_RULES: Readonly<Record<keyof WebServerOptions, Rule>> = {
  hostname: text,
  port: wholeNumber(0, 65_535),
  origins: [
    "an array of origins such as https://app.example",
    (value) => Array.isArray(value) && value.every((origin) => originOf(origin) === origin),
  ],
};

const FILE_RULES: Readonly<Record<keyof CertificateFiles, Rule>> = { certificateFile: text, keyFile: text };

const ISSUER_RULES: Readonly<Record<keyof ExternalIssuerOptions, Rule>> = {
  keys: [
    "a file or URL, or an array of them",
    (value) => text[1](value) || (Array.isArray(value) && value.length > 0 && value.every(text[1])),
  ],
  issuer: text,
  audience: text,
  maxLifetimeSeconds: wholeNumber(...EXTERNAL_TOKEN_OPTIONS["auth-max-lifetime"].range),
};

const LIMIT_RULES = Object.fromEntries(
  Object.entries(LIMIT_RANGES).map(([name, [min, max]]) => [name, wholeNumber(min, max)]),
);

/**
 * Returns the limits of a server: those of `options`, and the default ones.
 *
 * @throws {ParleyError} `bad_argument` if an option is not known or out of range, if the limits contradict each other, or
 * if other machines could connect without tokens and TLS and `insecure` is not set
 */
export function checkOptions(options: ServeOptions): Limits {
  checkObject("serve()", "option", options, OPTION_RULES);
  const { limits = {}, tls, auth } = options;
  checkObject("limits", "limit", limits, LIMIT_RULES);
  if (typeof tls === "object") {
    checkObject("tls", "option", tls, FILE_RULES);
    if (tls.certificateFile === undefined) throw badArgument("tls.certificateFile is missing");
  }
  if (options.web !== undefined) {
    checkObject("web", "option", options.web, WEB_RULES);
    if (options.web.port === undefined) throw badArgument("web.port is missing");
  }
  if (typeof auth === "object") checkIssuer(auth);
  storagePolicies(options);
  checkSecurity(options);
  const given = Object.entries(limits).filter(([, value]) => value !== undefined);
  const all: Limits = { ...DEFAULT_LIMITS, ...Object.fromEntries(given) };
  // One session may have more than all have by default.
  if (limits.pendingTotalBytes === undefined) {
    all.pendingTotalBytes = Math.max(all.pendingTotalBytes, all.pendingBytes);
  }
  const problems = contradictions(all);
  if (problems.length > 0) throw badArgument(problems.join("; "));
  return all;
}

/**
 * How the channels of a server are stored, in the order in which they are tried.
 *
 * @throws {ParleyError} `bad_argument` if an entry of `stored` is not as it must be, or is never used
 */
export function storagePolicies({ stored = [] }: Pick<ServeOptions, "stored">): StoragePolicy[] {
  for (const [at, entry] of stored.entries()) {
    const label = `stored[${at}]`;
    if (!object[1](entry)) throw badArgument(`${label} must be ${object[0]}, not ${show(entry)}`);
    checkObject(label, "option", entry, STORED_RULES);
    for (const name of ["channels", "storage"] as const) {
      if (entry[name] === undefined) throw badArgument(`${label}.${name} is missing`);
    }
  }
  const problem = storedContradiction(stored.map((entry, at) => ({ label: `stored[${at}]`, ...entry })));
  if (problem !== undefined) throw badArgument(problem);
  return stored.map(policyOfEntry);
}

function policyOfEntry(entry: StoredChannelOptions): StoragePolicy {
  const { channels, storage, maxAgeMs = Infinity, maxBytes = Infinity } = entry;
  const isDurable = storage === "durable";
  const { maxMessages = isDurable ? Infinity : HISTORY_MESSAGES } = entry;
  // A durable channel without bounds must not lose its oldest messages because the disk is full.
  const isUnbounded = isDurable && maxBytes === Infinity && maxMessages === Infinity;
  const full = entry.full ?? (isUnbounded ? "refuse" : "drop-old");
  return { pattern: channels, storage, maxAgeMs, maxBytes, maxMessages, full };
}

/** The folder of durable channels. */
export function storeFolder(
  { store, state = "parley-state" }: Pick<ServeOptions, "store" | "state">,
): string {
  return store ?? `${state}/store`;
}

/** Whether other machines can connect to what listens on `hostname`. */
export function isPublicAddress(hostname: string): boolean {
  return !isLoopback(hostname);
}

/** The address of a server, or that of its web server, by which other machines can connect, if there is one. */
function publicAddress({ hostname = DEFAULT_HOSTNAME, web }: ServeOptions): string | undefined {
  return [hostname, web?.hostname ?? hostname].find(isPublicAddress);
}

function checkIssuer(auth: ExternalIssuerOptions): void {
  checkObject("auth", "option", auth, ISSUER_RULES);
  if (auth.keys === undefined) throw badArgument("auth.keys is missing");
  const names = { keys: "auth.keys", issuer: "auth.issuer", audience: "auth.audience" };
  const { issuer, audience } = auth;
  const problem = externalTokensProblem({ keys: [auth.keys].flat(), issuer, audience }, names);
  if (problem !== undefined) throw badArgument(problem);
}

/** The same rule as that of the program: see `lib/cli/server/security.ts`. */
function checkSecurity(options: ServeOptions): void {
  const { auth = false, tls = false, insecure } = options;
  const hostname = publicAddress(options);
  if (insecure || hostname === undefined) return;
  const missing = [...(auth ? [] : ["auth: true"]), ...(tls === false ? ["tls: true"] : [])];
  if (missing.length === 0) return;
  throw badArgument(
    `other machines can connect to a server on ${hostname}, which needs tokens and TLS: add ` +
      `${missing.join(" and ")}, or insecure: true to leave it open`,
  );
}

/** What it means that a server with these options is insecure; `undefined` if it is not. */
export function insecurityOf(options: ServeOptions): string | undefined {
  const { auth = false, tls = false } = options;
  return publicAddress(options) === undefined || auth && tls !== false
    ? undefined
    : describeInsecurity(auth !== false, tls !== false);
}

/** What it means that other machines can connect without `auth` or without `tls`. */
export function describeInsecurity(auth: boolean, tls: boolean): string {
  const problems = [
    ...(auth ? [] : ["any machine that can reach this one may connect and do everything"]),
    ...(tls ? [] : [`others can read ${auth ? "tokens and messages" : "messages"} on the network`]),
  ];
  return `insecure: open to the network, and ${problems.join("; ")}; ` +
    "remove --insecure (in a program, insecure: true) to protect it";
}

/** Whether the peer with that IP address is on this machine. A socket for both families sees IPv4 as IPv6. */
export function isLocalPeer(address: string): boolean {
  return isLoopback(address.replace(/^::ffff:/i, ""));
}

/**
 * The id of the first session. If each start began with 1, a client that reconnects after a restart could send to the id
 * of a session that has ended, and reach another. Seven digits are few enough for people to read.
 */
export function randomSessionId(): number {
  return 1 + crypto.getRandomValues(new Uint32Array(1))[0] % 9_999_999;
}

/** Checks the values of `object` by the rule of their name. An undefined value counts as left out. */
function checkObject(
  where: string,
  what: string,
  object: object,
  rules: Readonly<Record<string, Rule>>,
): void {
  for (const [name, value] of Object.entries(object)) {
    if (!Object.hasOwn(rules, name)) {
      const names = Object.keys(rules);
      const guess = nearest(name, names);
      const hint = guess === undefined ? `there are ${names.join(", ")}` : `did you mean ${guess}?`;
      throw badArgument(`${where} has no ${what} ${JSON.stringify(name)}; ${hint}`);
    }
    const [expected, holds] = rules[name];
    if (value === undefined || holds(value)) continue;
    const label = where === "serve()" ? name : `${where}.${name}`;
    throw badArgument(`${label} must be ${expected}, not ${show(value)}`);
  }
}

function oneOf(choices: readonly string[]): Rule {
  return [`one of ${choices.join(", ")}`, (value) => choices.some((choice) => choice === value)];
}

function wholeNumber(min: number, max: number): Rule {
  const holds = (value: unknown) => Number.isInteger(value) && Number(value) >= min && Number(value) <= max;
  return [`a whole number from ${min} to ${max}`, holds];
}

/** JSON knows no NaN and no Infinity. */
function show(value: unknown): string {
  return typeof value === "number" ? String(value) : JSON.stringify(value) ?? typeof value;
}

function badArgument(message: string): ParleyError {
  return new ParleyError("bad_argument", message);
}
