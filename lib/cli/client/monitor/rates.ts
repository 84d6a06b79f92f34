/**
 * What happens at a server in a second: the difference of two moments.
 *
 * @module
 */

import type { ServerStats } from "../../../wire/stats.ts";

/** How often each thing happens, per second. */
export interface Rates {
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly unheard: number;
  readonly asked: number;
  readonly answered: number;
  readonly refused: number;
  readonly late: number;
  readonly errors: number;
  readonly commits: number;
  /** What a commit took on average, in milliseconds; 0 if there was none. */
  readonly commitMs: number;
}

/** The rates between two moments; undefined if the server was started anew in between, or no time has passed. */
export function ratesBetween(before: ServerStats | undefined, now: ServerStats): Rates | undefined {
  if (before === undefined) return undefined;
  const seconds = now.uptimeSeconds - before.uptimeSeconds;
  if (seconds <= 0) return undefined;
  const rate = (valueOf: (stats: ServerStats) => number) =>
    Math.max(0, valueOf(now) - valueOf(before)) / seconds;
  const commits = rate(({ store }) => store?.commits ?? 0);
  const commitSeconds = rate(({ store }) => store?.commitSeconds ?? 0);
  return {
    messagesIn: rate((stats) => stats.messagesIn),
    messagesOut: rate((stats) => stats.messagesOut),
    bytesIn: rate((stats) => stats.bytesIn),
    bytesOut: rate((stats) => stats.bytesOut),
    unheard: rate((stats) => stats.unheard),
    asked: rate(({ requests }) => requests.asked),
    answered: rate(({ requests }) => requests.answered),
    refused: rate(({ requests }) => requests.refused),
    late: rate(({ requests }) => requests.late),
    errors: rate(countErrors),
    commits,
    commitMs: commits === 0 ? 0 : commitSeconds / commits * 1000,
  };
}

/** All ERROR frames that the server has sent. */
export function countErrors({ errors }: ServerStats): number {
  return Object.values(errors).reduce((sum, count) => sum + count, 0);
}
