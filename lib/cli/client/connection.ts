/**
 * Connects for a command, and tells its user when the connection breaks and comes back.
 *
 * @module
 */

import type { Client } from "../../client/api.ts";
import type { Log } from "../../logging/log.ts";
import { connect } from "../../client/connect.ts";
import { countMessages } from "../../client/connection_types.ts";
import type { ClientEvent, Missing } from "../../client/events.ts";
import type { ConnectOptions } from "../../client/options.ts";
import { visible } from "../terminal.ts";
import type { CommandConnectOptions, Context } from "./command.ts";

/** Rejects when the client is over for a reason other than `client.close()`. Never resolves; race it. */
export async function connectionLost(client: Client): Promise<never> {
  const error = await client.closed;
  if (error !== undefined) throw error;
  return await new Promise<never>(() => {});
}

/**
 * Connects with `options`. Each notice about the connection goes to `printError`, unless the command takes it.
 *
 * @throws {ParleyError} as `connect`
 */
export function connectCommand(
  options: ConnectOptions,
  { reconnect = false, onError, onEvent, onNotice }: CommandConnectOptions,
  { log, printError }: Pick<Context, "log" | "printError">,
): Promise<Client> {
  const show = onNotice ?? printError;
  return connect({
    ...options,
    reconnect,
    onError,
    onEvent: (event) => {
      logEvent(event, log);
      onEvent?.(event);
      const text = describeEvent(event);
      if (text !== undefined) show(text);
    },
  });
}

/** Names that one line lists. More do not fit. */
const NAMES_SHOWN = 5;

/**
 * What a user must know of a change of the connection's state, in one line that is safe to show on a terminal;
 * undefined if that is nothing.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ParleyError } from "../../errors.ts";
 * import { describeEvent } from "./connection.ts";
 *
 * const error = new ParleyError("disconnected", "the connection to hub:7253 was reset");
 * assertEquals(
 *   describeEvent({ type: "interrupted", error, subscriptions: [], responders: [], unconfirmed: 2 }),
 *   "the connection to hub:7253 was reset; 2 messages may not have arrived; reconnecting",
 * );
 * assertEquals(
 *   describeEvent({ type: "missed", channel: "orders.new", from: 6, to: 10 }),
 *   "messages 6 to 10 are missing on orders.new: stored no longer",
 * );
 * ```
 */
export function describeEvent(event: ClientEvent): string | undefined {
  switch (event.type) {
    case "interrupted": {
      const { error, unconfirmed } = event;
      const parts = [error.message];
      if (unconfirmed > 0) parts.push(`${countMessages(unconfirmed)} may not have arrived`);
      return visible([...parts, "reconnecting"].join("; "));
    }
    case "resumed": {
      const { interruptedMs, subscriptions, missing, responders, kept } = event;
      const parts = [`connected again after ${(interruptedMs / 1000).toFixed(1)} s`];
      if (subscriptions.length > 0) parts.push(`messages on ${listNames(subscriptions)} may be missing`);
      for (const each of missing.slice(0, NAMES_SHOWN)) parts.push(describeMissing(each));
      if (responders.length > 0) parts.push(`requests on ${listNames(responders)} are answered again`);
      if (kept > 0) parts.push(`${countMessages(kept)} kept meanwhile ${kept === 1 ? "is" : "are"} sent now`);
      return visible(parts.join("; "));
    }
    case "missed":
      return visible(describeMissing(event));
    default:
      return undefined;
  }
}

function describeMissing({ channel, from, to }: Missing): string {
  if (to === undefined) return `${channel} began anew: messages from ${from} on may be missing`;
  const which = from === to ? `message ${from} is` : `messages ${from} to ${to} are`;
  return `${which} missing on ${channel}: stored no longer`;
}

function logEvent(event: ClientEvent, log: Log): void {
  if (event.type === "interrupted") {
    const { error, subscriptions, responders, unconfirmed } = event;
    log.info("connection interrupted", { error, subscriptions, responders, unconfirmed });
  } else if (event.type === "resumed") {
    const { sessionId: number, previousSessionId: previous, interruptedMs, kept } = event;
    const { recovered, missing } = event;
    const times = { interruptedMs: Math.round(interruptedMs), kept, recovered };
    log.info("connection resumed", { number, previous, ...times, missing: missing.map(describeMissing) });
  } else if (event.type === "missed") {
    log.warn("messages missed", { channel: event.channel, from: event.from, to: event.to });
  } else if (event.type === "connecting") {
    log.debug("connecting", { attempt: event.attempt, server: event.server });
  }
}

function listNames(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN).join(", ");
  return names.length > NAMES_SHOWN ? `${shown} and ${names.length - NAMES_SHOWN} more` : shown;
}
