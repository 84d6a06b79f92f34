/**
 * What a session may do: the channels it may publish on, subscribe to and respond on, whether it may write to inboxes,
 * and whether it may watch or administer the server.
 *
 * @module
 */

import { channelProblem, covers, ECHO, isServerOwn } from "../wire/names.ts";
import { MAX_GRANTS } from "../limits.ts";

/** Grants as a token carries them. The lists hold names and patterns; an empty list grants nothing. */
export interface GrantLists {
  /** Channels on which the session may send messages and requests. */
  readonly publish: readonly string[];
  /** Channels whose messages the session may receive. */
  readonly subscribe: readonly string[];
  /** Channels whose requests the session may be sent. */
  readonly respond: readonly string[];
  /** Whether the session may send messages to other sessions' inboxes. */
  readonly direct: boolean;
  /** Whether the session may ask what the server does: `$stats`. Left out: no, as in tokens from before this grant. */
  readonly monitor?: boolean;
  /** Whether it may change what the server does, too: `$admin`. Left out: no. */
  readonly admin?: boolean;
}

/** All that can be granted. The first token of a server holds this. */
export const ALL_GRANTS: GrantLists = {
  publish: [">"],
  subscribe: [">"],
  respond: [">"],
  direct: true,
  monitor: true,
  admin: true,
};

/**
 * The permissions that follow from grants. Each check walks one list of at most {@linkcode MAX_GRANTS} patterns, so
 * check when a channel is opened and keep the answer.
 *
 * Whatever the lists hold, every session may publish on and subscribe to `$echo`, and no session may use another name
 * that begins with `$`: `$stats` and `$admin` are not granted by name, but by `monitor` and `admin`.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { Grants } from "./grants.ts";
 *
 * const grants = new Grants({
 *   publish: ["jobs.*"],
 *   subscribe: ["jobs.*.done", "chat.>"],
 *   respond: ["jobs.*"],
 *   direct: false,
 * });
 * assert(grants.mayPublish("jobs.resize"));
 * assert(!grants.mayPublish("chat.lobby"));
 * assert(grants.maySubscribe("chat.*"));
 * assert(!grants.maySubscribe("jobs.>")); // only part of it is granted
 * assert(grants.mayRespond("jobs.resize"));
 * assert(!grants.mayRespond("chat.lobby")); // subscribing is another grant
 * assert(!grants.mayDirect && !grants.mayMonitor && !grants.mayAdmin);
 * ```
 */
export class Grants {
  /** Whether the session may send messages to other sessions' inboxes. */
  readonly mayDirect: boolean;
  /** Whether the session may ask what the server does. */
  readonly mayMonitor: boolean;
  /** Whether it may change what the server does; then it may also ask. */
  readonly mayAdmin: boolean;
  readonly #publish: readonly string[];
  readonly #subscribe: readonly string[];
  readonly #respond: readonly string[];

  /** Copies `lists` unchecked; see {@linkcode grantsProblem}. */
  constructor(lists: GrantLists) {
    this.mayDirect = lists.direct;
    this.mayAdmin = lists.admin === true;
    this.mayMonitor = this.mayAdmin || lists.monitor === true;
    this.#publish = [...lists.publish];
    this.#subscribe = [...lists.subscribe];
    this.#respond = [...lists.respond];
  }

  /** Whether the session may send messages and requests on `channel`, a valid name. */
  mayPublish(channel: string): boolean {
    return isGranted(this.#publish, channel);
  }

  /**
   * Whether the session may subscribe to `channel`, a valid name or pattern. A single grant must cover all of a
   * pattern: checking whether several grants cover it together would be expensive, and its outcome hard to foresee.
   */
  maySubscribe(channel: string): boolean {
    return isGranted(this.#subscribe, channel);
  }

  /**
   * Whether the session may be sent the requests on `channel`, a valid name or pattern, by the same rule as
   * {@linkcode Grants.maySubscribe}. Only the server responds on `$echo`.
   */
  mayRespond(channel: string): boolean {
    return !isServerOwn(channel) && isGranted(this.#respond, channel);
  }
}

function isGranted(patterns: readonly string[], channel: string): boolean {
  if (isServerOwn(channel)) return channel === ECHO;
  return patterns.some((pattern) => covers(pattern, channel));
}

/**
 * Says what is wrong with a list of grants, or returns undefined.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { grantsProblem } from "./grants.ts";
 *
 * assertEquals(grantsProblem(["chat.>", "jobs.resize"]), undefined);
 * assertEquals(grantsProblem(["$admin.>"]), '"$admin.>" is reserved for the server and cannot be granted');
 * ```
 */
export function grantsProblem(patterns: readonly string[]): string | undefined {
  if (patterns.length > MAX_GRANTS) {
    return `a token grants at most ${MAX_GRANTS} patterns of a kind, not ${patterns.length}; use wildcards`;
  }
  for (const pattern of patterns) {
    const problem = channelProblem(pattern);
    if (problem !== undefined) return problem;
    if (isServerOwn(pattern)) {
      return `${JSON.stringify(pattern)} is reserved for the server and cannot be granted`;
    }
  }
  return undefined;
}
