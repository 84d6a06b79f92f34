/**
 * What goes with a commit besides runs: it is done together with them, and tried again if the commit fails.
 *
 * @module
 */

import { type ConsumerState, joinTrims, type Trim } from "./log.ts";

/** A consumer whose state is to be stored. */
export interface Stateful {
  takeState(): ConsumerState;
}

/** What goes with a commit besides runs. */
export interface Others {
  readonly consumers: Set<Stateful>;
  /** By the number of the channel. */
  readonly trims: Map<number, Trim>;
  readonly deletedChannels: number[];
  readonly deletedConsumers: Pick<ConsumerState, "channel" | "consumer">[];
  epoch?: string;
  firstSession?: number;
}

/** Nothing besides runs. */
export function nothing(): Others {
  return { consumers: new Set(), trims: new Map(), deletedChannels: [], deletedConsumers: [] };
}

/** Whether there is nothing to be done. */
export function isNothing(
  { consumers, trims, deletedChannels, deletedConsumers, firstSession }: Others,
): boolean {
  return consumers.size + trims.size + deletedChannels.length + deletedConsumers.length === 0 &&
    firstSession === undefined;
}

/** What a commit that failed had, and what has come since. */
export function merged(earlier: Others, later: Others): Others {
  const trims = new Map(earlier.trims);
  for (const [channel, trim] of later.trims) trims.set(channel, joinTrims(trims.get(channel), trim));
  return {
    consumers: new Set([...earlier.consumers, ...later.consumers]),
    trims,
    deletedChannels: [...earlier.deletedChannels, ...later.deletedChannels],
    deletedConsumers: [...earlier.deletedConsumers, ...later.deletedConsumers],
    epoch: later.epoch ?? earlier.epoch,
    firstSession: later.firstSession ?? earlier.firstSession,
  };
}
