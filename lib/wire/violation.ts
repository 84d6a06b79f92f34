/**
 * What a peer did wrong, when its byte stream breaks the protocol.
 *
 * @module
 */

import type { ErrorCode } from "../errors.ts";
import { type FrameScanner, lengthsOf, type Role } from "./frame_scanner.ts";
import { FIRST_EXTENSION, RULES, type TypeRule, u16, u32 } from "./header.ts";
import { typeName } from "./type_name.ts";

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

/** What a scanner has found: the fault of the frame at `at`, and what it depends on. */
export type FaultFound = Pick<FrameScanner, "fault" | "role" | "sender" | "payloadLimit">;

/** Says what is wrong with the header at `at`, in which `found` has found a fault. */
export function describeFault(found: FaultFound, bytes: Uint8Array, at: number): Violation {
  const type = bytes[at];
  const rule = RULES[type];
  if (rule === undefined && type < FIRST_EXTENSION) return notAFrame(bytes, at);
  const [field, message, code = "bad_frame"] = explain(found, rule, bytes, at);
  return { code, message, id: u16(bytes, at + 2), channel: u32(bytes, at + 8), at: AT[field] };
}

type Explanation = [field: keyof typeof AT, message: string, code?: ErrorCode];

function explain(found: FaultFound, rule: TypeRule | undefined, bytes: Uint8Array, at: number): Explanation {
  const { fault, role, sender: expected } = found;
  const type = bytes[at];
  const name = typeName(type);
  const flags = bytes[at + 1];
  const id = u16(bytes, at + 2);
  const length = u32(bytes, at + 4);
  const channel = u32(bytes, at + 8);
  const sender = u32(bytes, at + 12);
  const hex = `0x${flags.toString(16)}`;
  switch (fault) {
    case "first": {
      const first = role === "server" ? "HELLO" : "WELCOME";
      return ["type", `expected ${first} as the first frame, got ${name}`, "bad_hello"];
    }
    case "limit": {
      const what = rule?.payload === "json" ? `payload of ${name}` : "payload";
      const text = `${what} of ${length} bytes; the limit is ${found.payloadLimit(rule)}`;
      return ["length", text, "too_large"];
    }
    case "sender":
      return ["sender", `sender is ${sender}, but this session's number is ${expected}`];
    case "direction":
      return ["type", `a ${role === "server" ? "client" : "server"} must not send ${name}`];
    case "second_hello":
      return ["type", "a second HELLO in one session"];
    case "hello_sender":
      return ["sender", `sender of HELLO must be 0, got ${sender}`];
    case "flags":
      return ["flags", `flags ${hex} set bits that must be 0`];
    case "kind":
      return ["flags", "content kind 3 is reserved; use 0, 1 or 2"];
    case "headers":
      return ["flags", `${name} cannot have message headers (flag 0x08)`];
    case "id":
      return ["id", `id of ${name} must ${id === 0 ? "not be 0" : `be 0, got ${id}`}`];
    case "receipt":
      return ["id", `MESSAGE with id ${id} and flags ${hex}: id and receipt flag go together`];
    case "ack_id":
      return ["id", `id of a client's ACK must be 0, got ${id}`];
    case "channel":
      return ["channel", explainChannel(rule, channel)];
    default:
      return explainLength(rule!, role, length);
  }
}

function explainChannel(rule: TypeRule | undefined, channel: number): string {
  const name = rule?.name;
  switch (rule?.channel) {
    case "zero":
      return `channel of ${name} must be 0, got ${channel}`;
    case "target":
      return `${name} needs a channel or an inbox, got 0`;
    case "number":
      return `${name} needs a channel number, got ${channel === 0 ? "0" : "an inbox"}`;
    default:
      return `${name} goes to an inbox, got channel ${channel}`;
  }
}

function explainLength(rule: TypeRule, role: Role, length: number): Explanation {
  const { name, payload } = rule;
  if (typeof payload === "object" && "max" in payload) {
    return ["length", `${name} carries at most ${payload.max} bytes, got ${length}`, "too_large"];
  }
  const allowed = lengthsOf(rule, role);
  const code = length > Math.max(...allowed) ? "too_large" : "bad_frame";
  return ["length", `${name} carries ${allowed.join(" or ")} bytes, got ${length}`, code];
}

/** The violation of bytes that begin with no frame type. */
function notAFrame(bytes: Uint8Array, at: number): Violation {
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
