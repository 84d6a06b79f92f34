/**
 * Tokens: issued to a name with grants and an expiry, and verified when a session begins.
 *
 * A token is a JWT (RFC 7519) signed with Ed25519. The token has no influence on how it is verified: algorithm, issuer
 * and audience are fixed, and its key id only selects one of this server's own keys.
 *
 * @module
 */

import { errors, type JWTPayload, jwtVerify, type JWTVerifyOptions, SignJWT } from "jose";
import {
  MAX_NAME_LENGTH,
  MAX_TOKEN_BYTES,
  MAX_TOKEN_SECONDS,
  NOT_BEFORE_TOLERANCE_SECONDS,
} from "../limits.ts";
import { ParleyError } from "../errors.ts";
import { AUDIENCE, isName, ISSUER, readClaims, REQUIRED_CLAIMS } from "./claims.ts";
import { type GrantLists, Grants, grantsProblem } from "./grants.ts";
import { ALGORITHM, type Keys } from "./keys.ts";
import { expired, explainFailure, missing, notValid, type Rejection, revoked } from "./rejections.ts";
import type { IssuedToken, Registry } from "./registry.ts";

/** What a token is to be issued for. */
export interface TokenRequest extends GrantLists {
  /** The name of its sessions: 1 to 64 characters, no control characters. */
  readonly name: string;
  /** Whole seconds, from 1 to 31,622,400 (366 days). */
  readonly expiresInSeconds: number;
}

/** The holder of a valid token. */
export interface Identity {
  /** The token's id, for the log and {@linkcode Tokens.check}; empty if it has none. */
  readonly id: string;
  /** The session's name. */
  readonly name: string;
  /** Whose its producers and consumers are: the name, unless another program than the server issued the token. */
  readonly subject: string;
  readonly grants: Grants;
  /** When the session must end, in milliseconds since 1970. */
  readonly expiresAtMs: number;
  /** The id of the key that signed the token. */
  readonly key: string;
  /** Who issued it, unless this server did. */
  readonly issuer?: string;
}

/** The result of verifying a token. */
export type Decision = { readonly accepted: Identity } | { readonly rejected: Rejection };

/** Three parts in base64url. jose alone would also accept white space. */
export const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * Issues and verifies tokens.
 *
 * @example
 * ```ts
 * import { assert, assertEquals } from "@std/assert";
 * import { Keys } from "./keys.ts";
 * import { Registry } from "./registry.ts";
 * import { MemoryStorage } from "../state/storage.ts";
 * import { Tokens } from "./tokens.ts";
 *
 * const storage = new MemoryStorage();
 * const tokens = new Tokens({
 *   keys: new Keys(storage, Date.now),
 *   registry: new Registry(storage, Date.now),
 *   now: Date.now,
 *   uuid: () => crypto.randomUUID(),
 * });
 * const grants = { publish: ["chat.>"], subscribe: ["chat.>"], respond: [], direct: false };
 * const { token, issued } = await tokens.issue({ name: "Ada", ...grants, expiresInSeconds: 3600 });
 * const decision = await tokens.verify(token);
 * assert("accepted" in decision && decision.accepted.grants.mayPublish("chat.lobby"));
 *
 * await tokens.revoke(issued.id);
 * assertEquals(tokens.check(decision.accepted)?.message, "token revoked: ask for a new one");
 * ```
 */
export class Tokens {
  readonly #keys: Keys;
  readonly #registry: Registry;
  readonly #now: () => number;
  readonly #uuid: () => string;

  /** `now` is the time in milliseconds since 1970; `uuid` makes token ids. */
  constructor(parts: { keys: Keys; registry: Registry; now: () => number; uuid: () => string }) {
    this.#keys = parts.keys;
    this.#registry = parts.registry;
    this.#now = parts.now;
    this.#uuid = parts.uuid;
  }

