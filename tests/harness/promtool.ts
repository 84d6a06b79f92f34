/**
 * Prometheus' own checker, which Debian has in the package `prometheus`.
 *
 * @module
 */

import { MAY_RUN } from "./permissions.ts";

/** Whether there is one. Tests that need it are skipped without it. */
export const HAS_PROMTOOL: boolean = MAY_RUN && hasPromtool();

function hasPromtool(): boolean {
  try {
    return new Deno.Command("promtool", { args: ["--version"], stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}

/** Runs `promtool ARGS` to its end; resolves to its exit code and everything it printed. */
export async function promtool(
  args: readonly string[],
  stdin = "",
): Promise<{ readonly code: number; readonly output: string }> {
  const child = new Deno.Command("promtool", {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  writer.write(new TextEncoder().encode(stdin)).then(() => writer.close()).catch(() => {});
  const { code, stdout, stderr } = await child.output();
  return { code, output: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}
