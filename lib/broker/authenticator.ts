/**
 * What the broker asks before it lets somebody in, and what somebody who is in may do.
 *
 * @module
 */

/** What a session may do. Asked when a channel is opened; the answer is kept with the open channel. */
export interface Permissions {
  /** Whether messages to other sessions' inboxes are allowed. */
  readonly mayDirect: boolean;
  /** Whether messages and requests may be published on `channel`, a valid name. */
  mayPublish(channel: string): boolean;
  /** Whether all that `channel`, a valid name or pattern, stands for may be subscribed to. */
  maySubscribe(channel: string): boolean;
  /** Whether the session may be sent the requests on all that `channel`, a valid name or pattern, stands for. */
  mayRespond(channel: string): boolean;
}

/** Somebody whose token is valid. */
export interface Identity {
  /** The token's id, for the log. */
  readonly id: string;
  /** The session's name. */
  readonly name: string;
  readonly grants: Permissions;
}

/** Why somebody does not come in, or may stay no longer. */
export interface Rejection {
  /** What the client may know. */
  readonly message: string;
  /** What the log says besides. */
  readonly detail: string;
}

/** Whoever decides on tokens. */
export interface Authenticator {
  /** Judges the token of a HELLO that came from `address`. Rejects only where judging itself failed. */
  verify(
    token: string | undefined,
    address: string,
  ): Promise<{ readonly accepted: Identity } | { readonly rejected: Rejection }>;
  /** Why somebody let in before may stay no longer, if so. Cheap enough to ask of every session every second. */
  check(identity: Identity): Rejection | undefined;
}

/** The rights of everybody where there is no door. The server's own channels are dealt with elsewhere. */
export const ALL_PERMISSIONS: Permissions = {
  mayDirect: true,
  mayPublish: () => true,
  maySubscribe: () => true,
  mayRespond: () => true,
};
