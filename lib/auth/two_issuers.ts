/**
 * Verifies tokens of this server and of one other issuer.
 *
 * @module
 */

import { MAX_TOKEN_BYTES } from "../limits.ts";
import { notValid, type Rejection } from "./rejections.ts";
import type { TokenVerifier } from "./token_authenticator.ts";
import { COMPACT, type Decision, type Identity } from "./tokens.ts";

/** What {@linkcode TwoIssuers} needs of the other issuer's tokens; see `ExternalTokens`. */
export interface OtherTokens {
  /** What begins the subject of each of them. */
  readonly subjectPrefix: string;
  /** Whether `token`, three parts joined by dots, says that it is one of them. */
  concerns(token: string): boolean;
  /** Verifies a token that it concerns. */
  verify(token: string): Promise<Decision>;
  /** Says why an accepted session may not stay, or returns undefined. */
  check(identity: Identity): Rejection | undefined;
}

/**
 * Verifies each token as its issuer requires. What the token says of its issuer chooses only between two verifications,
 * each of which has keys of its own and requires that issuer.
 */
export class TwoIssuers implements TokenVerifier {
  readonly #own: TokenVerifier;
  readonly #other: OtherTokens;

  constructor(own: TokenVerifier, other: OtherTokens) {
    this.#own = own;
    this.#other = other;
  }

  async verify(token: string | undefined): Promise<Decision> {
    const isJwt = token !== undefined && token.length <= MAX_TOKEN_BYTES && COMPACT.test(token);
    if (isJwt && this.#other.concerns(token)) return await this.#other.verify(token);
    const decision = await this.#own.verify(token); // which also says what is wrong with what is no JWT
    if ("rejected" in decision || !decision.accepted.name.startsWith(this.#other.subjectPrefix)) {
      return decision;
    }
    // Its producers and consumers would be those of a token of the other issuer.
    return { rejected: notValid("its name begins as the subjects of the other issuer do") };
  }

  check(identity: Identity): Rejection | undefined {
    return (identity.issuer === undefined ? this.#own : this.#other).check(identity);
  }
}
