/**
 * Tokens that another program than the server issues, such as the backend of a web application: verified by its public
 * keys, with the grants in a claim `parley`.
 *
 * The token has no influence on how it is verified: issuer and audience are fixed, its key id only selects one of that
 * issuer's keys, and the key determines the algorithm. Keys or addresses of keys in its header are ignored.
 *
 * @module
 */

import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from "jose";
import { MAX_KEYS_TRIED, NOT_BEFORE_TOLERANCE_SECONDS } from "../limits.ts";
import { readExternalClaims, REQUIRED_EXTERNAL_CLAIMS } from "./external_claims.ts";
import { EXTERNAL_ALGORITHMS, type ExternalKey } from "./external_keys.ts";
import { Grants } from "./grants.ts";
import type { KeySource } from "./key_source.ts";
import { expired, explainFailure, notValid, type Rejection, revoked } from "./rejections.ts";
import type { Revocations } from "./revocations.ts";
import type { ExternalVerifier } from "./service.ts";
import type { TokenVerifier } from "./token_authenticator.ts";
import type { Decision, Identity } from "./tokens.ts";
import { type OtherTokens, TwoIssuers } from "./two_issuers.ts";

/** What is required of tokens of another issuer. */
export interface ExternalIssuer {
  /** Their `iss`. */
  readonly issuer: string;
  /** Their `aud`, or one of those. */
  readonly audience: string;
  /** How far ahead they may expire, in seconds. */
  readonly maxLifetimeSeconds: number;
}

/** The id of a token that has none. It cannot be revoked. */
const NO_ID = "";

/** Verifies the tokens of one other issuer. */
export class ExternalTokens implements OtherTokens, ExternalVerifier {
  readonly #issuer: ExternalIssuer;
  readonly #sources: readonly KeySource[];
  readonly #revocations: Revocations;
  readonly #now: () => number;

  /** @param parts `now` is the time in milliseconds since 1970 */
  constructor(
    issuer: ExternalIssuer,
    parts: {
      readonly sources: readonly KeySource[];
      readonly revocations: Revocations;
      readonly now: () => number;
    },
  ) {
    this.#issuer = issuer;
    this.#sources = parts.sources;
    this.#revocations = parts.revocations;
    this.#now = parts.now;
  }

  /**
   * What begins the subject of each of these tokens: their producers and consumers are never those of a token that this
   * server has issued, even if both have one name.
   */
  get subjectPrefix(): string {
    return `${this.#issuer.issuer}#`;
  }

  /** Verifies these tokens, and by `own` those of this server. */
  beside(own: TokenVerifier): TokenVerifier {
    return new TwoIssuers(own, this);
  }

  /** How many keys are known. */
  get keys(): number {
    return this.#sources.reduce((sum, { keys }) => sum + keys.length, 0);
  }

  /** Whether `token`, three parts joined by dots, says that it is of this issuer. That is not yet verified. */
  concerns(token: string): boolean {
    try {
      return decodeJwt(token).iss === this.#issuer.issuer;
    } catch {
      return false;
    }
  }

