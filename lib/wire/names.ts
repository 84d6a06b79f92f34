/**
 * The grammar of channel names and patterns, and when a pattern covers a name.
 *
 * @module
 */

import { MAX_CHANNEL_BYTES, MAX_CHANNEL_SEGMENTS } from "../limits.ts";

const SEGMENT = /^[A-Za-z0-9_-]+$/;
const SERVER_SEGMENT = /^\$[A-Za-z0-9_-]+$/;

/** The channel on which the server itself answers every session. */
export const ECHO = "$echo";

/** Whether `channel` is meant as a pattern: it holds a wildcard somewhere, allowed there or not. */
export function isPattern(channel: string): boolean {
  return channel.includes("*") || channel.includes(">");
}

/** Whether `channel` belongs to the server: its first segment begins with `$`. */
export function isServerOwn(channel: string): boolean {
  return channel.startsWith("$");
}

/**
 * Returns what is wrong with a channel name or pattern, or `undefined`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { channelProblem } from "./names.ts";
 *
 * assertEquals(channelProblem("chat.lobby"), undefined);
 * assertEquals(channelProblem("chat.*.>"), undefined);
 * assertEquals(channelProblem("chat..lobby"), 'segment 2 of "chat..lobby" is empty; segments are joined by one "."');
 * ```
 */
export function channelProblem(channel: string): string | undefined {
  if (channel.length === 0) return "a channel name has at least one character";
  if (channel.length > MAX_CHANNEL_BYTES) {
    return `a channel name has at most ${MAX_CHANNEL_BYTES} bytes, this one ${channel.length}`;
  }
  const segments = channel.split(".");
  if (segments.length > MAX_CHANNEL_SEGMENTS) {
    return `a channel name has at most ${MAX_CHANNEL_SEGMENTS} segments, this one ${segments.length}`;
  }
  for (let i = 0; i < segments.length; i++) {
    const segment = segments[i];
    if (SEGMENT.test(segment) || segment === "*") continue;
    if (segment === ">" && i === segments.length - 1) continue;
    if (i === 0 && SERVER_SEGMENT.test(segment)) continue;
    const where = `segment ${i + 1} of ${JSON.stringify(channel)}`;
    if (segment === "") return `${where} is empty; segments are joined by one "."`;
    if (segment === ">") return `${where} is ">", which may only be the last`;
    return `${where} may hold A-Z a-z 0-9 _ - only, or be "*" or a last ">"`;
  }
  return undefined;
}

/**
 * Whether `outer` covers every name that `inner` stands for. Either may be a name or a pattern; no wildcard covers a
 * `$` name.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { covers } from "./names.ts";
 *
 * assert(covers("chat.>", "chat.lobby"));
 * assert(covers("chat.>", "chat.*"));
 * assert(!covers("chat.*", "chat.>"));
 * assert(!covers("chat.>", "chat"));
 * ```
 */
export function covers(outer: string, inner: string): boolean {
  const out = outer.split(".");
  const inn = inner.split(".");
  for (let i = 0; i < out.length; i++) {
    if (i === 0 && isServerOwn(inner) && out[0] !== inn[0]) return false;
    if (i >= inn.length) return false;
    if (out[i] === ">") return true;
    if (inn[i] === ">") return false;
    if (out[i] !== "*" && out[i] !== inn[i]) return false;
  }
  return out.length === inn.length;
}

/**
 * Whether some name is covered by both `one` and `other`, each a name or a pattern, cut into segments.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { overlaps } from "./names.ts";
 *
 * const cut = (channel: string) => channel.split(".");
 * assert(overlaps(cut("jobs.*"), cut("*.resize")));
 * assert(overlaps(cut("jobs.>"), cut("jobs.resize.large")));
 * assert(!overlaps(cut("jobs.*"), cut("jobs.resize.large")));
 * ```
 */
export function overlaps(one: readonly string[], other: readonly string[]): boolean {
  const shared = Math.min(one.length, other.length);
  for (let i = 0; i < shared; i++) {
    // The server's own names are covered by no wildcard.
    if (i === 0 && one[0] !== other[0] && (isServerOwn(one[0]) || isServerOwn(other[0]))) return false;
    if (one[i] === ">" || other[i] === ">") return true;
    if (one[i] !== other[i] && one[i] !== "*" && other[i] !== "*") return false;
  }
  return one.length === other.length;
}
