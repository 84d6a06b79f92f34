/**
 * Tokens: issued to a name with grants and an expiry, and verified when a session begins.
 *
 * A token is a JWT (RFC 7519) signed with Ed25519. What could be chosen by whoever made it is not: algorithm, issuer
 * and audience are fixed, and the key is looked up among our own by its name.
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
import { expired, missing, notValid, notYetValid, type Rejection, revoked } from "./rejections.ts";
import type { IssuedToken, Registry } from "./registry.ts";

/** What a token is asked for. */
export interface TokenRequest extends GrantLists {
  /** The name of its sessions: 1 to 64 characters, no control characters. */
  readonly name: string;
  /** Whole seconds, from 1 to 31,622,400 (366 days). */
  readonly expiresInSeconds: number;
}

/** Somebody whose token is valid. */
export interface Identity {
  /** The token's id, for the log and {@linkcode Tokens.check}. */
  readonly id: string;
  /** The session's name. */
  readonly name: string;
  readonly grants: Grants;
  /** When the session must end, in milliseconds since 1970. */
  readonly expiresAtMs: number;
  /** The id of the key that signed the token. */
  readonly key: string;
}

/** Whether somebody may come in. */
export type Verdict = { readonly identity: Identity } | { readonly rejection: Rejection };

/** Three parts in base64url; jose alone would also take white space. */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

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
 * const verdict = await tokens.verify(token);
 * assert("identity" in verdict && verdict.identity.grants.mayPublish("chat.lobby"));
 *
 * await tokens.revoke(issued.id);
 * assertEquals(tokens.check(verdict.identity)?.told, "token revoked: ask for a new one");
 * ```
 */
export class Tokens {
  readonly #keys: Keys;
  readonly #registry: Registry;
  readonly #now: () => number;
  readonly #uuid: () => string;

  /** `now` is the time in milliseconds since 1970; `uuid` makes the ids of tokens. */
  constructor(parts: { keys: Keys; registry: Registry; now: () => number; uuid: () => string }) {
    this.#keys = parts.keys;
    this.#registry = parts.registry;
    this.#now = parts.now;
    this.#uuid = parts.uuid;
  }

  /**
   * Makes a token and takes it into the registry. This is the only time the token itself is there: it is kept nowhere.
   *
   * @throws {ParleyError} `bad_argument` where the request is outside its ranges, or the token would get too long
   */
  async issue(request: TokenRequest): Promise<{ token: string; issued: IssuedToken }> {
    const { name, publish, subscribe, respond, direct, expiresInSeconds } = request;
    const problem = requestProblem(request);
    if (problem !== undefined) throw new ParleyError("bad_argument", problem);
    const { id: kid, key } = await this.#keys.signing();
    const jti = this.#uuid();
    const iat = Math.floor(this.#now() / 1000);
    const exp = iat + expiresInSeconds;
    const token = await new SignJWT({ grants: { publish, subscribe, respond, direct } })
      .setProtectedHeader({ alg: ALGORITHM, typ: "JWT", kid })
      .setIssuer(ISSUER).setAudience(AUDIENCE).setSubject(name).setJti(jti)
      .setIssuedAt(iat).setNotBefore(iat).setExpirationTime(exp)
      .sign(key);
    if (token.length > MAX_TOKEN_BYTES) {
      const message =
        `the token would have ${token.length} bytes, and at most ${MAX_TOKEN_BYTES} are taken; ` +
        `grant fewer or shorter patterns`;
      throw new ParleyError("bad_argument", message);
    }
    const times = { issuedAtMs: iat * 1000, expiresAtMs: exp * 1000 };
    const issued = { id: jti, name, publish, subscribe, respond, direct, ...times, key: kid };
    await this.#registry.add(issued);
    return { token, issued };
  }

  /**
   * Says whether `token`, as it came in a HELLO, lets its holder in. Costs a signature check, some 100 µs beside the
   * event loop, and a look at the files only where the token or its key is not known yet. Never rejects because of the
   * token, only where those files cannot be read.
   */
  async verify(token: string | undefined): Promise<Verdict> {
    if (token === undefined || token === "") return { rejection: missing() };
    if (token.length > MAX_TOKEN_BYTES) {
      const detail = `it has ${token.length} characters, at most ${MAX_TOKEN_BYTES} are read`;
      return { rejection: notValid(detail) };
    }
    if (!COMPACT.test(token)) return { rejection: notValid("it is not a JWT: three parts joined by dots") };
    let key = "";
    let payload: JWTPayload;
    try {
      ({ payload } = await jwtVerify(token, async ({ kid }) => {
        key = typeof kid === "string" ? kid : "";
        return this.#keys.accepted(key) ?? await this.#newKey(key);
      }, this.#checks()));
    } catch (error) {
      if (error instanceof ParleyError) throw error; // the files, not the token
      return { rejection: this.#refusalOf(error) };
    }
    return await this.#admit(payload, key);
  }

  /**
   * Says why somebody let in before may stay no longer: the token expired or was revoked, or its key is accepted no
   * more. Costs two look-ups, so it can be asked of every session every second.
   */
  check({ id, expiresAtMs, key }: Identity): Rejection | undefined {
    const now = this.#now();
    if (now >= expiresAtMs) return expired(expiresAtMs, now);
    const issued = this.#registry.find(id);
    if (issued === undefined) return notValid("it is not among the issued tokens, or not any more");
    if (issued.revokedAtMs !== undefined) return revoked(issued.revokedAtMs);
    if (this.#keys.accepted(key) === undefined) return notValid("the key that signed it is accepted no more");
    return undefined;
  }

  /**
   * Takes over what other processes did to keys and tokens, and writes down the last uses where that is due; for once
   * a second. Looks at two times of change where nothing happened. Afterwards {@linkcode Tokens.check} the sessions,
   * also where it tells that no file had changed: keys and tokens end by the clock too.
   *
   * Rejects where a file cannot be read or written. What was in it before then stays known, and the other files are
   * dealt with all the same, so check the sessions then as well.
   */
  async refresh(): Promise<boolean> {
    const results = await Promise.allSettled([this.#keys.refresh(), this.#registry.refresh()]);
    await this.#registry.writeUses();
    return results.map((result) => {
      if (result.status === "rejected") throw result.reason;
      return result.value;
    }).includes(true);
  }

  /** Writes down the last uses of tokens; for when the server stops. */
  async close(): Promise<void> {
    await this.#registry.writeUses("now");
  }

  /** Revokes the token whose id begins with `prefix`; see {@linkcode Registry.revoke}. */
  revoke(prefix: string): Promise<IssuedToken> {
    return this.#registry.revoke(prefix);
  }

  /**
   * Makes a new key, and resolves to when the last of those before it is accepted no more, in milliseconds since 1970:
   * after `overlapSeconds`, or once the last token of before has expired, whichever comes first. Where `overlapSeconds`
   * is 0, every token issued until now is worth nothing at once: for keys that others may have seen.
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

  /** A key that another process made since the last refresh. */
  async #newKey(id: string): Promise<CryptoKey> {
    await this.#keys.refresh();
    const key = this.#keys.accepted(id);
    if (key === undefined) throw new errors.JWKSNoMatchingKey();
    return key;
  }

  async #admit(payload: JWTPayload, key: string): Promise<Verdict> {
    const read = readClaims(payload);
    if ("problem" in read) return { rejection: notValid(read.problem) };
    const { sub: name, jti: id, exp, grants } = read.claims;
    // Issued a moment ago by another process, perhaps: the signature held, so this is not for strangers to cause.
    if (this.#registry.find(id) === undefined) await this.#registry.refresh();
    const identity = { id, name, grants: new Grants(grants), expiresAtMs: exp * 1000, key };
    // Also the expiry, to the moment: jose allows it the tolerance that is meant for the beginning.
    const rejection = this.check(identity);
    if (rejection !== undefined) return { rejection };
    this.#registry.used(id);
    return { identity };
  }

  /** Why jose did not take a token. Only where it looked at the claims had the signature held. */
  #refusalOf(error: unknown): Rejection {
    const now = this.#now();
    if (error instanceof errors.JWKSNoMatchingKey) {
      return notValid("no key of its name is accepted: rotated out, or another server's");
    }
    if (error instanceof errors.JWTExpired) return expired(Number(error.payload.exp) * 1000, now);
    if (error instanceof errors.JWTClaimValidationFailed) {
      const { claim, reason, payload } = error;
      if (claim === "nbf" && reason === "check_failed") return notYetValid(Number(payload.nbf) * 1000, now);
      return notValid(reason === "missing" ? `it lacks ${claim}` : `its ${claim} is not as it must be`);
    }
    if (error instanceof errors.JWSSignatureVerificationFailed) return notValid("its signature is wrong");
    if (error instanceof errors.JOSEAlgNotAllowed) return notValid(`it is not signed with ${ALGORITHM}`);
    if (error instanceof errors.JOSEError) return notValid("it is not a JWT, or not one of this kind");
    // Nothing else is known to be thrown; whatever it is, it does not let anybody in.
    return notValid(`checking it failed with ${error instanceof Error ? error.name : "no error"}`);
  }
}

/** Says what is wrong with a request, or nothing. */
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
