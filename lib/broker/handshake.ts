/**
 * How a session begins: HELLO is read, the client is accepted or rejected.
 *
 * @module
 */

import { Deadline } from "../deadline.ts";
import type { ErrorCode } from "../errors.ts";
import { decodeControl, PROTOCOL } from "../wire/control.ts";
import {
  ALL_PERMISSIONS,
  type Authenticator,
  type Identity,
  type Permissions,
  REMOTE_PERMISSIONS,
} from "./authenticator.ts";
import type { Remote } from "./context.ts";

/** A client that is accepted. */
export interface AcceptedClient {
  /** Its name; without one the session makes one up. */
  readonly name: string | undefined;
  readonly permissions: Permissions;
  /** The identity that its token proves, if the server asks for tokens. */
  readonly identity?: Identity;
}

/** A client that is not accepted. */
export interface RejectedClient {
  readonly code: ErrorCode;
  /** For the client. */
  readonly message: string;
  /** For the log, if that says more. */
  readonly detail?: string;
  /** Whether it gave a token that is not valid. */
  readonly isTokenRejected?: boolean;
}

/** Decides on the HELLO of one connection. */
export class Handshake {
  readonly #authenticator: Authenticator | undefined;
  readonly #remote: Pick<Remote, "address" | "isLocal">;
  readonly #failed: (error: unknown) => void;
  readonly #deadline: Deadline;
  #result: AcceptedClient | RejectedClient | undefined;
  #isVerifying = false;

  /**
   * @param authenticator without one every client is accepted
   * @param withinMs how long a whole HELLO may take; then `late` is called
   * @param failed is told why a token could not be verified
   */
  constructor(
    authenticator: Authenticator | undefined,
    remote: Pick<Remote, "address" | "isLocal">,
    withinMs: number,
    { late, failed }: { late: () => void; failed: (error: unknown) => void },
  ) {
    this.#authenticator = authenticator;
    this.#remote = remote;
    this.#failed = failed;
    this.#deadline = new Deadline(withinMs, late);
  }

  /**
   * Decides on the HELLO `bytes[from, to)`. Returns nothing while the token is being verified: then it calls `decided`,
   * and is to be asked again with the same bytes.
   */
  decide(
    bytes: Uint8Array,
    from: number,
    to: number,
    decided: () => void,
  ): AcceptedClient | RejectedClient | undefined {
    if (this.#isVerifying || this.#result !== undefined) return this.#result;
    const decoded = decodeControl("HELLO", bytes, from, to);
    if ("problem" in decoded) return { code: "bad_hello", message: decoded.problem };
    const { protocol, name, token } = decoded.value;
    if (protocol !== PROTOCOL) {
      return { code: "unsupported_protocol", message: `this server speaks ${PROTOCOL}` };
    }
    if (this.#authenticator === undefined) {
      return { name, permissions: this.#remote.isLocal ? ALL_PERMISSIONS : REMOTE_PERMISSIONS };
    }
    this.#isVerifying = true;
    this.#verify(this.#authenticator, token).then(decided, this.#failed);
    return undefined;
  }

  /** The handshake is over. */
  stop(): void {
    this.#deadline.stop();
  }

  async #verify(authenticator: Authenticator, token: string | undefined): Promise<void> {
    const result = await authenticator.verify(token, this.#remote.address);
    this.#isVerifying = false;
    if ("rejected" in result) {
      const isTokenRejected = token !== undefined && token !== "";
      this.#result = { code: "unauthorized", ...result.rejected, isTokenRejected };
    } else {
      const { name, grants } = result.accepted;
      this.#result = { name, permissions: grants, identity: result.accepted };
    }
  }
}
