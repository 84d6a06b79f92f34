/**
 * What the broker needs of authentication: whether a client is accepted, and what its session may do.
 *
 * @module
 */

/** What a session may do. Asked when a channel is opened; the answer is kept with the open channel. */
export interface Permissions {
  /** Whether messages to other sessions' inboxes are allowed. */
  readonly mayDirect: boolean;
  /** Whether the session may ask what the server does: `$stats`. */
  readonly mayMonitor: boolean;
  /** Whether it may change what the server does: `$admin`. */
  readonly mayAdmin: boolean;
  /** Whether messages and requests may be published on `channel`, a valid name. */
  mayPublish(channel: string): boolean;
  /** Whether all that `channel`, a valid name or pattern, stands for may be subscribed to. */
  maySubscribe(channel: string): boolean;
  /** Whether the session may be sent the requests on all that `channel`, a valid name or pattern, stands for. */
  mayRespond(channel: string): boolean;
}

/** The identity that a valid token proves. */
export interface Identity {
  /** The token's id, for the log; empty if it has none. */
  readonly id: string;
  /** The session's name. */
  readonly name: string;
  /** Whose the session's producers and consumers are: the name, or something else if another program issued the token. */
  readonly subject: string;
  /** Who issued the token, for the log, unless the server did. */
  readonly issuer?: string;
  readonly grants: Permissions;
}

/** The reason why a client is not accepted, or may not stay. */
export interface Rejection {
  /** What the client may know. */
  readonly message: string;
  /** What the log says besides. */
  readonly detail: string;
}

/** Verifies tokens. */
export interface Authenticator {
  /** Verifies the token of a HELLO that came from `address`. Rejects only if verifying itself failed. */
  verify(
    token: string | undefined,
    address: string,
  ): Promise<{ readonly accepted: Identity } | { readonly rejected: Rejection }>;
  /** Returns why a session of this identity may not stay, if so. Cheap enough to ask for every session every second. */
  check(identity: Identity): Rejection | undefined;
}

/** The permissions of a session on the server's own machine, if the server asks for no tokens. */
export const ALL_PERMISSIONS: Permissions = {
  mayDirect: true,
  mayMonitor: true,
  mayAdmin: true,
  mayPublish: () => true,
  maySubscribe: () => true,
  mayRespond: () => true,
};

/** Those of a session on another machine: what the server tells of itself, and being told what to do, is not for all. */
export const REMOTE_PERMISSIONS: Permissions = { ...ALL_PERMISSIONS, mayMonitor: false, mayAdmin: false };
