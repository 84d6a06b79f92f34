/**
 * The golden frames of `tests/vectors.json`, typed.
 *
 * @module
 */

import type { ErrorCode } from "../../lib/errors.ts";
import type { Header } from "../../lib/wire/header.ts";
import file from "../vectors.json" with { type: "json" };

/** One frame, and what is in it. */
export interface Vector {
  readonly name: string;
  readonly from: "client" | "server";
  readonly hex: string;
  readonly header: Header;
  /** An object where the type has a JSON payload, else hex. */
  readonly payload: string | Record<string, unknown>;
}

/** One frame that a server must refuse. */
export interface RefusedVector {
  readonly name: string;
  readonly phase: "before hello" | "after hello";
  readonly code: ErrorCode;
  readonly hex: string;
}

/** The number of the session whose frames these are. */
export const SESSION: number = file.session;
/** The payload limit they were made for. */
export const MAX_PAYLOAD: number = file.limits.payload;
/** The frames that are as they should be. */
export const VALID: readonly Vector[] = file.valid as unknown as Vector[];
/** The frames that are not. */
export const INVALID: readonly RefusedVector[] = file.invalid as RefusedVector[];
