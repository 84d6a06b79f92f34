/**
 * The keys that sign tokens: one that signs, and those before it that are still accepted for a while.
 *
 * @module
 */

import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK } from "jose";
import * as v from "valibot";
import { parseFile, type Storage } from "../state/storage.ts";
import { WatchedFile } from "../state/watched_file.ts";

/** The one algorithm: short keys and signatures, and no parameters to get wrong (RFC 8037). */
export const ALGORITHM = "EdDSA";

/** The name of the file. */
const FILE = "signing-keys.json";

/** Characters of the key's thumbprint (RFC 7638) that name it: 96 bits, which nobody meets twice by chance. */
const ID_LENGTH = 16;

const time = v.pipe(v.number(), v.minValue(0), v.maxValue(8.64e15));
const publicJwk = { kty: v.literal("OKP"), crv: v.literal("Ed25519"), x: v.string() };
const schema = v.object({
  version: v.literal(1),
  signing: v.optional(
    v.object({ id: v.string(), madeAtMs: time, jwk: v.object({ ...publicJwk, d: v.string() }) }),
  ),
  retired: v.array(v.object({ id: v.string(), acceptedUntilMs: time, jwk: v.object(publicJwk) })),
});
type KeyFile = v.InferOutput<typeof schema>;

const NONE: KeyFile = { version: 1, retired: [] };

interface AcceptedKey {
  readonly key: CryptoKey;
  /** In milliseconds since 1970; infinite for the key that signs. */
  readonly untilMs: number;
}

/** A key to sign with, and the name of it that goes into the token's header. */
export interface SigningKey {
  readonly id: string;
  readonly key: CryptoKey;
}

/**
 * The signing keys of one storage. Private keys are read when something is to be signed and not kept; public keys are
 * kept as of the last {@linkcode Keys.refresh}.
 *
 * @example
 * ```ts
 * import { assert, assertEquals } from "@std/assert";
 * import { Keys } from "./keys.ts";
 * import { MemoryStorage } from "../state/storage.ts";
 *
 * const keys = new Keys(new MemoryStorage(), Date.now);
 * const first = await keys.signing(); // made now
 * await keys.rotate(Date.now() + 60_000);
 * assert((await keys.signing()).id !== first.id);
 * assert(keys.accepted(first.id) !== undefined); // for a minute
 * assertEquals(keys.accepted("another"), undefined);
 * ```
 */
export class Keys {
  readonly #storage: Storage;
  readonly #now: () => number;
  readonly #accepted: WatchedFile<ReadonlyMap<string, AcceptedKey>>;

  /** @param now the time in milliseconds since 1970 */
  constructor(storage: Storage, now: () => number) {
    this.#storage = storage;
    this.#now = now;
    this.#accepted = new WatchedFile(storage, FILE, new Map(), (text) => publicKeys(this.#parse(text)));
  }

  /** The key that signs now; the first call there ever is makes it. */
  async signing(): Promise<SigningKey> {
    const { signing } = await this.#read();
    const { id, jwk } = signing ?? await this.#storage.exclusive(() => this.#makeFirst());
    return { id, key: await importKey(jwk) };
  }

  /** The public key named `id`, where tokens signed by it are accepted now. */
  accepted(id: string): CryptoKey | undefined {
    const found = this.#accepted.value.get(id);
    return found !== undefined && this.#now() < found.untilMs ? found.key : undefined;
  }

  /** Reads the keys again if they have changed, also by another process; tells whether they had. */
  refresh(): Promise<boolean> {
    return this.#accepted.refresh();
  }

  /**
   * Makes a new key that signs from now on. No earlier one is accepted after `acceptedUntilMs`, in milliseconds since
   * 1970; where that is not in the future, tokens signed before are worth nothing at once.
   */
  async rotate(acceptedUntilMs: number): Promise<void> {
    const made = await makeKey(this.#now());
    await this.#storage.exclusive(async () => {
      const { signing, retired } = await this.#read();
      const before = signing === undefined ? retired : [...retired, retire(signing, acceptedUntilMs)];
      const capped = before.map((key) => ({
        ...key,
        acceptedUntilMs: Math.min(key.acceptedUntilMs, acceptedUntilMs),
      }));
      await this.#write({
        version: 1,
        signing: made,
        retired: capped.filter((key) => this.#now() < key.acceptedUntilMs),
      });
    });
    await this.refresh();
  }

  async #makeFirst(): Promise<NonNullable<KeyFile["signing"]>> {
    const before = await this.#read();
    if (before.signing !== undefined) return before.signing; // another process was quicker
    const signing = await makeKey(this.#now());
    await this.#write({ ...before, signing });
    return signing;
  }

  async #read(): Promise<KeyFile> {
    return this.#parse(await this.#storage.read(FILE));
  }

  #write(keys: KeyFile): Promise<void> {
    return this.#storage.write(FILE, `${JSON.stringify(keys, null, 2)}\n`);
  }

  #parse(text: string | undefined): KeyFile {
    return parseFile(this.#storage, FILE, text, schema, NONE);
  }
}

async function makeKey(madeAtMs: number): Promise<NonNullable<KeyFile["signing"]>> {
  const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
  const { x, d } = await exportJWK(privateKey);
  const jwk = { kty: "OKP", crv: "Ed25519", x: x!, d: d! } as const;
  return { id: (await calculateJwkThumbprint(jwk)).slice(0, ID_LENGTH), madeAtMs, jwk };
}

/** What is kept of a key that signs no more: its public half. */
function retire(
  { id, jwk }: NonNullable<KeyFile["signing"]>,
  acceptedUntilMs: number,
): KeyFile["retired"][number] {
  return { id, acceptedUntilMs, jwk: { kty: jwk.kty, crv: jwk.crv, x: jwk.x } };
}

async function publicKeys({ signing, retired }: KeyFile): Promise<Map<string, AcceptedKey>> {
  const found = new Map<string, AcceptedKey>();
  for (const { id, jwk, acceptedUntilMs } of retired) {
    found.set(id, { key: await importKey(jwk), untilMs: acceptedUntilMs });
  }
  if (signing !== undefined) {
    const { kty, crv, x } = signing.jwk;
    found.set(signing.id, { key: await importKey({ kty, crv, x }), untilMs: Infinity });
  }
  return found;
}

function importKey(jwk: { kty: "OKP"; crv: "Ed25519"; x: string; d?: string }): Promise<CryptoKey> {
  return importJWK(jwk, ALGORITHM) as Promise<CryptoKey>;
}
