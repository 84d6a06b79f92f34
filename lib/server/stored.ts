/**
 * Opens the logs of stored channels, if a server has any.
 *
 * @module
 */

import type { StoragePolicy } from "../broker/stored/policy.ts";
import type { Storage } from "../broker/stored/stored_channels.ts";
import { MAX_HISTORY_BYTES, MAX_STORE_BYTES } from "../limits.ts";
import type { Log } from "../logging/log.ts";

/** The policies of a server, and the logs that they need. */
export interface OpenedStore {
  readonly policies: readonly StoragePolicy[];
  readonly durable: Storage | undefined;
  readonly history: Storage | undefined;
}

/** What says which channels are stored. */
export interface StoreOptions {
  /** The folder of durable channels. */
  readonly store?: string;
  readonly policies: readonly StoragePolicy[];
  /** See `MAX_STORE_BYTES`. */
  readonly storeBytes?: number;
  /** See `MAX_HISTORY_BYTES`. */
  readonly historyBytes?: number;
}

/** Opens what `policies` need; nothing if there are none. */
export async function openStored(options: StoreOptions, log: Log): Promise<OpenedStore | undefined> {
  const { policies, store = "store", storeBytes = MAX_STORE_BYTES, historyBytes = MAX_HISTORY_BYTES } =
    options;
  if (policies.length === 0) return undefined;
  const needs = (storage: StoragePolicy["storage"]) => policies.some((policy) => policy.storage === storage);
  return {
    policies,
    // Loaded when needed: a server without stored channels starts sooner.
    durable: needs("durable")
      ? {
        log: await (await import("../store/sqlite_log.ts")).openSqliteLog(store, { log }),
        maxBytes: storeBytes,
      }
      : undefined,
    history: needs("history")
      ? { log: (await import("../store/memory_log.ts")).openMemoryLog(), maxBytes: historyBytes }
      : undefined,
  };
}
