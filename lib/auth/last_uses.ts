/**
 * When each token was last used. This has a file of its own because a running server writes it often, and must neither
 * delay nor undo what a command does to the tokens.
 *
 * @module
 */

import * as v from "valibot";
import { WRITE_USES_MS } from "../limits.ts";
import { epochMs, parseFile, type Storage } from "../state/storage.ts";

const FILE = "token-uses.json";

const schema = v.object({ version: v.literal(1), uses: v.array(v.tuple([v.string(), epochMs])) });

/** The last uses of tokens, by token id; times are in milliseconds since 1970. */
export class LastUses {
  readonly #storage: Storage;
  readonly #now: () => number;
  #unwritten = new Map<string, number>();
  #writtenAtMs = -Infinity;

  constructor(storage: Storage, now: () => number) {
    this.#storage = storage;
    this.#now = now;
  }

  /** Records a use of the token `id` in memory. */
  record(id: string): void {
    this.#unwritten.set(id, this.#now());
  }

  /** Whether there are unwritten uses, and the last write is at least ten seconds ago. */
  isDue(): boolean {
    return this.#unwritten.size > 0 && this.#now() - this.#writtenAtMs >= WRITE_USES_MS;
  }

  /** How many tokens have a use that is not written. */
  get unwritten(): number {
    return this.#unwritten.size;
  }

  /** Reads every use that was written. */
  async read(): Promise<Map<string, number>> {
    const text = await this.#storage.read(FILE);
    return new Map(parseFile(this.#storage, FILE, text, schema, { version: 1, uses: [] }).uses);
  }

  /**
   * Merges the unwritten uses into the file, which other servers write too, and keeps only the ids of tokens that exist.
   * `knownTokens` is asked while the storage is locked, so that it has every token of which another server has already
   * written a use. Gives up on the storage's lock once `signal` is aborted.
   */
  async write(knownTokens: () => Promise<{ has(id: string): boolean }>, signal?: AbortSignal): Promise<void> {
    if (this.#unwritten.size === 0) return;
    const recorded = this.#unwritten;
    this.#unwritten = new Map();
    this.#writtenAtMs = this.#now();
    try {
      await this.#storage.exclusive(async () => {
        const uses = await this.read();
        for (const [id, at] of recorded) uses.set(id, Math.max(at, uses.get(id) ?? 0));
        const known = await knownTokens();
        const kept = [...uses].filter(([id]) => known.has(id));
        await this.#storage.write(FILE, `${JSON.stringify({ version: 1, uses: kept })}\n`);
      }, signal);
    } catch (error) {
      // Try again at the next write. A use recorded since then is later, so it replaces the earlier one.
      this.#unwritten = new Map([...recorded, ...this.#unwritten]);
      throw error;
    }
  }
}
