/**
 * The keys of tokens: one signs, and those it replaced are accepted for some time.
 *
 * @module
 */

import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK } from "jose";
import * as v from "valibot";
import { epochMs, parseFile, type Storage } from "../state/storage.ts";
import { WatchedFile } from "../state/watched_file.ts";

/** The only algorithm (RFC 8037): keys and signatures are short, and it has no parameters to get wrong. */
export const ALGORITHM = "EdDSA";

const FILE = "signing-keys.json";

/** Characters of the key's thumbprint (RFC 7638) that are its id: 96 bits, enough to rule out collisions. */
const ID_LENGTH = 16;

const publicJwk = { kty: v.literal("OKP"), crv: v.literal("Ed25519"), x: v.string() };
const schema = v.object({
  version: v.literal(1),
  signing: v.optional(
    v.object({ id: v.string(), madeAtMs: epochMs, jwk: v.object({ ...publicJwk, d: v.string() }) }),
  ),
  retired: v.array(v.object({ id: v.string(), acceptedUntilMs: epochMs, jwk: v.object(publicJwk) })),
});
type KeyFile = v.InferOutput<typeof schema>;

const NO_KEYS: KeyFile = { version: 1, retired: [] };

interface AcceptedKey {
  readonly key: CryptoKey;
  /** In milliseconds since 1970; Infinity for the key that signs. */
  readonly untilMs: number;
}

/** The private key that signs, and the id of it that goes into a token's header. */
export interface SigningKey {
  readonly id: string;
  readonly key: CryptoKey;
}

/**
 * The keys of one storage. A private key is read for each signature and not kept in memory. Public keys are kept, as of
 * the last {@linkcode Keys.refresh}.
 *
 * @example
 * ```ts
 * import { assert, assertEquals } from "@std/assert";
 * import { Keys } from "./keys.ts";
 * import { MemoryStorage } from "../state/storage.ts";
 *
 * const keys = new Keys(new MemoryStorage(), Date.now);
 * const first = await keys.signing(); // makes it
 * await keys.rotate(Date.now() + 60_000);
 * assert((await keys.signing()).id !== first.id);
 * assert(keys.accepted(first.id) !== undefined); // for another minute
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

  /** The key that signs now. Makes it if the storage has none. */
  async signing(): Promise<SigningKey> {
    const { signing } = await this.#read();
    const { id, jwk } = signing ?? await this.#storage.exclusive(() => this.#makeFirst());
    return { id, key: await importKey(jwk) };
  }

  /** The public key with this id, if tokens signed by it are accepted now. */
  accepted(id: string): CryptoKey | undefined {
    const found = this.#accepted.value.get(id);
    return found !== undefined && this.#now() < found.untilMs ? found.key : undefined;
  }

  /** Reads the keys again if any process has changed them; resolves to whether that was so. */
  refresh(): Promise<boolean> {
    return this.#accepted.refresh();
  }

  /**
   * Makes a new key that signs from now on. Earlier keys are accepted until `acceptedUntilMs` at the latest, in
   * milliseconds since 1970; if that is not in the future, no token signed before is valid any more.
   */
  async rotate(acceptedUntilMs: number): Promise<void> {
    const signing = await makeKey(this.#now());
    await this.#storage.exclusive(async () => {
      const before = await this.#read();
      const earlier = before.signing === undefined
        ? before.retired
        : [...before.retired, retire(before.signing, acceptedUntilMs)];
      const capped = earlier.map((key) => ({
        ...key,
        acceptedUntilMs: Math.min(key.acceptedUntilMs, acceptedUntilMs),
      }));
      await this.#write({
        version: 1,
        signing,
        retired: capped.filter((key) => this.#now() < key.acceptedUntilMs),
      });
    });
    await this.refresh();
  }

  async #makeFirst(): Promise<NonNullable<KeyFile["signing"]>> {
    const before = await this.#read();
    if (before.signing !== undefined) return before.signing; // another process has made it
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
    return parseFile(this.#storage, FILE, text, schema, NO_KEYS);
  }
}

async function makeKey(madeAtMs: number): Promise<NonNullable<KeyFile["signing"]>> {
  const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
  const { x, d } = await exportJWK(privateKey);
  const jwk = { kty: "OKP", crv: "Ed25519", x: x!, d: d! } as const;
  return { id: (await calculateJwkThumbprint(jwk)).slice(0, ID_LENGTH), madeAtMs, jwk };
}

/** Keeps only the public half of a key that no longer signs. */
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
