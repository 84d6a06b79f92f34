/**
 * The claims of a token, and the rules for them that jose does not check.
 *
 * @module
 */

import * as v from "valibot";
import { nameProblem } from "../wire/control.ts";
import { type GrantLists, grantsProblem } from "./grants.ts";

/** The issuer of every token. No other use of a key may share it, or its signatures could pass for tokens. */
export const ISSUER = "parley-server";

/** The audience of every token. */
export const AUDIENCE = "parley";

/** The claims that a token must have besides `iss` and `aud`: those of RFC 7519, and `grants`, which is Parley's. */
export const REQUIRED_CLAIMS: string[] = ["sub", "jti", "iat", "nbf", "exp", "grants"];

/** The rule for names is that of HELLO. */
export const name = v.pipe(v.string(), v.check((text) => nameProblem(text) === undefined));
/** The rule for a list of granted channels and patterns. */
export const patterns = v.pipe(v.array(v.string()), v.check((list) => grantsProblem(list) === undefined));
/** The rule for a time, in seconds since 1970. */
export const seconds = v.pipe(v.number(), v.minValue(0), v.maxValue(8.64e12));

const schema = v.object({
  sub: name,
  jti: v.pipe(v.string(), v.minLength(1), v.maxLength(64)),
  exp: seconds,
  grants: v.object({
    publish: patterns,
    subscribe: patterns,
    // Tokens issued by versions without this grant lack it. They grant no responding.
    respond: v.optional(patterns, []),
    direct: v.boolean(),
    // Likewise, and they are left out of tokens that do not grant them.
    monitor: v.optional(v.boolean()),
    admin: v.optional(v.boolean()),
  }),
});

/** The claims that Parley uses once jose has checked the token. */
export interface Claims {
  readonly sub: string;
  readonly jti: string;
  /** In seconds since 1970. */
  readonly exp: number;
  readonly grants: GrantLists;
}

/** Reads the claims of a token whose signature is valid, or names the claim that is not. */
export function readClaims(payload: unknown): { readonly claims: Claims } | { readonly problem: string } {
  const result = v.safeParse(schema, payload, { abortEarly: true });
  if (result.success) return { claims: result.output };
  const [issue] = result.issues;
  // The path holds keys of the schema and numbers, nothing that the token chose.
  return { problem: `its ${v.getDotPath(issue) ?? "payload"} is invalid` };
}

/** Whether `text` may be a session's name. */
export function isName(text: string): boolean {
  return v.is(name, text);
}
