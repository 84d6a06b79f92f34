/**
 * The ids of revoked tokens that this server has not issued. Its own are in the registry.
 *
 * @module
 */

import * as v from "valibot";
import { ParleyError } from "../errors.ts";
import { MAX_EXTERNAL_ID_LENGTH, MAX_EXTERNAL_TOKEN_SECONDS, MAX_REVOKED_IDS } from "../limits.ts";
import { epochMs, parseFile, type Storage } from "../state/storage.ts";
import { WatchedFile } from "../state/watched_file.ts";

const FILE = "revoked-ids.json";

/** Every token that was valid when its id was revoked has expired after that, and has not before a day more. */
const FORGET_AFTER_MS = (MAX_EXTERNAL_TOKEN_SECONDS + 86_400) * 1000;

/** The rule for the id of a token of another issuer. */
export const externalId = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(MAX_EXTERNAL_ID_LENGTH),
  v.regex(/^\P{Cc}*$/u),
);

const schema = v.object({ version: v.literal(1), revoked: v.array(v.tuple([v.string(), epochMs])) });

/**
 * Revoked ids, each with the time at which it was, in milliseconds since 1970. Several processes may use one storage at
 * the same time; each sees the changes of the others at its next {@linkcode Revocations.refresh}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Revocations } from "./revocations.ts";
 * import { MemoryStorage } from "../state/storage.ts";
 *
 * const revocations = new Revocations(new MemoryStorage(), Date.now);
 * await revocations.add("session-77");
 * assertEquals(typeof revocations.find("session-77"), "number");
 * assertEquals(revocations.find("session-7"), undefined);
 * ```
 */
export class Revocations {
  readonly #storage: Storage;
  readonly #now: () => number;
  readonly #known: WatchedFile<ReadonlyMap<string, number>>;

  /** @param now the time in milliseconds since 1970 */
  constructor(storage: Storage, now: () => number) {
    this.#storage = storage;
    this.#now = now;
    this.#known = new WatchedFile(storage, FILE, new Map(), (text) => new Map(this.#parse(text)));
  }

  /** When `id` was revoked, if it was, as of the last refresh. Costs one map look-up. */
  find(id: string): number | undefined {
    return this.#known.value.get(id);
  }

  /** Reads the list again if any process has changed it; resolves to whether that was so. */
  refresh(): Promise<boolean> {
    return this.#known.refresh();
  }

  /**
   * Revokes the tokens with this id; resolves to when that was. Doing so again changes nothing.
   *
   * @throws {ParleyError} `bad_argument` if no token can have such an id, or too many are revoked
   */
  async add(id: string): Promise<number> {
    if (!v.is(externalId, id)) {
      throw new ParleyError(
        "bad_argument",
        `the id of a token has 1 to ${MAX_EXTERNAL_ID_LENGTH} characters and no control characters`,
      );
    }
    await this.#storage.exclusive(async () => {
      const now = this.#now();
      const revoked = this.#parse(await this.#storage.read(FILE))
        .filter(([, atMs]) => now - atMs < FORGET_AFTER_MS);
      if (revoked.some(([known]) => known === id)) return;
      if (revoked.length >= MAX_REVOKED_IDS) {
        throw new ParleyError(
          "bad_argument",
          `${MAX_REVOKED_IDS} ids are revoked already, the most that are remembered; let the issuer sign with a new key ` +
            "and withdraw the old one, which ends all tokens signed with it",
        );
      }
      const text = JSON.stringify({ version: 1, revoked: [...revoked, [id, now]] });
      await this.#storage.write(FILE, `${text}\n`);
    });
    await this.refresh();
    return this.find(id)!;
  }

  #parse(text: string | undefined): [id: string, atMs: number][] {
    return parseFile(this.#storage, FILE, text, schema, { version: 1, revoked: [] }).revoked;
  }
}
