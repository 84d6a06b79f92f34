/**
 * All servers that the benchmark can measure.
 *
 * @module
 */

import type { Broker } from "./broker.ts";
import { bareHttp } from "./http.ts";
import { mosquitto } from "./mosquitto.ts";
import { nats } from "./nats.ts";
import { parley } from "./parley.ts";
import { redis } from "./redis.ts";
import { relay } from "./relay.ts";
import { jetstream, jetstreamAlways } from "./stored/jetstream.ts";
import { mosquittoStored } from "./stored/mosquitto.ts";
import { redisAlways, redisEverysec } from "./stored/redis.ts";

/** The servers that Parley is compared with, in the order of the tables. */
export const OTHERS: readonly Broker[] = [
  ...[nats, redis, mosquitto, bareHttp],
  ...[jetstream, jetstreamAlways, redisAlways, redisEverysec, mosquittoStored],
];

/** The relay that shows the most that can be measured. */
export const CEILING: Broker = relay;

/** The server with the protocol `name`. All builds of Parley have the same protocol. */
export function protocol(name: string): Broker {
  const broker = [parley("parley", "Parley"), relay, ...OTHERS].find((broker) => broker.name === name);
  if (broker === undefined) throw new TypeError(`no server has the protocol "${name}"`);
  return broker;
}
