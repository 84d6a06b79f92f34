/**
 * The claims of a token that another program than the server has issued.
 *
 * @module
 */

import * as v from "valibot";
import { name, patterns, seconds } from "./claims.ts";
import type { GrantLists } from "./grants.ts";
import { externalId } from "./revocations.ts";

/** The claims that such a token must have besides `iss` and `aud`. */
export const REQUIRED_EXTERNAL_CLAIMS: string[] = ["sub", "exp", "parley"];

const list = v.optional(patterns, []);
const flag = v.optional(v.boolean(), false);
const schema = v.object({
  sub: name,
  jti: v.optional(externalId),
  exp: seconds,
  // As the grants of Parley's own tokens, but what is left out is not granted.
  parley: v.object({
    publish: list,
    subscribe: list,
    respond: list,
    direct: flag,
    monitor: flag,
    admin: flag,
  }),
});

/** The claims that Parley uses once jose has checked the token. */
export interface ExternalClaims {
  readonly sub: string;
  readonly jti?: string;
  /** In seconds since 1970. */
  readonly exp: number;
  readonly parley: GrantLists;
}

/** Reads the claims of a token whose signature is valid, or names the claim that is not. */
export function readExternalClaims(
  payload: unknown,
): { readonly claims: ExternalClaims } | { readonly problem: string } {
  const result = v.safeParse(schema, payload, { abortEarly: true });
  if (result.success) return { claims: result.output };
  const [issue] = result.issues;
  // The path holds keys of the schema and numbers, nothing that the token chose.
  return { problem: `its ${v.getDotPath(issue) ?? "payload"} is invalid` };
}
