/**
 * The grammar of channel names and patterns, and when a pattern covers a name.
 *
 * @module
 */

import { MAX_CHANNEL_BYTES } from "../limits.ts";

const SEGMENT = /^[A-Za-z0-9_-]+$/;
const SERVER_SEGMENT = /^\$[A-Za-z0-9_-]+$/;

/** The channel on which the server answers every session itself. */
export const ECHO = "$echo";

/** Whether `channel` is meant as a pattern: it holds a wildcard somewhere, in its place or not. */
export function isPattern(channel: string): boolean {
  return channel.includes("*") || channel.includes(">");
}

/** Whether `channel` is the server's own: its first segment begins with `$`. */
export function isServerOwn(channel: string): boolean {
  return channel.startsWith("$");
}

/**
 * Says what is wrong with a channel name or pattern, or nothing.
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
 * Whether everything `inner` stands for is also covered by `outer`. Either may be a name or a pattern; a `$` name is
 * covered by no wildcard.
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
