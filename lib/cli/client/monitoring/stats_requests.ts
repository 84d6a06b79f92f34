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

/** What a server says to an OPEN of its own channels if it has none but `$echo`. */
const HAS_ECHO_ONLY = /\$echo only$/;

/** Why the server does not tell about itself, with what to do. */
function explainStats(error: unknown, { server }: Client): unknown {
  if (error instanceof ApplicationError) {
    const code = error.code === "forbidden" ? Exit.REFUSED : Exit.FAILED;
    return new CommandError(`the server refuses: ${error.message}`, code);
  }
  if (!(error instanceof ParleyError) || error.code !== "forbidden") return error;
  if (HAS_ECHO_ONLY.test(error.message)) {
    return new CommandError(
      `the server (${server.name} ${server.version}) is older than this client and tells nothing about itself; ` +
        "update it",
    );
  }
  return new CommandError(
    "this session may not look at the server: with tokens it needs one issued with --monitor " +
      "(parley-server token issue --name NAME --monitor), and without tokens it must come from the server's own machine",
    Exit.REFUSED,
  );
}
