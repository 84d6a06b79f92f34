/**
 * Walks the frames of captured bytes and checks each as a receiver does, with the receiver's own scanner.
 *
 * @module
 */

import { MAX_FRAME_BYTES } from "../../../client/limits.ts";
import { HEADER_BYTES } from "../../../limits.ts";
import { decodeControl, SCHEMAS } from "../../../wire/control.ts";
import {
  FIRST_EXTENSION,
  type Header,
  MESSAGE_HEADERS,
  readHeader,
  RULES,
  Type,
} from "../../../wire/header.ts";
import { decodeMessageHeaders } from "../../../wire/message_headers.ts";
import { type FrameHandler, type Role, Scanner } from "../../../wire/scanner.ts";
import { countOf } from "./payload_dump.ts";

/** What is wrong with captured bytes. */
export interface Malformation {
  /** The offset of the first byte that is wrong, from the start of the capture. */
  readonly at: number;
  /** What was expected and what came. */
  readonly text: string;
}

/** A frame of a capture, or the bytes at its end that are none. */
export interface CapturedFrame {
  /** Its offset from the start of the capture. */
  readonly at: number;
  /** Undefined if there is no whole header. */
  readonly header: Header | undefined;
  /** The payload, which the end of the capture may cut short; without a header, all bytes that are left. */
  readonly payload: Uint8Array;
  /** The end that sent it, if only one may send its type. */
  readonly from: "client" | "server" | undefined;
  readonly problem: Malformation | undefined;
}

const TAKES_ALL: FrameHandler = { run: (_bytes, _from, to) => to, frame: () => true, skip: () => true };

/**
 * Yields the frames of `bytes`. Both directions may be mixed. After a frame that is malformed it goes on behind it, if
 * its length can be believed; after bytes that are no frame there is nothing to go on with.
 */
export function* capturedFrames(bytes: Uint8Array): Generator<CapturedFrame> {
  let role: Role | undefined;
  for (let at = 0; at < bytes.length;) {
    const rest = bytes.subarray(at);
    if (rest.length < HEADER_BYTES) {
      const text = `expected a header of ${HEADER_BYTES} bytes, got the last ${countOf(rest.length)}`;
      yield { at, header: undefined, payload: rest, from: undefined, problem: { at, text } };
      return;
    }
    const header = readHeader(rest);
    const rule = RULES[header.type];
    const isFrame = (rule !== undefined || header.type >= FIRST_EXTENSION) &&
      header.length <= MAX_FRAME_BYTES;
    const from = rule === undefined || rule.from === "both" ? undefined : rule.from;
    if (from !== undefined) role = from === "client" ? "server" : "client";
    const payload = rest.subarray(HEADER_BYTES, HEADER_BYTES + header.length);
    const problem = headerProblem(rest, at, role) ?? payloadProblem(header, payload, at);
    if (!isFrame) {
      yield { at, header: undefined, payload: rest, from, problem };
      return;
    }
    yield { at, header, payload, from, problem };
    at += HEADER_BYTES + header.length;
  }
}

/** What the scanner of the receiver says of a header. If it may be either one, only what both say counts. */
function headerProblem(frame: Uint8Array, at: number, role: Role | undefined): Malformation | undefined {
  const roles: Role[] = role === undefined ? ["server", "client"] : [role];
  const violations = roles.map((role) => {
    const scanner = new Scanner(role, MAX_FRAME_BYTES);
    if (frame[0] !== Type.HELLO && frame[0] !== Type.WELCOME) scanner.greeted();
    scanner.scan(frame, Math.min(frame.length, HEADER_BYTES), TAKES_ALL);
    return scanner.violation;
  });
  const violation = violations[0];
  if (violation === undefined || violations.includes(undefined)) return undefined;
  return { at: at + violation.at, text: violation.message };
}

function payloadProblem(header: Header, payload: Uint8Array, at: number): Malformation | undefined {
  const start = at + HEADER_BYTES;
  if (payload.length < header.length) {
    const text = `expected ${countOf(header.length)} of payload, got the last ${countOf(payload.length)}`;
    return { at: start, text };
  }
  const rule = RULES[header.type];
  if (rule !== undefined && rule.name in SCHEMAS) {
    const frame = new Uint8Array(HEADER_BYTES + payload.length);
    frame.set(payload, HEADER_BYTES);
    const decoded = decodeControl(rule.name as keyof typeof SCHEMAS, frame, 0, frame.length);
    // What this version of a server does not do yet is well formed all the same.
    if ("problem" in decoded && !decoded.problem.includes("this server")) {
      return { at: start, text: decoded.problem };
    }
  }
  if (rule?.payload === "content" && (header.flags & MESSAGE_HEADERS) !== 0) {
    const decoded = decodeMessageHeaders(payload);
    if ("problem" in decoded) return { at: start, text: decoded.problem };
  }
  return undefined;
}
