/**
 * The names of channels that the user has seen, for completion.
 *
 * @module
 */

import type { Storage } from "../../state/storage.ts";
import { channelProblem } from "../../wire/names.ts";

const FILE = "channels";

/** Names kept; the oldest are forgotten. */
const MAX_NAMES = 500;

/** Names collected while one command runs. A pattern may show it any number of them. */
const MAX_NEW_NAMES = 100;

/** The names of channels and patterns, the last one seen first. */
export class SeenChannels {
  readonly #storage: Storage | undefined;
  readonly #new = new Set<string>();

  /** Keeps them in `storage`; without one nothing is kept. */
  constructor(storage: Storage | undefined) {
    this.#storage = storage;
  }

  /** The names; none if they cannot be read. */
  async list(): Promise<string[]> {
    try {
      const text = await this.#storage?.read(FILE);
      return text?.split("\n").filter((name) => channelProblem(name) === undefined) ?? [];
    } catch {
      return [];
    }
  }

  /** Notes a name. Nothing is written before {@linkcode save}. */
  add(name: string): void {
    if (this.#new.size < MAX_NEW_NAMES && channelProblem(name) === undefined) this.#new.add(name);
  }

  /** Writes what is new. Never rejects: completion is no reason for a command to fail. */
  async save(): Promise<void> {
    const storage = this.#storage;
    if (storage === undefined || this.#new.size === 0) return;
    try {
      const known = new Set(await this.list());
      if ([...this.#new].every((name) => known.has(name))) return;
      await storage.exclusive(async () => {
        const names = new Set([...this.#new, ...await this.list()]);
        await storage.write(FILE, `${[...names].slice(0, MAX_NAMES).join("\n")}\n`);
      });
    } catch {
      // A folder that cannot be written, such as a container's.
    }
  }
}
