/**
 * The servers the benchmark knows.
 *
 * @module
 */

import type { Broker } from "./broker.ts";
import { mosquitto } from "./mosquitto.ts";
import { nats } from "./nats.ts";
import { parley } from "./parley.ts";
import { redis } from "./redis.ts";
import { relay } from "./relay.ts";

/** What Parley is compared with, in the order of the tables. */
export const OTHERS: readonly Broker[] = [nats, redis, mosquitto];

/** The relay that shows how much could be measured at most. */
export const CEILING: Broker = relay;

/** The server that speaks the protocol of that name. Parley's builds all speak the same. */
export function protocol(name: string): Broker {
  const broker = [parley("parley", "Parley"), relay, ...OTHERS].find((broker) => broker.name === name);
  if (broker === undefined) throw new TypeError(`no server speaks "${name}"`);
  return broker;
}
