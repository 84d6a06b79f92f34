/**
 * Formats frames for `--trace`: a line that sums a frame up, and below it every field with its bytes and its meaning.
 *
 * @module
 */

import type { Trace } from "../../../client/options.ts";
import { type Header, INBOX, KIND_MASK, MESSAGE_HEADERS, RECEIPT, Type } from "../../../wire/header.ts";
import { typeName } from "../../../wire/type_name.ts";
import type { Paint } from "../../terminal.ts";
import { formatFrameRows } from "./frame_dump.ts";
import type { Mask } from "./masking.ts";
import { countOf } from "./payload_dump.ts";

const KINDS = ["bytes", "text", "json", "kind-3"];
const MESSAGE_TYPES: readonly number[] = [Type.MESSAGE, Type.REQUEST, Type.REPLY];

/** Room for the names of both ends, if the session's number has up to four digits. */
const ENDS_WIDTH = 21;

/**
 * Sees frames, and prints each with `printLine`.
 *
 * @param mask hides tokens
 * @param paint makes the lines that sum up stand out
 * @param now the clock, in milliseconds; the first frame counts as 0
 */
export function makeTrace(
  printLine: (text: string) => void,
  mask: Mask,
  paint: Paint,
  now: () => number,
): Trace {
  let start: number | undefined;
  return (way, header, payload, sessionId) => {
    const at = now();
    const ms = at - (start ??= at);
    const rows = formatFrameRows(header, payload, mask);
    const summary = paint(way === "out" ? "cyan" : "green", formatSummary(way, header, sessionId, ms));
    printLine([summary, ...rows].join("\n"));
  };
}

/**
 * Formats the time, both ends and the direction, the type, the fields that are not 0, and the length of the payload.
 *
 * @param sessionId 0 before the session has an id
 * @param ms milliseconds since the first frame
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { formatSummary } from "./trace.ts";
 *
 * const header = { type: 0x20, flags: 1, id: 0, length: 5, channel: 3, sender: 17 };
 * assertEquals(
 *   formatSummary("out", header, 17, 12.34),
 *   "  12.3 ms  session 17 > server   MESSAGE  text channel=3 sender=17 5 bytes",
 * );
 * ```
 */
export function formatSummary(way: "in" | "out", header: Header, sessionId: number, ms: number): string {
  const ends = `${sessionId === 0 ? "client" : `session ${sessionId}`} ${way === "out" ? ">" : "<"} server`;
  const type = typeName(header.type).padEnd(7);
  return `${ms.toFixed(1).padStart(6)} ms  ${ends.padEnd(ENDS_WIDTH)} ${type}  ${formatFields(header)}`;
}

/** The fields of a header that are not 0, and the length of the payload: `text channel=3 sender=17 5 bytes`. */
export function formatFields({ type, flags, id, length, channel, sender }: Header): string {
  const fields: string[] = [];
  if (MESSAGE_TYPES.includes(type)) fields.push(KINDS[flags & KIND_MASK]);
  if ((flags & RECEIPT) !== 0) fields.push("receipt");
  if ((flags & MESSAGE_HEADERS) !== 0) fields.push("headers");
  if (id !== 0) fields.push(`id=${id}`);
  if (channel >= INBOX) fields.push(`inbox=${channel - INBOX}`);
  else if (channel !== 0) fields.push(`channel=${channel}`);
  if (sender !== 0) fields.push(`sender=${sender}`);
  fields.push(countOf(length));
  return fields.join(" ");
}
