/**
 * When each token was last used, in a file of its own: the server writes it all the time, and must never be in the way
 * of, or undo, what a command does to the tokens.
 *
 * @module
 */

import * as v from "valibot";
import { WRITE_USES_MS } from "../limits.ts";
import { parseFile, type Storage } from "../state/storage.ts";

/** The name of the file. */
const FILE = "token-uses.json";

const time = v.pipe(v.number(), v.minValue(0), v.maxValue(8.64e15));
const schema = v.object({ version: v.literal(1), uses: v.array(v.tuple([v.string(), time])) });

/** The last uses of tokens, by id; times in milliseconds since 1970. */
export class LastUses {
  readonly #storage: Storage;
  readonly #now: () => number;
  /** Not yet written. */
  #fresh = new Map<string, number>();
  #writtenAtMs = -Infinity;

  constructor(storage: Storage, now: () => number) {
    this.#storage = storage;
    this.#now = now;
  }

  /** Notes a use of the token named `id`. */
  used(id: string): void {
    this.#fresh.set(id, this.#now());
  }

  /** Whether there is something to write, and the last time was long enough ago. */
  isDue(): boolean {
    return this.#fresh.size > 0 && this.#now() - this.#writtenAtMs >= WRITE_USES_MS;
  }

  /** Every use that was written down. */
  async read(): Promise<Map<string, number>> {
    const text = await this.#storage.read(FILE);
    return new Map(parseFile(this.#storage, FILE, text, schema, { version: 1, uses: [] }).uses);
  }

  /** Adds the uses since the last time to those written by anyone, and drops the tokens that are not `wanted`. */
  async write(wanted: (id: string) => boolean): Promise<void> {
    if (this.#fresh.size === 0) return;
    const fresh = this.#fresh;
    this.#fresh = new Map();
    this.#writtenAtMs = this.#now();
    try {
      await this.#storage.exclusive(async () => {
        const uses = await this.read();
        for (const [id, at] of fresh) uses.set(id, Math.max(at, uses.get(id) ?? 0));
        const kept = [...uses].filter(([id]) => wanted(id));
        await this.#storage.write(FILE, `${JSON.stringify({ version: 1, uses: kept })}\n`);
      });
    } catch (error) {
      // Not written, so still to be written; a use since then is the later one.
      this.#fresh = new Map([...fresh, ...this.#fresh]);
      throw error;
    }
  }
}
