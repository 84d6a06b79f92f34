/**
 * Reads what a token says of itself: whose it is, how long it is valid, what it grants. The signature is not checked,
 * which only the server can do.
 *
 * @module
 */

import { decodeJwt } from "jose";
import { readClaims } from "../../../auth/claims.ts";
import type { GrantLists } from "../../../auth/grants.ts";
import { describeTime } from "./times.ts";

/** What a token says of itself. */
export interface TokenDetails {
  readonly name: string;
  readonly id: string;
  readonly notBefore: Date | undefined;
  readonly expires: Date;
  readonly grants: GrantLists;
}

/** Reads a token; undefined if it is not one that `parley-server` issues. */
export function readTokenDetails(token: string): TokenDetails | undefined {
  let payload: ReturnType<typeof decodeJwt>;
  try {
    payload = decodeJwt(token);
  } catch {
    return undefined;
  }
  const read = readClaims(payload);
  if ("problem" in read) return undefined;
  const { sub: name, jti: id, exp, grants } = read.claims;
  const notBefore = typeof payload.nbf === "number" ? new Date(payload.nbf * 1000) : undefined;
  return { name, id, notBefore, expires: new Date(exp * 1000), grants };
}

/** Describes a token: whose it is, how long it is valid, what it grants. */
export function describeToken({ name, notBefore, expires, grants }: TokenDetails, nowMs: number): string {
  const isFuture = notBefore !== undefined && notBefore.getTime() > nowMs;
  const valid = isFuture
    ? `valid from ${describeTime(notBefore, nowMs)}`
    : `valid until ${describeTime(expires, nowMs)}`;
  return `${name}'s, ${valid}; ${describeGrants(grants)}`;
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
