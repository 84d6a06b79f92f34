/**
 * Opens the logs of stored channels, if a server has any.
 *
 * @module
 */

import type { StoredChannels } from "../broker/stored/stored_channels.ts";
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
  /** Opens the socket by which commands reach the durable channels. */
  readonly control: ((channels: StoredChannels) => { close(): Promise<void> }) | undefined;
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
    ...needs("durable") ? await openDurable(storeFolder(options), limits, log) : NO_DURABLE,
    history: needs("history")
      ? { log: (await import("../store/memory_log.ts")).openMemoryLog(), maxBytes: limits.historyBytes }
      : undefined,
  };
}

const NO_DURABLE = { durable: undefined, control: undefined };

/** Opens the durable channels. What they need is loaded now: a server without them starts sooner. */
async function openDurable(
  folder: string,
  { storeBytes }: Limits,
  log: Log,
): Promise<Pick<OpenedStore, "durable" | "control">> {
  const [{ openSqliteLog }, { ControlSocket }, { StoreOperator }] = await Promise.all([
    import("../store/sqlite_log.ts"),
    import("./control_socket.ts"),
    import("../broker/stored/operator.ts"),
  ]);
  return {
    durable: { log: await openSqliteLog(folder, { log }), maxBytes: storeBytes },
    control: (channels) => new ControlSocket({ operator: new StoreOperator(channels), folder }, log),
  };
}