  /** Reads keys and revoked ids for the first time. Rejects if a file cannot be read, but not if a URL cannot. */
  async open(): Promise<void> {
    await Promise.all([this.#revocations.refresh(), ...this.#sources.map((source) => source.open())]);
  }

  /**
   * Reads what has changed. Call it about once a second: if nothing has, it costs a file stat for the revoked ids and one
   * for each file of keys. Rejects only if the revoked ids cannot be read; those that were known stay in force.
   */
  async refresh(): Promise<void> {
    for (const source of this.#sources) source.refresh();
    await this.#revocations.refresh();
  }

  /** Reads and fetches all keys now. Never rejects. */
  async fetchKeys(): Promise<void> {
    await Promise.all(this.#sources.map((source) => source.reload()));
  }

  /** Ends what is being fetched. */
  async close(): Promise<void> {
    await Promise.all(this.#sources.map((source) => source.close()));
  }

  /** Verifies a token that {@linkcode ExternalTokens.concerns} this issuer. Costs a signature check. */
  async verify(token: string): Promise<Decision> {
    let payload: JWTPayload | undefined;
    let used: ExternalKey | undefined;
    try {
      const { alg, kid } = headerOf(token);
      if (!EXTERNAL_ALGORITHMS.some((known) => known === alg)) throw new errors.JOSEAlgNotAllowed();
      for (used of await this.#candidates(alg!, kid)) {
        payload = await this.#payload(token, used);
        if (payload !== undefined) break;
      }
      if (payload === undefined) throw new errors.JWSSignatureVerificationFailed();
    } catch (error) {
      if (error instanceof TooManyKeys) return { rejected: notValid(error.message) };
      return { rejected: explainFailure(error, this.#now(), "EdDSA, ES256 or RS256") };
    }
    return this.#authorize(payload, used!);
  }

  /** Says why an accepted session may not stay, or returns undefined. Costs a look at each key and one map look-up. */
  check({ id, expiresAtMs, key }: Identity): Rejection | undefined {
    const now = this.#now();
    if (now >= expiresAtMs) return expired(expiresAtMs, now);
    const revokedAtMs = this.#revocations.find(id);
    if (revokedAtMs !== undefined) return revoked(revokedAtMs);
    if (!this.#sources.some(({ keys }) => keys.some(({ id }) => id === key))) {
      return notValid("its signing key is no longer accepted");
    }
    return undefined;
  }

  /** The keys that the token may be signed with. */
  async #candidates(alg: string, kid: unknown): Promise<readonly ExternalKey[]> {
    if (kid !== undefined) {
      if (!this.#named(alg, kid).length) await Promise.all(this.#sources.map((source) => source.refetch()));
      const named = this.#named(alg, kid);
      if (named.length > 0) return named;
    }
    // A key in PEM has no id, and the token may have one all the same.
    const found = this.#all().filter(({ algorithms, kid: own }) =>
      algorithms.includes(alg) && (kid === undefined || own === undefined)
    );
    if (found.length === 0) throw new errors.JWKSNoMatchingKey();
    if (found.length > MAX_KEYS_TRIED) throw new TooManyKeys(found.length);
    return found;
  }

  #named(alg: string, kid: unknown): ExternalKey[] {
    return this.#all().filter((key) => key.kid === kid && key.algorithms.includes(alg));
  }

  #all(): readonly ExternalKey[] {
    return this.#sources.flatMap(({ keys }) => keys);
  }

  /** The claims, if the token is signed with this key. */
  async #payload(token: string, { key, algorithms }: ExternalKey): Promise<JWTPayload | undefined> {
    const { issuer, audience } = this.#issuer;
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: [...algorithms],
        issuer,
        audience,
        requiredClaims: REQUIRED_EXTERNAL_CLAIMS,
        clockTolerance: NOT_BEFORE_TOLERANCE_SECONDS,
        currentDate: new Date(this.#now()),
      });
      return payload;
    } catch (error) {
      if (error instanceof errors.JWSSignatureVerificationFailed) return undefined;
      throw error;
    }
  }

  /** Decides on a token whose signature is valid. */
  #authorize(payload: JWTPayload, { id: key }: ExternalKey): Decision {
    const read = readExternalClaims(payload);
    if ("problem" in read) return { rejected: notValid(read.problem) };
    const { sub: name, jti: id = NO_ID, exp, parley } = read.claims;
    const { issuer, maxLifetimeSeconds } = this.#issuer;
    const identity: Identity = {
      id,
      name,
      subject: this.subjectPrefix + name,
      grants: new Grants(parley),
      expiresAtMs: exp * 1000,
      key,
      issuer,
    };
    // Checks the expiry exactly: jose allows it the tolerance that is meant for `nbf` alone.
    const rejected = this.check(identity);
    if (rejected !== undefined) return { rejected };
    const aheadSeconds = exp - this.#now() / 1000;
    if (aheadSeconds > maxLifetimeSeconds + NOT_BEFORE_TOLERANCE_SECONDS) {
      const detail = `it expires in ${
        Math.ceil(aheadSeconds)
      } s, and at most ${maxLifetimeSeconds} s are allowed`;
      return { rejected: notValid(detail) };
    }
    return { accepted: identity };
  }
}

function headerOf(token: string): ReturnType<typeof decodeProtectedHeader> {
  try {
    return decodeProtectedHeader(token);
  } catch (cause) {
    throw new errors.JWTInvalid(undefined, { cause });
  }
}

/** The token names no key, and more fit than are tried. */
class TooManyKeys extends Error {
  constructor(keys: number) {
    super(
      `it names no key id that is known, and ${keys} keys fit, of which at most ${MAX_KEYS_TRIED} are tried`,
    );
  }
}
