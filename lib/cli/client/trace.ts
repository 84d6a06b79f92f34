/**
 * Formats a frame in one line for `--trace`: its header, but not its payload, which may be private.
 *
 * @module
 */

import {
  type Header,
  INBOX,
  KIND_MASK,
  MESSAGE_HEADERS,
  RECEIPT,
  Type,
  typeName,
} from "../../wire/header.ts";

const KINDS = ["bytes", "text", "json", "kind-3"];
const MESSAGE_TYPES: readonly number[] = [Type.MESSAGE, Type.REQUEST, Type.REPLY];

/**
 * Formats the time (milliseconds since the start), the direction (`>` to the server, `<` from it), the type, the fields
 * that are not 0, and the length of the payload.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { formatTrace } from "./trace.ts";
 *
 * const header = { type: 0x20, flags: 1, id: 0, length: 5, channel: 3, sender: 17 };
 * assertEquals(formatTrace("out", header, 12.34), "   12.3 ms > MESSAGE  text channel=3 sender=17 5 bytes");
 * ```
 */
export function formatTrace(direction: "in" | "out", header: Header, ms: number): string {
  const { type, flags, id, length, channel, sender } = header;
  const fields: string[] = [];
  if (MESSAGE_TYPES.includes(type)) fields.push(KINDS[flags & KIND_MASK]);
  if ((flags & RECEIPT) !== 0) fields.push("receipt");
  if ((flags & MESSAGE_HEADERS) !== 0) fields.push("headers");
  if (id !== 0) fields.push(`id=${id}`);
  if (channel >= INBOX) fields.push(`inbox=${channel - INBOX}`);
  else if (channel !== 0) fields.push(`channel=${channel}`);
  if (sender !== 0) fields.push(`sender=${sender}`);
  fields.push(length === 1 ? "1 byte" : `${length} bytes`);
  const clock = ms.toFixed(1).padStart(7);
  return `${clock} ms ${direction === "out" ? ">" : "<"} ${typeName(type).padEnd(8)} ${fields.join(" ")}`;
}
