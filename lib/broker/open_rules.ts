/**
 * What an OPEN may ask for, whatever the session has open: the rules that need no more than the frame itself.
 *
 * @module
 */

import type { ErrorCode } from "../errors.ts";
import type { Open } from "../wire/control.ts";
import { channelProblem, ECHO, isPattern, isServerOwn, overlaps } from "../wire/names.ts";
import { STATS } from "../wire/stats.ts";
import { type Permissions, REMOTE_PERMISSIONS } from "./authenticator.ts";
import type { Subscription } from "./peer.ts";
import { grantFor, SERVER_CHANNELS } from "./server_channels.ts";

/** Why an OPEN is refused. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
}

/** An OPEN that cannot be answered yet: the same frame must be offered again when the session is resumed. */
export const LATER = Symbol("later");

/** A refusal. */
export function refusal(code: ErrorCode, message: string): Refusal {
  return { code, message };
}

/** Why `open` is refused, if it is. */
export function openProblem(open: Open): Refusal | undefined {
  const { channel } = open;
  const problem = channelProblem(channel);
  if (problem !== undefined) return refusal("bad_channel", problem);
  const server = isServerOwn(channel) ? serverOwnProblem(open) : undefined;
  if (server !== undefined) return server;
  const combination = combinationProblem(open);
  if (combination !== undefined) return refusal("bad_payload", combination);
  return isPattern(channel) ? patternProblem(open) : undefined;
}

/** Why `open`, of a channel of the server's own, is refused, if it is, whatever the session may do. */
function serverOwnProblem({ channel, subscribe, respond, presence, group }: Open): Refusal | undefined {
  if (channel === ECHO) return undefined;
  if (isPattern(channel)) {
    return refusal("forbidden", `${channel} is a pattern, and the server's own channels are opened by name`);
  }
  const grant = grantFor(channel);
  if (grant === undefined) {
    const known = [ECHO, ...SERVER_CHANNELS].join(", ");
    return refusal(
      "forbidden",
      `${channel} would be the server's own, and it has no such channel; it has ${known}`,
    );
  }
  if (respond) return refusal("forbidden", `only the server responds on ${channel}`);
  if (!subscribe) return undefined;
  if (channel !== STATS) {
    return refusal("forbidden", `the server sends nothing on ${channel} by itself; send it a REQUEST`);
  }
  if (group === undefined && !presence) return undefined;
  return refusal("bad_payload", `OPEN "${presence ? "presence" : "group"}" has no place on ${channel}`);
}

/**
 * Why `permissions` do not allow all that `open` asks for, if they do not. What is not allowed is refused as a whole: half
 * of it looks like success.
 */
export function permissionProblem(open: Open, permissions: Permissions): Refusal | undefined {
  const { channel, subscribe, respond } = open;
  if (channel === ECHO) {
    return respond ? refusal("forbidden", `only the server responds on ${ECHO}`) : undefined;
  }
  const grant = grantFor(channel);
  if (grant !== undefined) return grantProblem(channel, grant, permissions);
  const what = isPattern(channel) ? "all of " : "";
  if (subscribe && !permissions.maySubscribe(channel)) return notAllowed(`subscribe to ${what}${channel}`);
  if (respond && !permissions.mayRespond(channel)) return notAllowed(`respond on ${what}${channel}`);
  const isForPublishing = !subscribe && !respond;
  return isForPublishing && !permissions.mayPublish(channel)
    ? notAllowed(`publish on ${channel}`)
    : undefined;
}

function grantProblem(
  channel: string,
  grant: "monitor" | "admin",
  permissions: Permissions,
): Refusal | undefined {
  if (grant === "admin" ? permissions.mayAdmin : permissions.mayMonitor) return undefined;
  return permissions === REMOTE_PERMISSIONS
    ? refusal(
      "forbidden",
      `${channel} is only for clients on the server's own machine: it asks for no tokens`,
    )
    : refusal("forbidden", `this session's token lacks the grant "${grant}", which ${channel} needs`);
}

/** The refusal of what a token does not allow. */
export function notAllowed(what: string): Refusal {
  return refusal("forbidden", `this session's token does not allow to ${what}`);
}

