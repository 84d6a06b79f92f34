/**
 * The real curl.
 *
 * @module
 */

import { isGranted, MAY_RUN } from "./permissions.ts";

/** Whether this machine has curl, and tests may start it. */
export const HAS_CURL: boolean = MAY_RUN && isGranted("run") && hasCurl();

function hasCurl(): boolean {
  try {
    return new Deno.Command("curl", { args: ["--version"], stdout: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

/** What came back. */
export interface CurlAnswer {
  /** The exit code of curl. */
  readonly code: number;
  /** The status, or 0 if no response came. */
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
  /** What curl says went wrong. */
  readonly error: string;
}

/** Runs `curl -sS ARGS` and waits for its end. */
export async function curl(...args: string[]): Promise<CurlAnswer> {
  const child = new Deno.Command("curl", {
    args: ["-q", "-sS", "-i", "--http1.1", "--max-time", "20", ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { code, stdout, stderr } = await child.output();
  // A response to a request that had `Expect: 100-continue` comes after another head.
  const text = new TextDecoder().decode(stdout).replace(/^(HTTP\/1\.1 100 [^]*?\r\n\r\n)+/, "");
  const end = text.indexOf("\r\n\r\n");
  const head = end < 0 ? "" : text.slice(0, end);
  const headers = new Headers();
  for (const line of head.split("\r\n").slice(1)) {
    const [, name, value] = /^([^:]+): ?(.*)$/.exec(line) ?? [];
    if (name !== undefined) headers.append(name, value);
  }
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 0);
  return {
    code,
    status,
    headers,
    body: end < 0 ? text : text.slice(end + 4),
    error: new TextDecoder().decode(stderr),
  };
}
