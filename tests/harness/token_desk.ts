/**
 * What issues and revokes tokens beside a running server: the state folder, as another process sees it.
 *
 * @module
 */

import { Keys } from "../../lib/auth/keys.ts";
import { Registry } from "../../lib/auth/registry.ts";
import { Tokens } from "../../lib/auth/tokens.ts";
import { FolderStorage } from "../../lib/state/folder.ts";

/** The tokens, the keys and the registry of a state folder. */
export interface TokenDesk {
  readonly tokens: Tokens;
  readonly keys: Keys;
  readonly registry: Registry;
}

/** Opens the state folder at `path`, which need not exist yet, by the clock `now` (milliseconds). */
export function openTokenDesk(path: string, now: () => number = Date.now): TokenDesk {
  const storage = new FolderStorage(path);
  const [keys, registry] = [new Keys(storage, now), new Registry(storage, now)];
  return { keys, registry, tokens: new Tokens({ keys, registry, now, uuid: () => crypto.randomUUID() }) };
}
