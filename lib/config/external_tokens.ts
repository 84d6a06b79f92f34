/**
 * The options for tokens that another program than the server issues, such as the backend of a web application.
 *
 * @module
 */

import { EXTERNAL_TOKEN_SECONDS, MAX_EXTERNAL_TOKEN_SECONDS, MAX_ISSUER_LENGTH } from "../limits.ts";
import type { Options } from "./option.ts";

/** They begin with `auth-`, and are listed after `auth`. */
export const EXTERNAL_TOKEN_OPTIONS = {
  "auth-keys": {
    kind: "string",
    repeatable: true,
    placeholder: "FILE|URL",
    help: "also accept tokens of your own backend: its public keys, a JWK set or PEM; implies --auth",
  },
  "auth-issuer": {
    kind: "string",
    placeholder: "TEXT",
    help: 'issuer ("iss") that these tokens must have',
  },
  "auth-audience": {
    kind: "string",
    placeholder: "TEXT",
    help: 'audience ("aud") that they must be for',
  },
  "auth-max-lifetime": {
    kind: "seconds",
    range: [60, MAX_EXTERNAL_TOKEN_SECONDS],
    default: EXTERNAL_TOKEN_SECONDS,
    help: "how far ahead their expiry may be",
  },
} as const satisfies Options;

/** The issuer of the tokens that `parley-server token issue` makes; see `lib/auth/claims.ts`. */
const OWN_ISSUER = "parley-server";

/** What is said of other issuers: how the option that says it is called, and its value. */
export interface ExternalTokenValues {
  readonly keys: readonly string[];
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
}

/** How messages name these options. */
export type ExternalTokenNames = Readonly<Record<keyof ExternalTokenValues, string>>;

/** Says what is wrong with them, or returns undefined. Without keys there must not be an issuer or an audience either. */
export function externalTokensProblem(
  { keys, issuer, audience }: ExternalTokenValues,
  names: ExternalTokenNames,
): string | undefined {
  if (keys.length === 0) {
    const stray = issuer !== undefined ? names.issuer : audience !== undefined ? names.audience : undefined;
    return stray && `${stray} needs ${names.keys}, the public keys of that issuer; set all three or none`;
  }
  const missing = issuer === undefined ? names.issuer : audience === undefined ? names.audience : undefined;
  if (missing !== undefined) {
    return `${names.keys} needs ${names.issuer} and ${names.audience}, which the tokens must have, ` +
      `or tokens that are meant for something else would be accepted; ${missing} is missing`;
  }
  for (const [name, text] of [[names.issuer, issuer!], [names.audience, audience!]]) {
    if (!/^\P{Cc}+$/u.test(text) || text.length > MAX_ISSUER_LENGTH) {
      return `${name} must have 1 to ${MAX_ISSUER_LENGTH} characters and no control characters`;
    }
  }
  if (issuer === OWN_ISSUER) {
    return `${names.issuer} must not be ${JSON.stringify(OWN_ISSUER)}, the issuer of the server's own tokens`;
  }
  return keys.map(keysProblem).find((problem) => problem !== undefined);
}

/** Where public keys are. */
export type KeysLocation = { readonly url: URL } | { readonly file: string };

/** Whether `text` names a URL, if only a wrong one. A Windows path has one letter before its colon. */
const URL_LIKE = /^[a-z][a-z0-9+.-]+:/i;

/** Reads a value of `auth-keys` that {@linkcode externalTokensProblem} has found nothing wrong with. */
export function keysLocation(text: string): KeysLocation {
  return URL_LIKE.test(text) ? { url: new URL(text) } : { file: text };
}

/** Says what is wrong with one place of keys. A user and a password in it are not quoted. */
function keysProblem(text: string): string | undefined {
  if (!URL_LIKE.test(text)) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) return `keys come from a file or a URL, and ${JSON.stringify(text)} is no valid URL`;
  if (url.username !== "" || url.password !== "") {
    return `the URL of keys at ${url.host} must not hold a user or a password: public keys need none`;
  }
  if (url.protocol === "https:") return undefined;
  if (url.protocol === "http:" && isLoopback(url.hostname)) return undefined;
  return `keys come from a file or an https: URL (http: from this machine only), not from ${url.protocol}//${url.host}, ` +
    "because whoever can change them on the way can make tokens";
}

/** As a URL has it: an IPv6 address in brackets. */
function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname);
}
