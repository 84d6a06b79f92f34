/**
 * Another issuer of tokens, for tests: its keys, its tokens, and where a server finds its public keys.
 *
 * @module
 */

import { exportJWK, generateKeyPair, type JWK, type JWTHeaderParameters, SignJWT } from "jose";
import { type ExternalKey, parseKeys } from "../../lib/auth/external_keys.ts";
import { ExternalTokens } from "../../lib/auth/external_tokens.ts";
import type { KeySource } from "../../lib/auth/key_source.ts";
import { Revocations } from "../../lib/auth/revocations.ts";
import { MemoryStorage } from "../../lib/state/storage.ts";
import { Clock, DAY_SECONDS } from "./fixtures.ts";

/** The issuer of every token of these fixtures. */
export const ISSUER = "https://app.example";
/** The audience of every token of these fixtures. */
export const AUDIENCE = "parley.app.example";

/** The grants of every token, unless a test gives others. */
export const GRANTS = { publish: ["chat.>"], subscribe: ["chat.>"] };

/** A key pair of the issuer. */
export interface IssuerKey {
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  /** The public key, with key id and use, as a JWK set has it. */
  readonly jwk: JWK & { kid: string };
}

/** Makes a key pair for `alg`, with the key id `kid`. */
export async function makeIssuerKey(alg: string, kid: string = `key-${alg}`): Promise<IssuerKey> {
  const pair = await generateKeyPair(alg, { extractable: true });
  const [privateKey, publicKey] = [pair.privateKey as CryptoKey, pair.publicKey as CryptoKey];
  return { alg, privateKey, publicKey, jwk: { ...await exportJWK(publicKey), kid, use: "sig" } };
}

/** The text of a JWK set. */
export function jwksOf(...keys: readonly { readonly jwk: JWK }[]): string {
  return JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });
}

/**
 * Signs a token of the issuer that is valid from `nowSeconds` for ten minutes, with `claims` and `header` changed;
 * undefined removes what is there.
 */
export function signToken(
  { alg, privateKey, jwk: { kid } }: IssuerKey,
  nowSeconds: number,
  claims: object = {},
  header: object = {},
): Promise<string> {
  const all = {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: "Ada",
    jti: "login-77",
    iat: nowSeconds,
    exp: nowSeconds + 600,
    parley: GRANTS,
    ...claims,
  };
  return new SignJWT(all)
    .setProtectedHeader({ alg, kid, ...header } as JWTHeaderParameters)
    .sign(privateKey);
}

/** Keys that a test replaces. */
export class FakeKeys implements KeySource {
  readonly from = "a test";
  keys: readonly ExternalKey[] = [];
  refetches = 0;

  async set(text: string): Promise<void> {
    this.keys = await parseKeys(text);
  }

  refetch(): Promise<void> {
    this.refetches++;
    return Promise.resolve();
  }

  open = () => Promise.resolve();
  refresh = () => Promise.resolve();
  reload = () => Promise.resolve();
  close = () => Promise.resolve();
}

/** A server that accepts tokens signed with `keys`, by a clock of the test. */
export async function makeExternal(...keys: readonly IssuerKey[]) {
  const clock = new Clock();
  const revocations = new Revocations(new MemoryStorage(), clock.now);
  const source = new FakeKeys();
  if (keys.length > 0) await source.set(jwksOf(...keys));
  const tokens = new ExternalTokens(
    { issuer: ISSUER, audience: AUDIENCE, maxLifetimeSeconds: DAY_SECONDS },
    { sources: [source], revocations, now: clock.now },
  );
  const nowSeconds = () => clock.ms / 1000;
  const sign = (claims: object = {}, header: object = {}, key: IssuerKey = keys[0]) =>
    signToken(key, nowSeconds(), claims, header);
  return { clock, revocations, source, tokens, sign, nowSeconds };
}
