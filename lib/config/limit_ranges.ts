/**
 * The range of each limit of a server and what must hold between them, for the options of the program and for those of
 * `serve()`.
 *
 * @module
 */

import { HEADER_BYTES, type Limits } from "../limits.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** The lowest and the highest value of each limit, in its unit. All are whole numbers. */
export const LIMIT_RANGES = {
  payloadBytes: [KiB, 64 * MiB],
  pendingBytes: [64 * KiB, 4096 * MiB],
  pendingTotalBytes: [64 * KiB, 1024 ** 4],
  channels: [1, 1e6],
  requests: [1, 65_535],
  connections: [1, 1e6],
  connectionsPerAddress: [1, 1e6],
  messagesPerSecond: [0, 1e9],
  bytesPerSecond: [0, 1024 ** 4],
  heartbeatSeconds: [1, 3600],
  handshakeMs: [100, 60_000],
  slowConsumerTimeoutMs: [100, 600_000],
  requestMs: [100, 3_600_000],
  drainMs: [0, 600_000],
  storeBytes: [MiB, 1024 ** 5],
  historyBytes: [64 * KiB, 1024 ** 4],
} as const satisfies Record<keyof Limits, readonly [min: number, max: number]>;

/**
 * Returns how `limits` contradict each other: relations that the range of a single limit cannot express.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { DEFAULT_LIMITS } from "../limits.ts";
 * import { contradictions } from "./limit_ranges.ts";
 *
 * assertEquals(contradictions(DEFAULT_LIMITS), []);
 * ```
 */
export function contradictions(limits: Limits): string[] {
  const found: string[] = [];
  if (limits.pendingBytes < limits.payloadBytes + HEADER_BYTES) {
    found.push(
      `limits.pendingBytes must be at least limits.payloadBytes and one header, ` +
        `${limits.payloadBytes + HEADER_BYTES} bytes, not ${limits.pendingBytes}`,
    );
  }
  if (limits.pendingTotalBytes < limits.pendingBytes) {
    found.push(
      `limits.pendingTotalBytes must be at least limits.pendingBytes, ${limits.pendingBytes} bytes, ` +
        `not ${limits.pendingTotalBytes}`,
    );
  }
  return found;
}
