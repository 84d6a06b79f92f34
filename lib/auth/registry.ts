/**
 * The list of issued tokens: name, grants, expiry and revocation of each, but never the token itself.
 *
 * @module
 */

import * as v from "valibot";
import { ParleyError } from "../errors.ts";
import { FORGET_EXPIRED_SECONDS } from "../limits.ts";
import { epochMs, parseFile, type Storage } from "../state/storage.ts";
import { WatchedFile } from "../state/watched_file.ts";
import type { GrantLists } from "./grants.ts";
import { LastUses } from "./last_uses.ts";

const FILE = "tokens.json";

const issuedToken = v.object({
  id: v.string(),
  name: v.string(),
  publish: v.array(v.string()),
  subscribe: v.array(v.string()),
  // Files written by versions without this grant lack it.
  respond: v.optional(v.array(v.string()), []),
  direct: v.boolean(),
  monitor: v.optional(v.boolean()),
  admin: v.optional(v.boolean()),
  issuedAtMs: epochMs,
  expiresAtMs: epochMs,
  revokedAtMs: v.optional(epochMs),
  key: v.string(),
});
const schema = v.object({ version: v.literal(1), tokens: v.array(issuedToken) });
type TokenFile = v.InferOutput<typeof schema>;

/** An entry of the list. Times are in milliseconds since 1970. */
export interface IssuedToken extends GrantLists {
  /** A UUID: identifies the token in lists, in logs and for revoking it. */
  readonly id: string;
  /** The session's name. */
  readonly name: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  /** Undefined unless the token is revoked. */
  readonly revokedAtMs?: number;
  /** The id of the key that signed it. */
  readonly key: string;
}

/** A token as `parley-server token list` shows it. */
export interface ListedToken extends IssuedToken {
  /** When a server last accepted the token, accurate to about ten seconds; undefined if none ever did. */
  readonly lastUsedAtMs?: number;
}

/**
 * The issued tokens of one storage. A token that is not in the list is not valid even if its signature is: restoring
 * an old backup or losing the list must not make a revoked token valid again.
 *
 * Several processes may use one storage at the same time. Each sees the changes of the others at its next
 * {@linkcode Registry.refresh}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Registry } from "./registry.ts";
 * import { MemoryStorage } from "../state/storage.ts";
 *
 * const registry = new Registry(new MemoryStorage(), Date.now);
 * const grants = { publish: ["chat.>"], subscribe: ["chat.>"], respond: [], direct: false };
 * const times = { issuedAtMs: Date.now(), expiresAtMs: Date.now() + 60_000 };
 * await registry.add({ id: "5f0c", name: "Ada", ...grants, ...times, key: "k1" });
 * await registry.revoke("5f");
 * assertEquals(typeof registry.find("5f0c")?.revokedAtMs, "number");
 * ```
 */
export class Registry {
  readonly #storage: Storage;
  readonly #now: () => number;
  readonly #uses: LastUses;
  readonly #known: WatchedFile<ReadonlyMap<string, IssuedToken>>;

  /** @param now the time in milliseconds since 1970 */
  constructor(storage: Storage, now: () => number) {
    this.#storage = storage;
    this.#now = now;
    this.#uses = new LastUses(storage, now);
    this.#known = new WatchedFile(
      storage,
      FILE,
      new Map(),
      (text) => new Map(this.#parse(text).tokens.map((token) => [token.id, token])),
    );
  }

  /** The token with this id, as of the last refresh. Costs one map look-up. */
  find(id: string): IssuedToken | undefined {
    return this.#known.value.get(id);
  }

  /** Reads the list again if any process has changed it; resolves to whether that was so. */
  refresh(): Promise<boolean> {
    return this.#known.refresh();
  }

  /** All tokens, oldest first. An expired token stays in the list for 30 days. */
  async list(): Promise<ListedToken[]> {
    const { tokens } = await this.#read();
    const uses = await this.#uses.read();
    return tokens.filter((token) => !this.#isForgotten(token)).map((token) => {
      const lastUsedAtMs = uses.get(token.id);
      return lastUsedAtMs === undefined ? token : { ...token, lastUsedAtMs };
    });
  }

  /** Adds a new token. */
  async add(token: IssuedToken): Promise<void> {
    await this.#change((tokens) => {
      const { publish, subscribe, respond } = token;
      const lists = { publish: [...publish], subscribe: [...subscribe], respond: [...respond] };
      return [...tokens, { ...token, ...lists }];
    });
  }

  /**
   * Revokes the token whose id is `prefix`, or begins with it; resolves to that token. Revoking it again changes
   * nothing.
   *
   * @throws {ParleyError} `bad_argument` if no token has such an id, or several do
   */
  async revoke(prefix: string): Promise<IssuedToken> {
    let revoked: IssuedToken | undefined;
    await this.#change((tokens) => {
      const { id } = only(tokens, prefix);
      return tokens.map((token) => {
        if (token.id !== id) return token;
        return revoked = { ...token, revokedAtMs: token.revokedAtMs ?? this.#now() };
      });
    });
    return revoked!;
  }

  /** Records that the token was accepted; {@linkcode Registry.writeUses} writes it. */
  recordUse(id: string): void {
    this.#uses.record(id);
  }

  /** How many tokens have a recorded use that is not written yet. */
  get unwrittenUses(): number {
    return this.#uses.unwritten;
  }

  /**
   * Writes the recorded uses; resolves to whether there was something to write. Costs nothing if there was not, or if the
   * last write is less than ten seconds ago and `when` is "when due". Gives up on the storage's lock once `signal` is
   * aborted.
   */
  async writeUses(when: "now" | "when due" = "when due", signal?: AbortSignal): Promise<boolean> {
    if (this.unwrittenUses === 0 || (when === "when due" && !this.#uses.isDue())) return false;
    const knownTokens = async () => {
      await this.refresh();
      return this.#known.value;
    };
    await this.#uses.write(knownTokens, signal);
    return true;
  }

  async #change(change: (tokens: TokenFile["tokens"]) => TokenFile["tokens"]): Promise<void> {
    await this.#storage.exclusive(async () => {
      const tokens = change((await this.#read()).tokens).filter((token) => !this.#isForgotten(token));
      await this.#storage.write(FILE, `${JSON.stringify({ version: 1, tokens }, null, 2)}\n`);
    });
    await this.refresh();
  }

  #isForgotten({ expiresAtMs }: IssuedToken): boolean {
    return expiresAtMs + FORGET_EXPIRED_SECONDS * 1000 < this.#now();
  }

  async #read(): Promise<TokenFile> {
    return this.#parse(await this.#storage.read(FILE));
  }

  #parse(text: string | undefined): TokenFile {
    return parseFile(this.#storage, FILE, text, schema, { version: 1, tokens: [] });
  }
}

/** The token whose id is `prefix`, or the only one whose id begins with it. */
function only(tokens: TokenFile["tokens"], prefix: string): IssuedToken {
  const found = prefix === "" ? [] : tokens.filter(({ id }) => id.startsWith(prefix));
  const exact = found.find(({ id }) => id === prefix);
  if (exact !== undefined) return exact;
  if (found.length === 1) return found[0];
  const what = found.length === 0
    ? `no token has an id that begins with ${JSON.stringify(prefix)}`
    : `${found.length} tokens have an id that begins with ${JSON.stringify(prefix)}; give more of it`;
  throw new ParleyError(
    "bad_argument",
    `${what}; "parley-server token list" shows them, and --external revokes one of your own backend`,
  );
}
