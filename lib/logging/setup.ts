/**
 * Setting up the log: readable lines on a terminal, JSON lines for programs, and a rotated file where one is asked for.
 *
 * Everything logged goes to stderr; the file gets it too, so that a full disk or a typo in its path never hides what
 * happened. What strangers send (a session's name, a reason) cannot forge a line or steer a terminal: whatever a reader
 * of lines or a terminal would act on is escaped, in either format.
 *
 * @module
 */

import {
  configure,
  getConfig,
  getLogger,
  type Logger,
  type LogRecord,
  reset,
  type Sink,
} from "@logtape/logtape";
import { ParleyError } from "../errors.ts";

/** When the log file is put aside, in bytes: days of an ordinary server, and an editor still opens it. */
const LOG_FILE_BYTES = 10 * 1024 * 1024;

/** Files put aside that are kept, `FILE.1` being the newest: with the current one at most 60 MiB. */
const LOG_FILES_KEPT = 5;

/** How long a line may wait to be written to the file, in milliseconds: a crash loses no more there, stderr nothing. */
const LOG_FILE_FLUSH_MS = 1_000;

/** For a file that did not exist: a log names who talks to whom, which is its owner's business. */
const LOG_FILE_MODE = 0o600;

/** How to log. */
export interface LoggingOptions {
  /** The least important thing to log. */
  readonly level: "debug" | "info" | "warn" | "error";
  /** One line for people, or one JSON object a line: `time` (ISO 8601), `level`, `message`, and the properties. */
  readonly format: "pretty" | "json";
  /** Also write JSON lines to this file; put aside as `FILE.1` at 10 MiB. */
  readonly file?: string;
  /** When to put the file aside, in bytes. */
  readonly fileBytes?: number;
  /** Takes each line, its newline included; stderr unless given. */
  readonly write?: (line: string) => void;
  /** Whether pretty lines are coloured; unless given, if stderr is a terminal and NO_COLOR is not set. */
  readonly colour?: boolean;
}

/** The log, until it is disposed of: that writes what is still to be written, and closes the file. */
export interface Logging extends AsyncDisposable {
  /**
   * What to log with; after disposal it does nothing. A message is a constant text, because `{name}` in it stands for a
   * property: what strangers sent belongs in properties, never in the message.
   */
  readonly logger: Logger;
}

/**
 * Starts logging for the whole process.
 *
 * Dispose of the result before `Deno.exit`, or the last second of the file is lost. A file needs permission to read
 * and write it and the files put aside, `FILE.1` to `FILE.5`.
 *
 * @throws {ParleyError} `bad_argument` if the file cannot be written, or logging is already set up.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { setUpLogging } from "./setup.ts";
 *
 * const lines: string[] = [];
 * const write = (line: string) => lines.push(line.slice(line.indexOf("INFO")));
 * {
 *   await using logging = await setUpLogging({ level: "info", format: "pretty", colour: false, write });
 *   logging.logger.info("session joined", { name: "Ada", number: 7 });
 *   logging.logger.debug("not shown");
 * }
 * assertEquals(lines, ["INFO  session joined name=Ada number=7\n"]);
 * ```
 */
export async function setUpLogging(options: LoggingOptions): Promise<Logging> {
  if (getConfig() !== null) {
    throw new ParleyError("bad_argument", "logging is already set up; dispose of what was set up first");
  }
  const { level, format, file, fileBytes = LOG_FILE_BYTES, write = writeToStderr } = options;
  const colour = options.colour ?? (Deno.stderr.isTerminal() && !Deno.noColor);
  const formatLine = format === "json" ? formatJson : (record: LogRecord) => formatPretty(record, colour);

  const sinks: Record<string, Sink> = { stderr: (record) => write(formatLine(record)) };
  if (file !== undefined) sinks.file = await openLogFile(file, fileBytes);
  await configure({
    sinks,
    loggers: [
      { category: "parley", lowestLevel: level === "warn" ? "warning" : level, sinks: Object.keys(sinks) },
      // LogTape's own: a notice at every start, which nobody needs, and failing sinks, which everybody should see.
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["stderr"] },
    ],
  });
  return { logger: getLogger("parley"), [Symbol.asyncDispose]: reset };
}

/** Writes all of `line` to stderr. If nobody reads it any more this throws, which LogTape keeps from the caller. */
function writeToStderr(line: string): void {
  let bytes: Uint8Array = new TextEncoder().encode(line);
  while (bytes.length > 0) bytes = bytes.subarray(Deno.stderr.writeSync(bytes));
}

