/**
 * The public keys of another issuer, as a JWK set (RFC 7517) or PEM holds them.
 *
 * @module
 */

import { calculateJwkThumbprint, exportJWK, importJWK, importSPKI, type JWK } from "jose";
import * as v from "valibot";
import { ParleyError } from "../errors.ts";
import { MAX_EXTERNAL_KEYS } from "../limits.ts";

/** A kind of key, and the names of the one algorithm that it is for: the token does not choose. */
interface KeyKind {
  readonly kty: string;
  readonly crv?: string;
  /** `EdDSA` and, since RFC 9864, `Ed25519` are the same. */
  readonly algorithms: readonly [string, ...string[]];
}

const KINDS: readonly KeyKind[] = [
  { kty: "OKP", crv: "Ed25519", algorithms: ["EdDSA", "Ed25519"] },
  { kty: "EC", crv: "P-256", algorithms: ["ES256"] },
  { kty: "RSA", algorithms: ["RS256"] },
];

/** The names that the header of a token may have for its algorithm. */
export const EXTERNAL_ALGORITHMS: readonly string[] = KINDS.flatMap(({ algorithms }) => algorithms);

/** The least size of an RSA key, in bits (RFC 7518). */
const MIN_RSA_BITS = 2048;

/** A key that verifies tokens of another issuer. */
export interface ExternalKey {
  /** Its thumbprint (RFC 7638). */
  readonly id: string;
  /** The key id that tokens name it by, if it has one. */
  readonly kid: string | undefined;
  readonly algorithms: readonly string[];
  readonly key: CryptoKey;
}

const jwk = v.looseObject({ kty: v.string(), kid: v.optional(v.string()), crv: v.optional(v.string()) });
const keySet = v.union([v.object({ keys: v.array(jwk) }), jwk]);

/**
 * Reads public keys: a JWK set, a single JWK, or PEM with one or more `PUBLIC KEY`. Keys of a set that are for something
 * else, such as encryption or another algorithm, are left out, and so are damaged and weak ones if there are good ones.
 *
 * @throws {ParleyError} `bad_argument` if there is no key that can be used, or if one is secret; the message reads on
 * after the name of where the keys are, and quotes nothing of them
 */
export async function parseKeys(text: string): Promise<ExternalKey[]> {
  const keys = text.includes("-----BEGIN") ? await parsePem(text) : await parseJwks(text);
  const unique = [...new Map(keys.map((key) => [`${key.id} ${key.kid}`, key])).values()];
  if (unique.length > MAX_EXTERNAL_KEYS) {
    throw problem(`has ${unique.length} keys, and at most ${MAX_EXTERNAL_KEYS} are accepted`);
  }
  return unique;
}

async function parseJwks(text: string): Promise<ExternalKey[]> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw problem('is neither JSON nor PEM: a JWK set, { "keys": [...] }, or PUBLIC KEYs are expected');
  }
  const result = v.safeParse(keySet, json);
  if (!result.success) throw problem('is no JWK set: { "keys": [{ "kty": ... }, ...] } is expected');
  const all = ("keys" in result.output ? result.output.keys : [result.output]) as JWK[];
  // The private part of any kind, or a symmetric key.
  if (all.some((jwk) => "d" in jwk || "k" in jwk)) throw secret();
  const found: ExternalKey[] = [];
  let unusable: ParleyError | undefined;
  for (const [at, jwk] of all.entries()) {
    const kind = KINDS.find(({ kty, crv }) => jwk.kty === kty && (crv === undefined || jwk.crv === crv));
    if (kind === undefined || !isForTokens(jwk, kind)) continue;
    const key = await readJwk(jwk, kind, at);
    if (key instanceof ParleyError) unusable ??= key;
    else found.push(key);
  }
  if (found.length === 0) {
    throw unusable ?? problem(`has no key for EdDSA (Ed25519), ES256 or RS256 among its ${all.length}`);
  }
  return found;
}

/** Whether nothing of a key says that it is for something else. */
function isForTokens({ use, key_ops, alg }: JWK, { algorithms }: KeyKind): boolean {
  return (use === undefined || use === "sig") &&
    (key_ops === undefined || (Array.isArray(key_ops) && key_ops.includes("verify"))) &&
    (alg === undefined || algorithms.includes(alg));
}

/** Returns why the key cannot be used, if so: the others of its set may be good. */
async function readJwk(
  jwk: JWK,
  { algorithms, kty, crv }: KeyKind,
  at: number,
): Promise<ExternalKey | ParleyError> {
  const { x, y, n, e } = jwk; // nothing else can have a say
  try {
    const imported: unknown = await importJWK({ kty, crv, x, y, n, e }, algorithms[0]);
    const key = imported as CryptoKey; // only symmetric keys are anything else
    return weakness(key) ?? await externalKey(key, jwk.kid, algorithms);
  } catch {
    return problem(`has a key that is damaged: keys[${at}], of type ${kty}`);
  }
}

const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----/g;

async function parsePem(text: string): Promise<ExternalKey[]> {
  const found: ExternalKey[] = [];
  for (const [block, label] of text.matchAll(PEM_BLOCK)) {
    if (label.endsWith("PRIVATE KEY")) throw secret();
    if (label !== "PUBLIC KEY") {
      throw problem(
        `has a ${label}; a PUBLIC KEY is expected, as "openssl pkey -pubout" and "openssl x509 -pubkey" make it`,
      );
    }
    found.push(await readSpki(block));
  }
  if (found.length === 0) throw problem("has no whole PUBLIC KEY");
  return found;
}

async function readSpki(pem: string): Promise<ExternalKey> {
  for (const { algorithms } of KINDS) {
    let key: CryptoKey;
    try {
      key = await importSPKI(pem, algorithms[0]) as CryptoKey;
    } catch {
      continue; // a key of another kind
    }
    const weak = weakness(key);
    if (weak !== undefined) throw weak;
    return await externalKey(key, undefined, algorithms).catch(() => Promise.reject(damaged()));
  }
  throw damaged();
}

function damaged(): ParleyError {
  return problem("has a PUBLIC KEY that is damaged, or none for EdDSA (Ed25519), ES256 or RS256");
}

function weakness(key: CryptoKey): ParleyError | undefined {
  const { modulusLength: bits = MIN_RSA_BITS } = key.algorithm as Partial<RsaKeyAlgorithm>;
  return bits < MIN_RSA_BITS
    ? problem(`has an RSA key of ${bits} bits; at least ${MIN_RSA_BITS} are needed`)
    : undefined;
}

/** Rejects if the key is damaged: Deno imports a point that is not on its curve, and notices when it exports it. */
async function externalKey(
  key: CryptoKey,
  kid: string | undefined,
  algorithms: readonly string[],
): Promise<ExternalKey> {
  return { id: await calculateJwkThumbprint(await exportJWK(key)), kid, algorithms, key };
}

function secret(): ParleyError {
  return problem(
    "holds a private or secret key, which whoever reads it can make tokens with; give the server public keys only, " +
      "and replace that key if others could read it",
  );
}

function problem(message: string): ParleyError {
  return new ParleyError("bad_argument", message);
}
