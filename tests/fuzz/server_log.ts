/**
 * Reads the log of a server under test: counts its lines and keeps only the unexpected ones.
 *
 * @module
 */

import { ServerProcess } from "../harness/server_process.ts";

/** How many unexpected lines are kept. */
const MAX_PROBLEMS = 10;
/** How many characters of each are kept. */
const MAX_SHOWN = 600;

/** Reads the JSON lines of `parley-server --log-format json`. */
export class ServerLog {
  /** The first ten lines of level `error` or that are not JSON, such as an uncaught error. */
  readonly problems: string[] = [];
  /** Number of refused sessions by error code. */
  readonly refusals = new Map<string, number>();
  lines = 0;
  /** The message of the last line. */
  last = "";

  readLine(line: string): void {
    if (line.trim() === "") return;
    this.lines++;
    const entry = parse(line);
    this.last = String(entry?.message ?? line);
    if (entry === undefined || entry.level === "error") {
      if (this.problems.length < MAX_PROBLEMS) this.problems.push(line.slice(0, MAX_SHOWN));
    } else if (entry.message === "refused") {
      const code = String(entry.code);
      this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
    }
  }
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const entry = JSON.parse(line);
    return entry !== null && typeof entry === "object" ? entry : undefined;
  } catch {
    return undefined;
  }
}

/** A server whose log is counted, not kept, because a run may take hours. */
export type ObservedServer = ServerProcess<ServerLog>;

/**
 * Starts a server to observe: the one of this checkout, or `command`, which must not be a shell, because the memory and
 * descriptors of its pid are observed.
 */
export function startObserved(
  { command, ...options }: {
    command?: readonly string[];
    args?: readonly string[];
    env?: Record<string, string>;
    onOutputLine?: (line: string) => void;
  } = {},
): Promise<ObservedServer> {
  const chosen = command === undefined ? {} : { program: command, cwd: Deno.cwd() };
  return ServerProcess.start({ ...options, ...chosen, log: new ServerLog(), keepsOutput: false });
}