  /**
   * Issues a token and adds it to the registry. The token itself is not stored: this call is the only way to get it.
   *
   * @throws {ParleyError} `bad_argument` if a value of the request is out of range, or the token would be too long
   */
  async issue(request: TokenRequest): Promise<{ token: string; issued: IssuedToken }> {
    const { name, publish, subscribe, respond, direct, expiresInSeconds } = request;
    // Named only if they are granted, so that other tokens are no longer than they were.
    const server = { ...request.monitor && { monitor: true }, ...request.admin && { admin: true } };
    const grants: GrantLists = { publish, subscribe, respond, direct, ...server };
    const problem = requestProblem(request);
    if (problem !== undefined) throw new ParleyError("bad_argument", problem);
    const { id: kid, key } = await this.#keys.signing();
    const jti = this.#uuid();
    const iat = Math.floor(this.#now() / 1000);
    const exp = iat + expiresInSeconds;
    const token = await new SignJWT({ grants })
      .setProtectedHeader({ alg: ALGORITHM, typ: "JWT", kid })
      .setIssuer(ISSUER).setAudience(AUDIENCE).setSubject(name).setJti(jti)
      .setIssuedAt(iat).setNotBefore(iat).setExpirationTime(exp)
      .sign(key);
    if (token.length > MAX_TOKEN_BYTES) {
      const message =
        `the token would have ${token.length} bytes, and at most ${MAX_TOKEN_BYTES} are accepted; ` +
        `grant fewer or shorter patterns`;
      throw new ParleyError("bad_argument", message);
    }
    const times = { issuedAtMs: iat * 1000, expiresAtMs: exp * 1000 };
    const issued = { id: jti, name, ...grants, ...times, key: kid };
    await this.#registry.add(issued);
    return { token, issued };
  }

  /**
   * Verifies the token of a HELLO. Costs a signature check, about 100 µs outside the event loop; reads the files only
   * if the token or its key is not known yet. The promise rejects only if those files cannot be read, whatever the
   * token.
   */
  async verify(token: string | undefined): Promise<Decision> {
    if (token === undefined || token === "") return { rejected: missing() };
    if (token.length > MAX_TOKEN_BYTES) {
      const detail = `it has ${token.length} characters, at most ${MAX_TOKEN_BYTES} are accepted`;
      return { rejected: notValid(detail) };
    }
    if (!COMPACT.test(token)) return { rejected: notValid("it is not a JWT: three parts joined by dots") };
    let key = "";
    let payload: JWTPayload;
    try {
      ({ payload } = await jwtVerify(token, async ({ kid }) => {
        key = typeof kid === "string" ? kid : "";
        return this.#keys.accepted(key) ?? await this.#newKey(key);
      }, this.#checks()));
    } catch (error) {
      if (error instanceof ParleyError) throw error; // from the files, not about the token
      return { rejected: explainFailure(error, this.#now(), ALGORITHM) };
    }
    return await this.#authorize(payload, key);
  }

  /**
   * Says why an accepted session may not stay: its token expired or was revoked, or the key is no longer accepted.
   * Returns undefined if it may stay. Costs two map look-ups, so it can be called for every session every second.
   */
  check({ id, expiresAtMs, key }: Identity): Rejection | undefined {
    const now = this.#now();
    if (now >= expiresAtMs) return expired(expiresAtMs, now);
    const issued = this.#registry.find(id);
    if (issued === undefined) return notValid("it is not in the list of issued tokens");
    if (issued.revokedAtMs !== undefined) return revoked(issued.revokedAtMs);
    if (this.#keys.accepted(key) === undefined) return notValid("its signing key is no longer accepted");
    return undefined;
  }

  /**
   * Reads what other processes changed. Call it about once a second: if nothing has changed it costs two file stats.
   * Resolves to whether a file had changed. {@linkcode Tokens.check} every session afterwards in any case, because tokens
   * and keys also expire.
   *
   * Rejects if a file cannot be read. The other file is still handled, and the last content of the broken one stays in
   * force, so check the sessions then as well.
   */
  async refresh(): Promise<boolean> {
    const results = await Promise.allSettled([this.#keys.refresh(), this.#registry.refresh()]);
    return results.map((result) => {
      if (result.status === "rejected") throw result.reason;
      return result.value;
    }).includes(true);
  }

  /** How many tokens have a last use that is not written yet. */
  get unwrittenUses(): number {
    return this.#registry.unwrittenUses;
  }

  /** Writes the last uses of tokens if that is due; see {@linkcode Registry.writeUses}. */
  writeUses(signal?: AbortSignal): Promise<boolean> {
    return this.#registry.writeUses("when due", signal);
  }

  /** Writes the last uses of tokens. Call it when the server stops. */
  async close(signal?: AbortSignal): Promise<void> {
    await this.#registry.writeUses("now", signal);
  }

  /** Revokes the token whose id begins with `prefix`; see {@linkcode Registry.revoke}. */
  revoke(prefix: string): Promise<IssuedToken> {
    return this.#registry.revoke(prefix);
  }

  /**
   * Makes a new signing key. Earlier keys are accepted for `overlapSeconds` more, or until the last unrevoked token has
   * expired if that is sooner; resolves to that time, in milliseconds since 1970. With 0 seconds every token issued so
   * far becomes invalid at once: use this if a key may have leaked.
   *
   * @throws {ParleyError} `bad_argument` if `overlapSeconds` is not a whole number from 0 to 31,622,400 (366 days)
   */
  async rotate(overlapSeconds: number): Promise<number> {
    if (!Number.isInteger(overlapSeconds) || overlapSeconds < 0 || overlapSeconds > MAX_TOKEN_SECONDS) {
      const message =
        `an overlap must be from 0 to ${MAX_TOKEN_SECONDS} whole seconds, not ${overlapSeconds}`;
      throw new ParleyError("bad_argument", message);
    }
    const now = this.#now();
    const valid = (await this.#registry.list()).filter(({ revokedAtMs }) => revokedAtMs === undefined);
    const lastMs = valid.reduce((latest, { expiresAtMs }) => Math.max(latest, expiresAtMs), now);
    const untilMs = Math.min(now + overlapSeconds * 1000, lastMs);
    await this.#keys.rotate(untilMs);
    return untilMs;
  }

  #checks(): JWTVerifyOptions {
    return {
      algorithms: [ALGORITHM],
      typ: "JWT",
      issuer: ISSUER,
      audience: AUDIENCE,
      requiredClaims: REQUIRED_CLAIMS,
      clockTolerance: NOT_BEFORE_TOLERANCE_SECONDS,
      currentDate: new Date(this.#now()),
    };
  }

  /** The key with this id, if another process has made it since the last refresh. */
  async #newKey(id: string): Promise<CryptoKey> {
    await this.#keys.refresh();
    const key = this.#keys.accepted(id);
    if (key === undefined) throw new errors.JWKSNoMatchingKey();
    return key;
  }

  /** Decides on a token whose signature is valid. */
  async #authorize(payload: JWTPayload, key: string): Promise<Decision> {
    const read = readClaims(payload);
    if ("problem" in read) return { rejected: notValid(read.problem) };
    const { sub: name, jti: id, exp, grants } = read.claims;
    // Another process may have just issued it. Only holders of a valid signature can cause this read.
    if (this.#registry.find(id) === undefined) await this.#registry.refresh();
    const identity = { id, name, subject: name, grants: new Grants(grants), expiresAtMs: exp * 1000, key };
    // Checks the expiry exactly: jose allows it the tolerance that is meant for `nbf` alone.
    const rejected = this.check(identity);
    if (rejected !== undefined) return { rejected };
    this.#registry.recordUse(id);
    return { accepted: identity };
  }
}

/** Says what is wrong with a request, or returns undefined. */
function requestProblem(
  { name, publish, subscribe, respond, expiresInSeconds }: TokenRequest,
): string | undefined {
  if (!isName(name)) {
    return `a name has 1 to ${MAX_NAME_LENGTH} characters and no control characters, not ${
      JSON.stringify(name)
    }`;
  }
  if (!Number.isInteger(expiresInSeconds) || expiresInSeconds < 1 || expiresInSeconds > MAX_TOKEN_SECONDS) {
    const days = MAX_TOKEN_SECONDS / 86_400;
    return `a token expires in 1 second to ${days} days, not in ${expiresInSeconds} seconds`;
  }
  return grantsProblem(publish) ?? grantsProblem(subscribe) ?? grantsProblem(respond);
}
