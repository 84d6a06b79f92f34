/**
 * The names of frame types for people.
 *
 * @module
 */

import { FIRST_EXTENSION, RULES } from "./header.ts";

/** The name of a frame type for people: `MESSAGE`, `extension 0x80`, `unknown type 0x47`. */
export function typeName(type: number): string {
  const hex = `0x${type.toString(16).padStart(2, "0")}`;
  return RULES[type]?.name ?? (type >= FIRST_EXTENSION ? `extension ${hex}` : `unknown type ${hex}`);
}
