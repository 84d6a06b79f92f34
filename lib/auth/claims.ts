/**
 * What a token says: its claims, and the rules they must keep beyond those that jose checks.
 *
 * @module
 */

import * as v from "valibot";
import { SCHEMAS } from "../wire/control.ts";
import { type GrantLists, grantsProblem } from "./grants.ts";

/** Who issues the tokens: never anything else, so that no other use of a key can be mistaken for it. */
export const ISSUER = "parley-server";

/** Whom they are for. */
export const AUDIENCE = "parley";

/** The claims of RFC 7519 that a token must have besides `iss` and `aud`; its `grants` claim is ours. */
export const REQUIRED_CLAIMS: string[] = ["sub", "jti", "iat", "nbf", "exp", "grants"];

/** Names have one rule, and HELLO says it. */
const name = SCHEMAS.HELLO.entries.name.wrapped;
const patterns = v.pipe(v.array(v.string()), v.check((list) => grantsProblem(list) === undefined));
const seconds = v.pipe(v.number(), v.minValue(0), v.maxValue(8.64e12));
const schema = v.object({
  sub: name,
  jti: v.pipe(v.string(), v.minLength(1), v.maxLength(64)),
  exp: seconds,
  grants: v.object({
    publish: patterns,
    subscribe: patterns,
    // Tokens issued by versions without this grant lack it, and grant no responding.
    respond: v.optional(patterns, []),
    direct: v.boolean(),
  }),
});

/** The claims that matter once jose has checked the token. */
export interface Claims {
  readonly sub: string;
  readonly jti: string;
  /** In seconds since 1970. */
  readonly exp: number;
  readonly grants: GrantLists;
}

/** Reads the claims of a token whose signature held, or says which of them is not as it must be. */
export function readClaims(payload: unknown): { readonly claims: Claims } | { readonly problem: string } {
  const result = v.safeParse(schema, payload, { abortEarly: true });
  if (result.success) return { claims: result.output };
  const [issue] = result.issues;
  // Our own keys, not the token's: where a path leads into a list it ends in a number.
  return { problem: `its ${v.getDotPath(issue) ?? "payload"} is not as it must be` };
}

/** Whether `text` may be a session's name. */
export function isName(text: string): boolean {
  return v.is(name, text);
}
