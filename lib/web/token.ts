/**
 * The token of a request.
 *
 * @module
 */

import { MAX_TOKEN_BYTES } from "../limits.ts";
import { HttpProblem } from "./problem.ts";

/**
 * Returns what an `Authorization` header holds.
 *
 * @param isRequired whether there must be one
 * @throws {HttpProblem} 401 if there is none and must be, or if it is no bearer token
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { tokenOf } from "./token.ts";
 *
 * assertEquals(tokenOf("Bearer abc.def", true), "abc.def");
 * assertEquals(tokenOf(undefined, false), undefined);
 * ```
 */
export function tokenOf(authorization: string | undefined, isRequired: boolean): string | undefined {
  if (authorization === undefined) {
    if (isRequired) throw unauthorized("this needs a token: send the header Authorization: Bearer TOKEN");
    return undefined;
  }
  const [, token] = /^bearer +([A-Za-z0-9\-._~+/]+=*) *$/i.exec(authorization) ?? [];
  if (token === undefined) {
    throw unauthorized("the header Authorization must be: Bearer TOKEN", "invalid_request");
  }
  if (token.length > MAX_TOKEN_BYTES) {
    throw unauthorized(`a token has at most ${MAX_TOKEN_BYTES} bytes`, "invalid_token");
  }
  return token;
}

/** 401, with what a client is to send (RFC 6750). */
export function unauthorized(detail: string, error?: string): HttpProblem {
  const challenge = `Bearer realm="parley"${error === undefined ? "" : `, error="${error}"`}`;
  return new HttpProblem(401, { code: "unauthorized", detail, headers: { "www-authenticate": challenge } });
}
