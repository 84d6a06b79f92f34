/**
 * Opens the logs of stored channels, if a server has any.
 *
 * @module
 */

import type { StoragePolicy } from "../broker/stored/policy.ts";
import type { StorageOptions } from "../broker/stored/storage.ts";
import type { Limits } from "../limits.ts";
import type { Log } from "../logging/log.ts";
import type { ServeOptions } from "./api.ts";
import { storagePolicies, storeFolder } from "./options.ts";

/** The policies of a server, and the logs that they need. */
export interface OpenedStore {
  readonly policies: readonly StoragePolicy[];
  readonly durable: StorageOptions | undefined;
  readonly history: StorageOptions | undefined;
}

/** Opens what `options` need; nothing if no channel is stored. */
export async function openStored(
  options: ServeOptions,
  limits: Limits,
  log: Log,
): Promise<OpenedStore | undefined> {
  const policies = storagePolicies(options);
  if (policies.length === 0) return undefined;
  const needs = (storage: StoragePolicy["storage"]) => policies.some((policy) => policy.storage === storage);
  return {
    policies,
    // Loaded when needed: a server without stored channels starts sooner.
    durable: needs("durable")
      ? {
        log: await (await import("../store/sqlite_log.ts")).openSqliteLog(storeFolder(options), { log }),
        maxBytes: limits.storeBytes,
      }
      : undefined,
    history: needs("history")
      ? { log: (await import("../store/memory_log.ts")).openMemoryLog(), maxBytes: limits.historyBytes }
      : undefined,
  };
}
