/**
 * Connects by a network.
 *
 * @module
 */

import { checkOptions } from "./checks.ts";
import { ReconnectingClient } from "./client.ts";
import { Connector } from "./connector.ts";
import type { ConnectStep, Network } from "./network.ts";
import type { ConnectOptions } from "./options.ts";

/**
 * As `connect`, by `network`.
 *
 * @internal
 */
export async function connectBy(
  network: Network,
  options: ConnectOptions,
  stepDone?: (step: ConnectStep) => void,
): Promise<ReconnectingClient> {
  checkOptions("connect", options);
  const { reconnect } = options;
  if (typeof reconnect === "object") checkOptions("reconnect", reconnect);
  const client = new ReconnectingClient(new Connector(options, network, stepDone), options);
  await client.start(options.signal);
  return client;
}