/** A sink that appends JSON lines to `path`, which it puts aside at `bytes`. */
async function openLogFile(path: string, bytes: number): Promise<Sink & AsyncDisposable> {
  try {
    Deno.openSync(path, { create: true, append: true, mode: LOG_FILE_MODE }).close();
    const { getRotatingFileSink } = await import("@logtape/file"); // only here: few processes log to a file
    const sink = getRotatingFileSink(path, {
      formatter: formatJson,
      maxSize: bytes,
      maxFiles: LOG_FILES_KEPT,
      nonBlocking: true, // it syncs to the disk, for which no message should wait
      flushInterval: LOG_FILE_FLUSH_MS,
    }) as Sink as Sink & AsyncDisposable; // what it is when not blocking; its types say Disposable
    const keepMode = modeKeeper(path);
    const write = (record: LogRecord) => {
      sink(record);
      keepMode();
    };
    const close = async () => {
      await sink[Symbol.asyncDispose]();
      keepMode();
    };
    return Object.assign(write, { [Symbol.asyncDispose]: close });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `cannot write the log file: ${reason}; its directory must exist, and both be writable`;
    throw new ParleyError("bad_argument", message, { cause: error });
  }
}

/**
 * Returns what gives the file at `path` the mode that its predecessor had. The library makes a new file for everyone
 * to read each time it puts the old one aside, and has no option for it. One `stat` a call, some microseconds.
 */
function modeKeeper(path: string): () => void {
  let { ino, mode } = Deno.statSync(path);
  return () => {
    try {
      const now = Deno.statSync(path);
      if (now.ino === ino || mode === null) return;
      ino = now.ino;
      Deno.chmodSync(path, mode & 0o777);
    } catch {
      // Somebody moved the file away. Writing goes on in the moved one, and there is no new one to look after.
    }
  };
}

/** What would end a line, steer a terminal or turn text around: controls, separators, directional marks. */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** Text that needs no quotes to be told from what follows it. */
const PLAIN = /^[\w.:;@/+~*[\]()-]+$/;

/** `text` with whatever is unsafe as `\uXXXX`, which JSON strings read back as it was. */
function escape(text: string): string {
  return text.replace(UNSAFE, (unsafe) => `\\u${unsafe.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A value in a line for people: strings as they are where that is safe and clear, anything else as JSON. */
function formatValue(value: unknown): string {
  if (value instanceof Error) return formatValue(`${value.name}: ${value.message}`);
  if (typeof value === "string" && PLAIN.test(value)) return value;
  return escape(stringify(value));
}

/** JSON, of values too that JSON has no word for. */
function stringify(value: unknown): string {
  try {
    return JSON.stringify(value, replaceUnknown) ?? String(value);
  } catch {
    // It contains itself somewhere: show what is in it as text.
    const parts = Object.entries(Object(value)).map(([key, part]) => [
      key,
      typeof part === "object" ? Deno.inspect(part) : part,
    ]);
    return JSON.stringify(Object.fromEntries(parts), replaceUnknown);
  }
}

function replaceUnknown(_key: string, value: unknown): unknown {
  if (value instanceof Error) {
    const { name, message, code, stack, cause } = value as Error & { code?: unknown };
    return { name, message, code, stack, cause };
  }
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  if (value instanceof Map || value instanceof Set) return [...value];
  return typeof value === "bigint" ? String(value) : value;
}

/** The message with its `{placeholders}` filled in. Texts are at even places, values between them. */
function formatMessage({ message }: LogRecord): string {
  return message.map((part, at) => at % 2 === 0 ? escape(String(part)) : formatValue(part)).join("");
}

/** The level as `--log-level` calls it. */
function levelName({ level }: LogRecord): string {
  return level === "warning" ? "warn" : level;
}

/** A record as one JSON object and a newline. */
function formatJson(record: LogRecord): string {
  const own = {
    time: new Date(record.timestamp).toISOString(),
    level: levelName(record),
    message: formatMessage(record),
  };
  // Ours come first to be read first, and last because no property may pass itself off as one of them.
  return `${escape(stringify({ ...own, ...record.properties, ...own }))}\n`;
}

const DIM = 2;
const LEVEL_COLOURS: Record<string, number> = { debug: 36, info: 32, warn: 33, error: 31, fatal: 31 };

/** A record as a line for people: `14:03:27.045 INFO  session joined name=Ada`; below an error, where it came from. */
function formatPretty(record: LogRecord, colour: boolean): string {
  const paint = (code: number, text: string) => colour && text !== "" ? `\x1b[${code}m${text}\x1b[0m` : text;
  const time = new Date(record.timestamp);
  const clock = `${time.toTimeString().slice(0, 8)}.${String(time.getMilliseconds()).padStart(3, "0")}`;
  const level = levelName(record);
  const properties: string[] = [];
  const stack: string[] = [];
  for (const [key, value] of Object.entries(record.properties)) {
    if (value !== undefined && !record.rawMessage.includes(`{${key}}`)) {
      properties.push(`${escape(key)}=${formatValue(value)}`);
    }
    // An expected failure is logged as a warning at most, and needs no stack.
    if (value instanceof Error && (level === "error" || level === "fatal")) {
      stack.push(...(value.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line)));
    }
  }
  const parts = [
    paint(DIM, clock),
    paint(LEVEL_COLOURS[level], level.toUpperCase().padEnd(5)),
    formatMessage(record),
    paint(DIM, properties.join(" ")),
  ];
  const lines = [
    parts.filter((part) => part !== "").join(" "),
    ...stack.map((line) => paint(DIM, escape(line))),
  ];
  return `${lines.join("\n")}\n`;
}
