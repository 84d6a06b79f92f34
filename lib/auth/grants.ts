/**
 * What a session may do: which channels it may publish on and subscribe to, and whether it may write to inboxes.
 *
 * @module
 */

import { channelProblem, covers, ECHO, isServerOwn } from "../wire/names.ts";
import { MAX_GRANTS } from "../limits.ts";

/** Grants as a token carries them. Names and patterns; an empty list grants nothing. */
export interface GrantLists {
  /** Where messages and requests may be published. */
  readonly publish: readonly string[];
  /** What may be subscribed to. */
  readonly subscribe: readonly string[];
  /** What may be responded to: the channels whose requests the session may be sent. */
  readonly respond: readonly string[];
  /** Whether messages to other sessions' inboxes are allowed. */
  readonly direct: boolean;
}

/**
 * Grants that can be asked. Each question goes through one list of at most {@linkcode MAX_GRANTS} patterns, so ask
 * when a channel is opened and keep the answer.
 *
 * Independent of the lists, `$echo` is open to all, and every other name that begins with `$` to nobody.
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
 * assert(!grants.mayDirect);
 * ```
 */
export class Grants {
  /** Whether messages to other sessions' inboxes are allowed. */
  readonly mayDirect: boolean;
  readonly #publish: readonly string[];
  readonly #subscribe: readonly string[];
  readonly #respond: readonly string[];

  /** `lists` are taken as they are; {@linkcode grantsProblem} says whether they are right. */
  constructor(lists: GrantLists) {
    this.mayDirect = lists.direct;
    this.#publish = [...lists.publish];
    this.#subscribe = [...lists.subscribe];
    this.#respond = [...lists.respond];
  }

  /** Whether messages and requests may be published on `channel`, a valid name. */
  mayPublish(channel: string): boolean {
    return isGranted(this.#publish, channel);
  }

  /**
   * Whether `channel`, a valid name or pattern, may be subscribed to. A pattern may where a single grant covers all of
   * it: finding out whether several do so together would take long, and be hard to foresee for whoever grants.
   */
  maySubscribe(channel: string): boolean {
    return isGranted(this.#subscribe, channel);
  }

  /**
   * Whether the session may be sent the requests on `channel`, a valid name or pattern. The rule for patterns is that
   * of {@linkcode Grants.maySubscribe}. Nobody responds on `$echo` but the server.
   */
  mayRespond(channel: string): boolean {
    return !isServerOwn(channel) && isGranted(this.#respond, channel);
  }
}

/** Every grant there is: what the first token of a server holds. */
export const EVERYTHING: GrantLists = { publish: [">"], subscribe: [">"], respond: [">"], direct: true };

function isGranted(patterns: readonly string[], channel: string): boolean {
  if (isServerOwn(channel)) return channel === ECHO;
  return patterns.some((pattern) => covers(pattern, channel));
}

/**
 * Says what is wrong with a list of grants, or nothing.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { grantsProblem } from "./grants.ts";
 *
 * assertEquals(grantsProblem(["chat.>", "jobs.resize"]), undefined);
 * assertEquals(grantsProblem(["$admin.>"]), '"$admin.>" is the server\'s own, which cannot be granted');
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
      return `${JSON.stringify(pattern)} is the server's own, which cannot be granted`;
    }
  }
  return undefined;
}
