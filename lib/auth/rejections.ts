/**
 * Why a token is refused: in words for the client, and in words for the log.
 *
 * A stranger learns nothing but that its token is not valid here. Whoever holds a token this server did sign may know
 * more, because it is theirs. Neither text ever holds a part of a token.
 *
 * @module
 */

/** The kinds of refusal a client can tell apart. */
export type RejectionReason = "missing" | "not valid here" | "expired" | "not yet valid" | "revoked";

/** A refused token. */
export interface Rejection {
  readonly reason: RejectionReason;
  /** What the client may know: `token `, the reason, and what to do. */
  readonly told: string;
  /** What the log says. */
  readonly detail: string;
}

/** No token came, where one is needed. */
export function missing(): Rejection {
  return rejection("missing", "this server lets nobody in without one", "no token came");
}

/** The token is not one of ours, or not as ours are; `detail` says how, and quotes nothing of it. */
export function notValid(detail: string): Rejection {
  return rejection("not valid here", "check that it is whole, and meant for this server", detail);
}

/** The token's time is over. */
export function expired(atMs: number, nowMs: number): Rejection {
  const when = `it ended at ${timeText(atMs)}`;
  return rejection("expired", `${when}; ask for a new one`, `${when}, now is ${timeText(nowMs)}`);
}

/** The token's time has not begun. */
export function notYetValid(fromMs: number, nowMs: number): Rejection {
  const when = `it begins at ${timeText(fromMs)}, and this server's clock says ${timeText(nowMs)}`;
  return rejection("not yet valid", `${when}; wait, or set the clock that is wrong`, when);
}

/** The token was taken back. */
export function revoked(atMs: number): Rejection {
  return rejection("revoked", "ask for a new one", `it was revoked at ${timeText(atMs)}`);
}

function rejection(reason: RejectionReason, hint: string, detail: string): Rejection {
  return { reason, told: `token ${reason}: ${hint}`, detail: `token ${reason}: ${detail}` };
}

/** RFC 3339 in whole seconds, as far as dates go: what is signed may still be any number. */
function timeText(ms: number): string {
  if (!(Math.abs(ms) <= 8.64e15)) return "no time there is";
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
