/**
 * Describes times, and what depends on clocks: how two of them differ, how long a certificate or token is valid.
 *
 * @module
 */

import { NOT_BEFORE_TOLERANCE_SECONDS } from "../../../limits.ts";
import type { CertificateDetails } from "./peer_certificate.ts";

const UNITS: readonly [name: string, ms: number][] = [
  ["days", 86_400_000],
  ["hours", 3_600_000],
  ["minutes", 60_000],
  ["seconds", 1_000],
];

/** What a program needs to be told of in time. Certificates are renewed by then; tokens may be short-lived. */
const SOON_MS = { certificate: 3 * 86_400_000, token: 10 * 60_000 };

/** Formats a time span in the largest unit of which it has at least two: `90 minutes`, `3 days`. */
export function describeSpan(ms: number): string {
  const [name, unitMs] = UNITS.find(([, unitMs]) => ms >= 2 * unitMs) ?? UNITS[UNITS.length - 1];
  return `${Math.round(ms / unitMs)} ${name}`;
}

/** Formats a time in minutes, with what is left or past of it: `2026-12-25T12:00Z, in 30 days`. */
export function describeTime(time: Date, nowMs: number): string {
  const leftMs = time.getTime() - nowMs;
  const span = leftMs >= 0 ? `in ${describeSpan(leftMs)}` : `${describeSpan(-leftMs)} ago`;
  return `${formatTime(time)}, ${span}`;
}

/** Whether what is valid until `time` has ended, or will so soon that it deserves a warning. */
export function endsSoon(what: keyof typeof SOON_MS, time: Date, nowMs: number): boolean {
  return time.getTime() - nowMs < SOON_MS[what];
}

/** Describes a certificate: its names, its issuers, and how long it is valid. */
export function describeCertificate(
  { names, chain: [, ...issuers], notBefore, notAfter }: CertificateDetails,
  nowMs: number,
): string {
  const issued = issuers.length === 0
    ? "signed by itself"
    : `issued by ${issuers.join(", which is issued by ")}`;
  const isFuture = notBefore.getTime() > nowMs;
  const valid = isFuture
    ? `valid from ${describeTime(notBefore, nowMs)}`
    : `valid until ${describeTime(notAfter, nowMs)}`;
  return `for ${names.join(", ") || "no name"}; ${issued}; ${valid}`;
}

/**
 * Compares the server's clock with this one.
 *
 * @param server undefined if the server does not tell
 */
export function compareClocks(
  server: Date | undefined,
  hereMs: number,
): { readonly status: "ok" | "warn"; readonly text: string; readonly details?: object } {
  if (server === undefined) return { status: "ok", text: "the server does not tell its time" };
  const aheadMs = server.getTime() - hereMs;
  const details = { serverTime: server, aheadMs };
  const size = Math.abs(aheadMs);
  if (size < 1000) return { status: "ok", text: "the server's differs by less than a second", details };
  const text = `the server's is ${describeSpan(size)} ${aheadMs > 0 ? "ahead" : "behind"}`;
  if (size <= NOT_BEFORE_TOLERANCE_SECONDS * 1000) return { status: "ok", text, details };
  const both = `there it is ${formatTime(server)}, here ${formatTime(new Date(hereMs))}`;
  const advice = "set the clock that is wrong, because tokens and certificates depend on it";
  return { status: "warn", text: `${text}: ${both}; ${advice}`, details };
}

/** RFC 3339 in minutes. */
function formatTime(time: Date): string {
  return `${time.toISOString().slice(0, 16)}Z`;
}
