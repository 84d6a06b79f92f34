/**
 * Reads what a token says of itself: whose it is, how long it is valid, what it grants. The signature is not checked,
 * which only the server can do.
 *
 * @module
 */

import { decodeJwt } from "jose";
import { readClaims } from "../../../auth/claims.ts";
import { readExternalClaims } from "../../../auth/external_claims.ts";
import type { GrantLists } from "../../../auth/grants.ts";
import { describeTime } from "./times.ts";

/** What a token says of itself. */
export interface TokenDetails {
  readonly name: string;
  /** Undefined if it has none. */
  readonly id: string | undefined;
  /** Who issued it; undefined if `parley-server` did. */
  readonly issuer: string | undefined;
  readonly notBefore: Date | undefined;
  readonly expires: Date;
  readonly grants: GrantLists;
}

/** Reads a token; undefined if it is not for Parley. Any issuer will do. */
export function readTokenDetails(token: string): TokenDetails | undefined {
  let payload: ReturnType<typeof decodeJwt>;
  try {
    payload = decodeJwt(token);
  } catch {
    return undefined;
  }
  const notBefore = typeof payload.nbf === "number" ? new Date(payload.nbf * 1000) : undefined;
  const own = readClaims(payload);
  if ("claims" in own) {
    const { sub: name, jti: id, exp, grants } = own.claims;
    return { name, id, issuer: undefined, notBefore, expires: new Date(exp * 1000), grants };
  }
  const external = readExternalClaims(payload);
  if ("problem" in external) return undefined;
  const { sub: name, jti: id, exp, parley: grants } = external.claims;
  return { name, id, issuer: payload.iss, notBefore, expires: new Date(exp * 1000), grants };
}

/** Describes a token: whose it is, how long it is valid, what it grants. */
export function describeToken(
  { name, issuer, notBefore, expires, grants }: TokenDetails,
  nowMs: number,
): string {
  const isFuture = notBefore !== undefined && notBefore.getTime() > nowMs;
  const valid = isFuture
    ? `valid from ${describeTime(notBefore, nowMs)}`
    : `valid until ${describeTime(expires, nowMs)}`;
  const from = issuer === undefined ? "" : ` from ${issuer}`;
  return `${name}'s${from}, ${valid}; ${describeGrants(grants)}`;
}

/** Describes grants: `may publish on jobs.*, subscribe to chat.>; may not respond, send direct messages`. */
function describeGrants({ publish, subscribe, respond, direct, monitor, admin }: GrantLists): string {
  const all: [string, string, readonly string[]][] = [
    ["publish", " on ", publish],
    ["subscribe", " to ", subscribe],
    ["respond", " on ", respond],
  ];
  const may = all.filter(([, , list]) => list.length > 0).map(([verb, word, list]) =>
    `${verb}${word}${list.join(" ")}`
  );
  const mayNot = all.filter(([, , list]) => list.length === 0).map(([verb]) => verb);
  (direct ? may : mayNot).push("send direct messages");
  if (admin) may.push("monitor and administer the server");
  else if (monitor) may.push("monitor the server");
  return [
    ...(may.length > 0 ? [`may ${may.join(", ")}`] : []),
    ...(mayNot.length > 0 ? [`may not ${mayNot.join(", ")}`] : []),
  ].join("; ");
}
