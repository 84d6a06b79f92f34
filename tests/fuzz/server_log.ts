/**
 * What a server under test says of itself: counted while it is said, and nothing kept but what should not be there.
 *
 * @module
 */

/** How many lines that should not be there are kept, to be shown. */
const MAX_COMPLAINTS = 10;
/** How much of such a line. */
const MAX_SHOWN = 600;

/** Reads the JSON lines of `parley-server --log-format json`. */
export class ServerLog {
  /** Lines of level `error`, and lines that are no log at all, such as an uncaught error. The first ten. */
  readonly complaints: string[] = [];
  /** How many sessions were refused with which code. */
  readonly refusals = new Map<string, number>();
  lines = 0;
  /** The message of the last line. */
  last = "";

  /** Takes one line. */
  push(line: string): void {
    if (line.trim() === "") return;
    this.lines++;
    const entry = parse(line);
    this.last = String(entry?.message ?? line);
    if (entry === undefined || entry.level === "error") {
      if (this.complaints.length < MAX_COMPLAINTS) this.complaints.push(line.slice(0, MAX_SHOWN));
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
