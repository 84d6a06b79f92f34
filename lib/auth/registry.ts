/**
 * The tokens that were issued: to whom, what for, until when, and which of them are revoked. Never the tokens
 * themselves.
 *
 * @module
 */

import * as v from "valibot";
import { ParleyError } from "../errors.ts";
import { FORGET_EXPIRED_SECONDS } from "../limits.ts";
import { parseFile, type Storage } from "../state/storage.ts";
import { LastUses } from "./last_uses.ts";
import { WatchedFile } from "../state/watched_file.ts";

/** The name of the file. */
const FILE = "tokens.json";

const time = v.pipe(v.number(), v.minValue(0), v.maxValue(8.64e15));
const issuedToken = v.object({
  id: v.string(),
  name: v.string(),
  publish: v.array(v.string()),
  subscribe: v.array(v.string()),
  // Files written by versions without this grant lack it.
  respond: v.optional(v.array(v.string()), []),
  direct: v.boolean(),
  issuedAtMs: time,
  expiresAtMs: time,
  revokedAtMs: v.optional(time),
  key: v.string(),
});
const schema = v.object({ version: v.literal(1), tokens: v.array(issuedToken) });
type TokenFile = v.InferOutput<typeof schema>;

/** What is known of a token; all times in milliseconds since 1970. */
export interface IssuedToken {
  /** Identifies it in lists and logs, and for revoking it; a UUID. */
  readonly id: string;
  /** The session's name. */
  readonly name: string;
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  readonly respond: readonly string[];
  readonly direct: boolean;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  /** Not there unless it was revoked. */
  readonly revokedAtMs?: number;
  /** The id of the key that signed it. */
  readonly key: string;
}

/** A token as `parley-server token list` shows it. */
export interface ListedToken extends IssuedToken {
  /** When a server last let somebody in with it, to some ten seconds; not there if that never was. */
  readonly lastUsedAtMs?: number;
}

/**
 * The issued tokens of one storage. A token that is not in it is not valid, however good its signature: so a backup
 * that was put back, or a list that was lost, never lets a revoked token in again.
 *
 * Any number of processes may use it at once. Each sees what another did at its next {@linkcode Registry.refresh}.
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

  /** The token named `id`, as of the last refresh. Costs a look-up. */
  find(id: string): IssuedToken | undefined {
    return this.#known.value.get(id);
  }

  /** Reads the tokens again if they have changed, also by another process; tells whether they had. */
  refresh(): Promise<boolean> {
    return this.#known.refresh();
  }

  /** All tokens, oldest first; those that expired stay for 30 days. */
  async list(): Promise<ListedToken[]> {
    const { tokens } = await this.#read();
    const uses = await this.#uses.read();
    return tokens.filter((token) => !this.#isForgotten(token)).map((token) => {
      const lastUsedAtMs = uses.get(token.id);
      return lastUsedAtMs === undefined ? token : { ...token, lastUsedAtMs };
    });
  }

  /** Takes a new token in. */
  async add(token: IssuedToken): Promise<void> {
    await this.#change((tokens) => {
      const { publish, subscribe, respond } = token;
      const lists = { publish: [...publish], subscribe: [...subscribe], respond: [...respond] };
      return [...tokens, { ...token, ...lists }];
    });
  }

  /**
   * Revokes the token whose id is, or alone begins with, `prefix`; resolves to it. Revoking it again changes nothing.
   *
   * @throws {ParleyError} `bad_argument` where no token, or more than one, is meant
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

  /** The token named `id` let somebody in; {@linkcode Registry.writeUses} tells the others. */
  used(id: string): void {
    this.#uses.used(id);
  }

  /**
   * Writes down the uses since the last time. Costs nothing where there were none, or where the last time is less than
   * ten seconds ago and not `now`.
   */
  async writeUses(now: "now" | "when due" = "when due"): Promise<void> {
    if (now === "now" || this.#uses.isDue()) await this.#uses.write((id) => this.find(id) !== undefined);
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

/** The one token that `prefix` means: its whole id, or the beginning of no other. */
function only(tokens: TokenFile["tokens"], prefix: string): IssuedToken {
  const found = prefix === "" ? [] : tokens.filter(({ id }) => id.startsWith(prefix));
  const exact = found.find(({ id }) => id === prefix);
  if (exact !== undefined) return exact;
  if (found.length === 1) return found[0];
  const what = found.length === 0
    ? `no token has an id that begins with ${JSON.stringify(prefix)}`
    : `${found.length} tokens have an id that begins with ${JSON.stringify(prefix)}; give more of it`;
  throw new ParleyError("bad_argument", `${what}; "parley-server token list" shows them`);
}