/** Why `open`, which is of a channel that is not stored, is refused, if it is. */
export function notStoredProblem(open: Open): Refusal | undefined {
  const problem = notDurableProblem(open);
  if (problem !== undefined || open.from === undefined) return problem;
  return refusal("bad_payload", `OPEN "from" needs a stored channel, which ${open.channel} is not`);
}

/** Why `open`, which is of a channel that is not durable, is refused, if it is. */
export function notDurableProblem({ channel, producer, consumer }: Open): Refusal | undefined {
  if (producer === undefined && consumer === undefined) return undefined;
  const what = producer === undefined ? "a consumer" : "a producer";
  return refusal("not_durable", `${channel} is not durable, so it has no place for ${what}`);
}

/** Why a stored channel cannot be read from `sequence` of `epoch` on, if it cannot. Without an epoch any sequence will do. */
export function placeProblem(
  channel: { readonly name: string; readonly epoch: string; readonly last: number },
  { sequence, epoch }: { readonly sequence: number; readonly epoch?: string },
): Refusal | undefined {
  const { name, last } = channel;
  if (epoch === undefined) return undefined;
  if (epoch !== channel.epoch) {
    return refusal("epoch_changed", `the sequences of ${name} began anew: its epoch is ${channel.epoch}`);
  }
  if (sequence <= last + 1) return undefined;
  return refusal("epoch_changed", `sequence ${sequence} is beyond the last of ${name}, ${last}`);
}

/** The refusal of another stored channel. */
export function tooManyStored(): Refusal {
  return refusal("limit", "the server stores as many channels as it may");
}

/** What is wrong with the options of `open` taken together, if anything is. */
function combinationProblem(open: Open): string | undefined {
  const { subscribe, presence, group, consumer, exclusive, from } = open;
  if (presence && !subscribe) return 'OPEN "presence" needs "subscribe"';
  if (exclusive && consumer === undefined) return 'OPEN "exclusive" needs "consumer"';
  if (from !== undefined && !subscribe) return 'OPEN "from" needs "subscribe"';
  if (group !== undefined && from !== undefined && from.kind !== "new") {
    return 'OPEN "from" of a group must be "new": its members share one place';
  }
  if (consumer === undefined) return undefined;
  if (!subscribe) return 'OPEN "consumer" needs "subscribe"';
  if (group !== undefined) return 'OPEN "consumer" does not go together with "group"';
  return isPattern(open.channel) ? 'OPEN "consumer" needs the name of one channel, not a pattern' : undefined;
}

function patternProblem(
  { channel, presence, subscribe, respond, producer, from }: Open,
): Refusal | undefined {
  if (presence || !(subscribe || respond)) {
    const message = `${channel} is a pattern, which is only for subscribing and responding; name one channel`;
    return refusal("bad_channel", message);
  }
  if (producer !== undefined) {
    return refusal("not_durable", `${channel} is a pattern; a producer has one channel`);
  }
  if (from === undefined || from.kind === "new" || from.kind === "last") return undefined;
  return refusal("bad_payload", 'OPEN "from" of a pattern must be "new" or "last"');
}

/** Why `subscription`, which replaces `before`, cannot stand beside `others` of its session, if it cannot. */
export function overlapProblem(
  subscription: Subscription,
  before: Subscription | undefined,
  others: Iterable<Subscription>,
): Refusal | undefined {
  for (const other of others) {
    if (other === before || !other.subscribe || !isShared(subscription) && !isShared(other)) continue;
    if (!overlaps(other.segments, subscription.segments)) continue;
    const message = `${nameOf(subscription)} overlaps ${nameOf(other)}, which this session has open`;
    return refusal("overlap", `${message}; leave that first`);
  }
  return undefined;
}

/** Whether each message goes to this subscription or to another one, so that it must not overlap others. */
export function isShared(subscription: Subscription | undefined): boolean {
  return subscription?.subscribe === true &&
    (subscription.group !== undefined || subscription.consumer !== undefined);
}

function nameOf({ segments, group, consumer }: Subscription): string {
  if (consumer !== undefined) return `${segments.join(".")} as consumer ${consumer}`;
  return segments.join(".") + (group === undefined ? "" : ` in group ${group}`);
}
