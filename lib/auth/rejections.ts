/**
 * Why a token is rejected: a message for the client, and details for the log.
 *
 * A client whose token this server did not sign learns only that the token is not valid here. The holder of a token
 * with a valid signature may learn more, because the token is theirs. No text contains any part of a token.
 *
 * @module
 */

import { errors } from "jose";

/** The kinds of rejection that a client can distinguish. */
export type RejectionReason = "missing" | "not valid here" | "expired" | "not yet valid" | "revoked";

/** A rejected token. */
export interface Rejection {
  readonly reason: RejectionReason;
  /** For the client: `token `, the reason, and what to do. */
  readonly message: string;
  /** For the log. */
  readonly detail: string;
}

/** The client sent no token. */
export function missing(): Rejection {
  return rejection("missing", "this server requires one", "no token came");
}

/** The token is malformed, or not one of this server's. `detail` says why, and must not quote the token. */
export function notValid(detail: string): Rejection {
  return rejection("not valid here", "check that it is whole, and meant for this server", detail);
}

/** The token expired at `atMs`, in milliseconds since 1970 as `nowMs`. */
export function expired(atMs: number, nowMs: number): Rejection {
  const when = `it ended at ${timeText(atMs)}`;
  return rejection("expired", `${when}; ask for a new one`, `${when}, now is ${timeText(nowMs)}`);
}

/** The token is valid from `fromMs`, in milliseconds since 1970 as `nowMs`. */
export function notYetValid(fromMs: number, nowMs: number): Rejection {
  const when = `it begins at ${timeText(fromMs)}, and this server's clock says ${timeText(nowMs)}`;
  return rejection("not yet valid", `${when}; wait, or set the clock that is wrong`, when);
}

/** The token was revoked at `atMs`, in milliseconds since 1970. */
export function revoked(atMs: number): Rejection {
  return rejection("revoked", "ask for a new one", `it was revoked at ${timeText(atMs)}`);
}

/**
 * Translates an error of jose, which looked at a token at `nowMs`. The signature was valid only if the error is about
 * claims, so only those are specific.
 *
 * @param algorithms what the token may be signed with, for the log
 */
export function explainFailure(error: unknown, nowMs: number, algorithms: string): Rejection {
  if (error instanceof errors.JWKSNoMatchingKey) {
    return notValid("its signing key is not accepted: rotated out, or another server's");
  }
  if (error instanceof errors.JWTExpired) return expired(Number(error.payload.exp) * 1000, nowMs);
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, reason, payload } = error;
    if (claim === "nbf" && reason === "check_failed") return notYetValid(Number(payload.nbf) * 1000, nowMs);
    return notValid(`its ${claim} is ${reason === "missing" ? "missing" : "invalid"}`);
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return notValid("its signature is wrong");
  if (error instanceof errors.JOSEAlgNotAllowed) return notValid(`it is not signed with ${algorithms}`);
  if (error instanceof errors.JOSEError) return notValid("it is not a JWT, or not one of this kind");
  // No other error is known. An unknown one must not accept the token.
  return notValid(`verifying it failed with ${error instanceof Error ? error.name : typeof error}`);
}

function rejection(reason: RejectionReason, hint: string, detail: string): Rejection {
  return { reason, message: `token ${reason}: ${hint}`, detail: `token ${reason}: ${detail}` };
}

/** RFC 3339 in whole seconds. A signed claim may still be a number beyond the range of dates. */
function timeText(ms: number): string {
  if (!(Math.abs(ms) <= 8.64e15)) return "a time out of range";
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
