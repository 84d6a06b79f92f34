/**
 * Asks the server about itself, and explains why it may not answer.
 *
 * @module
 */

import type { GenericSchema } from "valibot";
import type { Client, Subscription } from "../../../client/api.ts";
import type { Message } from "../../../client/message_types.ts";
import { ApplicationError, ParleyError } from "../../../errors.ts";
import { STATS, type StatsRequests } from "../../../wire/stats.ts";
import { CommandError, Exit } from "../../failures.ts";
import { SCHEMAS } from "./stats_schemas.ts";

/** A request that the commands send. */
export type Question = keyof typeof SCHEMAS & keyof StatsRequests;

/**
 * Sends a request to the server itself.
 *
 * @throws {CommandError} if the session may not look, or the server has nothing of the kind, or refuses the request
 * @throws {ParleyError} as `Client.request`
 */
export async function askStats<C extends Question>(
  client: Client,
  channel: C,
  ask: StatsRequests[C]["ask"],
  timeoutMs?: number,
): Promise<StatsRequests[C]["reply"]> {
  const reply = await client.request(channel, { json: ask }, { timeoutMs }).catch((error) => {
    throw explainStats(error, client);
  });
  return readStats(channel, reply);
}

/**
 * Subscribes to what the server says of itself each second.
 *
 * @throws {CommandError} as {@linkcode askStats}
 */
export function watchStats(client: Client): Promise<Subscription> {
  return client.subscribe(STATS).catch((error) => {
    throw explainStats(error, client);
  });
}

/**
 * What a message of the server's own channels says.
 *
 * @throws {CommandError} if it is not what this version knows
 */
export function readStats<C extends Question>(channel: C, message: Message): StatsRequests[C]["reply"] {
  try {
    return message.json(SCHEMAS[channel] as unknown as GenericSchema<unknown, StatsRequests[C]["reply"]>);
  } catch (error) {
    if (!(error instanceof ParleyError)) throw error;
    throw new CommandError(`${error.message}; server and client may be of versions that do not fit`);
  }
}

/** What a server says to an OPEN of one of its own channels that it does not have. */
const HAS_NONE = /\$echo only$|it has no such channel/;

/** Why the server does not tell about itself, with what to do. */
function explainStats(error: unknown, { server }: Client): unknown {
  if (error instanceof ApplicationError) return new CommandError(`the server refuses: ${error.message}`);
  if (!(error instanceof ParleyError) || error.code !== "forbidden") return error;
  if (HAS_NONE.test(error.message)) {
    const version = `${server.name} ${server.version}`;
    return new CommandError(
      `the server (${version}) is older than this client, and does not tell this about itself; update it`,
    );
  }
  const advice = "issue one with parley-server token issue --name NAME --monitor";
  const text = error.message.includes("token") && error.message.includes('"monitor"')
    ? `${error.message}; ${advice}`
    : error.message;
  return new CommandError(text, Exit.REFUSED);
}
