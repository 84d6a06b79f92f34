/**
 * How a session begins: a HELLO is read and judged, a WELCOME is written.
 *
 * @module
 */

import type { ErrorCode } from "../errors.ts";
import type { Limits } from "../limits.ts";
import { decodeControl, PROTOCOL, type Welcome } from "../wire/control.ts";
import { ALL_PERMISSIONS, type Authenticator, type Identity, type Permissions } from "./authenticator.ts";

/** Somebody who may come in. */
export interface AcceptedClient {
  /** The name it goes by; without one the session makes one up. */
  readonly name: string | undefined;
  readonly permissions: Permissions;
  /** What it came in with, where there is a door. */
  readonly identity?: Identity;
}

/** Somebody who may not. */
export interface RejectedClient {
  readonly code: ErrorCode;
  /** For the client. */
  readonly message: string;
  /** For the log, where that says more. */
  readonly detail?: string;
}

/** Judges the HELLO of one connection. */
export class Handshake {
  readonly #authenticator: Authenticator | undefined;
  readonly #address: string;
  readonly #failed: (error: unknown) => void;
  #verdict: AcceptedClient | RejectedClient | undefined;
  #judging = false;

  /** Without a door everybody may come in. `failed` hears of a door that could not judge. */
  constructor(authenticator: Authenticator | undefined, address: string, failed: (error: unknown) => void) {
    this.#authenticator = authenticator;
    this.#address = address;
    this.#failed = failed;
  }

  /**
   * Judges the HELLO `bytes[from, to)`. Where that takes a moment it gives nothing, and calls `judged` when it is to be
   * asked again with the same bytes.
   */
  judge(
    bytes: Uint8Array,
    from: number,
    to: number,
    judged: () => void,
  ): AcceptedClient | RejectedClient | undefined {
    if (this.#judging || this.#verdict !== undefined) return this.#verdict;
    const decoded = decodeControl("HELLO", bytes, from, to);
    if ("problem" in decoded) return { code: "bad_hello", message: decoded.problem };
    const { protocol, name, token } = decoded.value;
    if (protocol !== PROTOCOL) {
      return { code: "unsupported_protocol", message: `this server speaks ${PROTOCOL}` };
    }
    if (this.#authenticator === undefined) return { name, permissions: ALL_PERMISSIONS };
    this.#judging = true;
    this.#ask(this.#authenticator, token).then(judged, this.#failed);
    return undefined;
  }

  async #ask(authenticator: Authenticator, token: string | undefined): Promise<void> {
    const verdict = await authenticator.verify(token, this.#address);
    this.#judging = false;
    if ("rejected" in verdict) {
      const { message, detail } = verdict.rejected;
      this.#verdict = { code: "unauthorized", message, detail };
    } else {
      const identity = verdict.accepted;
      this.#verdict = { name: identity.name, permissions: identity.grants, identity };
    }
  }
}

/** What the server says to somebody it let in. */
export function welcome(
  session: { readonly uuid: string; readonly number: number; readonly name: string },
  server: Welcome["server"],
  limits: Limits,
): Welcome {
  const { uuid, number, name } = session;
  return {
    session: uuid,
    number,
    name,
    message: `Welcome, ${name}. You are session ${number} here; say parley and be heard.`,
    server,
    limits: { payload: limits.payloadBytes, channels: limits.channels, pending: limits.pendingBytes },
    heartbeat: limits.heartbeatSeconds,
  };
}
