/**
 * Opens the logs of stored channels, if a server has any.
 *
 * @module
 */

import type { DirectAccess } from "../broker/stored/direct_access.ts";
import type { StoredChannels } from "../broker/stored/stored_channels.ts";
import type { StoragePolicy } from "../broker/stored/policy.ts";
import type { StorageOptions } from "../broker/stored/storage.ts";
import type { StoredSession } from "../broker/stored/stored_session.ts";
import { Router } from "../broker/router.ts";
import type { StoreOperator } from "../broker/stored/operator.ts";
import { WorkBudget } from "../broker/work_budget.ts";
import { DEFAULT_LIMITS, type Limits, WORK_PER_TURN } from "../limits.ts";
import { failure, type Log } from "../logging/log.ts";
import type { ServeOptions } from "./api.ts";
import { storagePolicies, storeFolder } from "./options.ts";

/**
 * The logs of a server's stored channels, and what makes its channels and sessions of them. It is loaded with the logs: a
 * server that stores nothing starts sooner.
 */
export interface OpenedStore {
  readonly durable: StorageOptions | undefined;
  readonly history: StorageOptions | undefined;
  /** Opens the socket by which commands reach the durable channels. */
  readonly control: ((channels: StoredChannels) => { close(): Promise<void> }) | undefined;
  /** Makes the stored channels; `now` is a clock in milliseconds that never goes back. */
  makeChannels(budget: WorkBudget, now: () => number): StoredChannels;
  /** What the web server does on them, if there is one. */
  readonly makeAccess: ((router: Router, channels: StoredChannels) => DirectAccess) | undefined;
  /** Makes what one session does on them; see `SessionContext.newStoredSession`. */
  newSession(...parts: ConstructorParameters<typeof StoredSession>): StoredSession;
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
  const [{ StoredChannels }, { StoredSession }] = await Promise.all([
    import("../broker/stored/stored_channels.ts"),
    import("../broker/stored/stored_session.ts"),
  ]);
  const { durable, control } = needs("durable")
    ? await openDurable(storeFolder(options), limits, log)
    : NO_DURABLE;
  const history = needs("history")
    ? { log: (await import("../store/memory_log.ts")).openMemoryLog(), maxBytes: limits.historyBytes }
    : undefined;
  const access = options.web && await import("../broker/stored/direct_access.ts");
  return {
    durable,
    history,
    control,
    makeChannels: (budget, now) =>
      new StoredChannels({ policies, durable, history, budget, now, time: Date.now, log }),
    makeAccess: access && ((router, channels) => new access.DirectAccess(router, channels, limits)),
    newSession: (...parts) => new StoredSession(...parts),
  };
}

const NO_DURABLE = { durable: undefined, control: undefined };

/** Opens the durable channels. What they need is loaded now: not every server has any. */
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

/** Makes what uses the logs. If that fails, because the address is taken, they are closed again. */
export async function closingIfItFails<T>(opened: OpenedStore | undefined, make: () => T): Promise<T> {
  try {
    return make();
  } catch (error) {
    await Promise.all([opened?.durable?.log.close(), opened?.history?.log.close()]);
    throw error;
  }
}

/** Waits until everything that has come is stored, or `ms` milliseconds. */
export async function settledWithin(channels: StoredChannels, ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const deadline = setTimeout(resolve, ms);
  await Promise.race([channels.settled(), promise]);
  clearTimeout(deadline);
}

/** A store that this process has opened for itself, because no server has it open. */
export interface OfflineStore extends AsyncDisposable {
  readonly operator: StoreOperator;
}

/**
 * Opens the store in `folder`, without a server.
 *
 * @throws {ParleyError} `bad_argument` if there is none, or another process has it open
 */
export async function openOffline(folder: string, log: Log): Promise<OfflineStore> {
  const [{ openSqliteLog }, { StoreOperator }, { StoredChannels }] = await Promise.all([
    import("../store/sqlite_log.ts"),
    import("../broker/stored/operator.ts"),
    import("../broker/stored/stored_channels.ts"),
  ]);
  const durable = { log: await openSqliteLog(folder, { log }), maxBytes: Infinity };
  const budget = new WorkBudget((error) => log.error("internal error", failure(error)), WORK_PER_TURN);
  const now = () => performance.now();
  const channels = new StoredChannels({
    policies: [],
    durable,
    history: undefined,
    budget,
    now,
    time: Date.now,
    log,
  });
  new Router(DEFAULT_LIMITS, now, budget, durable.log.state.firstSession, channels);
  return {
    operator: new StoreOperator(channels),
    [Symbol.asyncDispose]: () => channels.close(),
  };
}
