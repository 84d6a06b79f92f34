/**
 * What `parley check` prints and ends with: one line and an exit code as plugins of Nagios, Icinga and others have them.
 *
 * @module
 */

import { visible, visibleJson } from "../../terminal.ts";
import type { Levels } from "./levels.ts";

/** The exit codes of plugins. */
export const PLUGIN_EXIT = { OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3 } as const;

/** How a check ends. */
export type Status = keyof typeof PLUGIN_EXIT;

/** Worst first: what is not known is worse than what is well, and hides no problem. */
const WORST: readonly Status[] = ["CRITICAL", "WARNING", "UNKNOWN", "OK"];

/** What the exit codes mean, for `--help`. */
export const PLUGIN_EXIT_HELP =
  "Exit codes: 0 ok, 1 warning, 2 critical (also: not reachable), 3 unknown (wrong usage, refused, cannot tell)";

/** One thing that was looked at. */
export interface Finding {
  /** Its name in the performance data: `round_trip`. */
  readonly check: string;
  readonly status: Status;
  /** For people. */
  readonly text: string;
  /** Its value, for performance data; undefined if it has none. */
  readonly value?: number;
  /** The unit of `value`: `s`, `B` or none. */
  readonly unit?: "s" | "B";
  readonly levels?: Levels;
  /** The highest value that is possible. */
  readonly max?: number;
}

/** Compares a value with its levels. */
export function judge(value: number, levels: Levels | undefined): Status {
  if (levels === undefined) return "OK";
  if (value > levels.critical) return "CRITICAL";
  return levels.warning !== undefined && value > levels.warning ? "WARNING" : "OK";
}

/** The worst of all. */
export function statusOf(findings: readonly Finding[]): Status {
  return WORST.find((status) => findings.some((finding) => finding.status === status)) ?? "UNKNOWN";
}

/**
 * One line: the status, the reasons with the worst first, and performance data behind a bar.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { formatPlugin } from "./check_report.ts";
 *
 * const levels = { warning: 0.05, critical: 0.2 };
 * assertEquals(
 *   formatPlugin([
 *     { check: "state", status: "OK", text: "ready" },
 *     { check: "round_trip", status: "WARNING", text: "round trip 61 ms", value: 0.061, unit: "s", levels },
 *   ]),
 *   "WARNING: round trip 61 ms; ready | round_trip=0.061s;0.05;0.2;0",
 * );
 * ```
 */
export function formatPlugin(findings: readonly Finding[]): string {
  const sorted = findings.toSorted((one, other) => WORST.indexOf(one.status) - WORST.indexOf(other.status));
  const text = sorted.map((finding) => finding.text).filter((text) => text !== "").join("; ");
  const data = findings.flatMap(performanceData).join(" ");
  // A bar in a text would begin the performance data.
  const line = `${statusOf(findings)}: ${visible(text).replaceAll("|", "/")}`;
  return data === "" ? line : `${line} | ${data}`;
}

function performanceData({ check, value, unit, levels, max }: Finding): string[] {
  if (value === undefined) return [];
  const parts = [`${value}${unit ?? ""}`, levels?.warning ?? "", levels?.critical ?? "", 0, max ?? ""];
  return [`${check}=${parts.join(";").replace(/;$/, "")}`];
}

/** The same as an object in one line. */
export function formatCheckJson(findings: readonly Finding[]): string {
  const status = statusOf(findings);
  const checks = findings.map(({ check, status, text, value, unit, levels }) => ({
    check,
    status: status.toLowerCase(),
    ...(text === "" ? {} : { text }),
    ...(value === undefined ? {} : { value, unit }),
    ...levels,
  }));
  return visibleJson({ status: status.toLowerCase(), exitCode: PLUGIN_EXIT[status], checks });
}
