/**
 * A channel that a session has open by name, and why it may not be used for something.
 *
 * @module
 */

import { INBOX, Type } from "../wire/header.ts";
import { typeName } from "../wire/type_name.ts";
import type { Channel } from "./channel.ts";
import { type Refusal, refusal } from "./open_rules.ts";
import type { StoredPublisher } from "./stored/stored_publisher.ts";

/** A channel that the session has open by name. */
export interface OpenChannel {
  /** That of the channel, kept here too: reading it there makes a run on one of many channels 5% slower. */
  readonly number: number;
  readonly channel: Channel;
  /** Whether it is `$echo`, which the server answers itself. */
  readonly isEcho: boolean;
  /** Whether it is another one of the server's own, such as `$stats`. */
  readonly isServerOwn: boolean;
  readonly mayPublish: boolean;
  /** Whether what the session publishes here goes to the router, as on most channels. */
  readonly isRouted: boolean;
  /** Where it goes if the channel is stored. */
  readonly publisher: StoredPublisher | undefined;
}

/** Why nothing may be sent on the channel `number`, which the session has open as `open`, or not at all. */
export function publishProblem(open: OpenChannel | undefined, number: number): Refusal {
  if (open === undefined) return refusal("not_open", `channel ${number} is not open; OPEN it first`);
  const { name } = open.channel;
  if (!open.isServerOwn) return refusal("forbidden", `not permitted to publish on ${name}`);
  const what = open.mayPublish ? "takes requests, not messages" : "only carries messages of the server";
  return refusal("forbidden", `${name} ${what}`);
}

/** Why a frame of this type, about a receipt, has no place on the channel `number`, open as `open` or not at all. */
export function receiptProblem(type: number, open: OpenChannel | undefined, number: number): Refusal {
  const needsPublish = type === Type.MESSAGE;
  if (number < INBOX && (open === undefined || (needsPublish && !open.mayPublish))) {
    return publishProblem(open, number);
  }
  const where = open?.channel.name ?? "an inbox";
  const what = needsPublish ? "MESSAGE with a receipt" : typeName(type);
  return refusal("not_durable", `${what} needs a durable channel, and ${where} is not one`);
}
