/**
 * What a peer did wrong, when its byte stream breaks the protocol.
 *
 * @module
 */

import type { ErrorCode } from "../errors.ts";
import { typeName, u16, u32 } from "./header.ts";

/** The reason why a stream cannot go on. */
export interface Violation {
  readonly code: ErrorCode;
  readonly message: string;
  /** The id and channel of the offending frame, 0 if it was no frame. */
  readonly id: number;
  readonly channel: number;
  /** Which byte of the offending frame is wrong: the offset of the field, from the start of the frame. */
  readonly at: number;
}

/** The offsets of the fields of a header. */
const AT = { type: 0, flags: 1, id: 2, length: 4, channel: 8, sender: 12 } as const;

/** A violation by the header at `at`. */
export function violation(
  bytes: Uint8Array,
  at: number,
  field: keyof typeof AT,
  code: ErrorCode,
  message: string,
): Violation {
  return { code, message, id: u16(bytes, at + 2), channel: u32(bytes, at + 8), at: AT[field] };
}

/** A `bad_frame`. */
export function bad(bytes: Uint8Array, at: number, field: keyof typeof AT, message: string): Violation {
  return violation(bytes, at, field, "bad_frame", message);
}

/** The violation of bytes that begin with no frame type. */
export function notAFrame(bytes: Uint8Array, at: number): Violation {
  const message = `${typeName(bytes[at])}: not a Parley frame${hint(bytes, at)}`;
  return { code: "bad_frame", message, id: 0, channel: 0, at: AT.type };
}

/** Names what else the bytes may be. Most clients on a wrong port speak one of these. */
function hint(bytes: Uint8Array, at: number): string {
  if (bytes[at] === 0x16 && bytes[at + 1] === 0x03) return "; this looks like TLS, but the port is plain TCP";
  const start = String.fromCharCode(...bytes.subarray(at, at + 6));
  if (/^(GET |POST |HEAD |PUT |OPTIO|HTTP\/)/.test(start)) return "; this looks like HTTP";
  if (start.startsWith("PROXY ") || start.startsWith("\r\n\r\n\0\r")) {
    return "; this looks like a PROXY protocol header, which Parley does not read: turn it off in the proxy";
  }
  return "";
}
