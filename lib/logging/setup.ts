/**
 * Sets up logging: readable lines for a terminal, JSON lines for programs, and optionally a rotated file.
 *
 * Everything logged goes to stderr, and also to the file if there is one: a full disk never hides what happened. Text
 * from clients (a session's name, a reason) cannot forge a line or control a terminal: in both formats, everything that
 * a terminal or a reader of lines would act on is escaped.
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

/** Size at which the log file is rotated, in bytes: some days of a typical server, and an editor can still open it. */
const LOG_FILE_BYTES = 10 * 1024 * 1024;

/** Rotated files that are kept, `FILE.1` being the newest. With the current file they take at most 60 MiB. */
const LOG_FILES_KEPT = 5;

/** How long a line may wait to be written to the file, in milliseconds. A crash loses no more; stderr loses nothing. */
const LOG_FILE_FLUSH_MS = 1_000;

/** The mode of a new log file: a log shows which sessions communicate, so only its owner may read it. */
const LOG_FILE_MODE = 0o600;

/** The options of logging. */
export interface LoggingOptions {
  /** The lowest level to log. */
  readonly level: "debug" | "info" | "warn" | "error";
  /** Text for people, or one JSON object per line: `time` (ISO 8601), `level`, `message` and the properties. */
  readonly format: "pretty" | "json";
  /** Also write JSON lines to this file; rotated to `FILE.1` at 10 MiB. */
  readonly file?: string;
  /** Size at which the file is rotated, in bytes; 10 MiB if left out. */
  readonly fileBytes?: number;
  /** Takes each line with its newline; writes to stderr if left out. */
  readonly write?: (line: string) => void;
  /** Whether pretty lines are coloured. If left out: if stderr is a terminal and NO_COLOR is not set. */
  readonly colour?: boolean;
}

/** The log. Disposal writes pending lines and closes the file. */
export interface Logging extends AsyncDisposable {
  /**
   * Logs; does nothing after disposal. Messages must be constant, because `{name}` in a message stands for a property:
   * text from clients belongs in properties, never in the message.
   */
  readonly logger: Logger;
}

/**
 * Starts logging for the whole process.
 *
 * Dispose of the result before `Deno.exit`, or the last second of the file is lost. A file needs permission to read
 * and write it and the rotated files, `FILE.1` to `FILE.5`.
 *
 * @throws {ParleyError} `bad_argument` if the file cannot be written, or if logging is already set up
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
    throw new ParleyError("bad_argument", "logging is already set up; dispose of it first");
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
      // LogTape's own log: shows failing sinks, but not the notice at every start.
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["stderr"] },
    ],
  });
  return { logger: getLogger("parley"), [Symbol.asyncDispose]: reset };
}

/** Writes all of `line` to stderr. If stderr is closed this throws, and LogTape catches it. */
function writeToStderr(line: string): void {
  let bytes: Uint8Array = new TextEncoder().encode(line);
  while (bytes.length > 0) bytes = bytes.subarray(Deno.stderr.writeSync(bytes));
}

/** A sink that appends JSON lines to `path` and rotates the file at `bytes`. */
async function openLogFile(path: string, bytes: number): Promise<Sink & AsyncDisposable> {
  try {
    Deno.openSync(path, { create: true, append: true, mode: LOG_FILE_MODE }).close();
    const { getRotatingFileSink } = await import("@logtape/file"); // imported here because few processes log to a file
    const sink = getRotatingFileSink(path, {
      formatter: formatJson,
      maxSize: bytes,
      maxFiles: LOG_FILES_KEPT,
      nonBlocking: true, // it syncs to disk, and no message should wait for that
      flushInterval: LOG_FILE_FLUSH_MS,
    }) as Sink as Sink & AsyncDisposable; // with nonBlocking it is AsyncDisposable; its types say Disposable
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
    const message =
      `cannot write the log file: ${reason}; its directory must exist, and both must be writable`;
    throw new ParleyError("bad_argument", message, { cause: error });
  }
}

/**
 * Returns a function that gives a new file at `path` the mode of its predecessor. The library makes each new file
 * readable for everyone and has no option for it. Costs one `stat` per call, some microseconds.
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
      // The file was moved away. The sink goes on writing to it, and there is no new file.
    }
  };
}

/** Characters that end a line, control a terminal or reverse text: controls, separators, bidi marks. */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** Text that needs no quotes. */
const PLAIN = /^[\w.:;@/+~*[\]()-]+$/;

/** Escapes unsafe characters as `\uXXXX`, which a JSON parser reads back. */
function escape(text: string): string {
  return text.replace(UNSAFE, (unsafe) => `\\u${unsafe.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Formats a value for a pretty line: a plain string without quotes, anything else as JSON. */
function formatValue(value: unknown): string {
  if (value instanceof Error) return formatValue(`${value.name}: ${value.message}`);
  if (typeof value === "string" && PLAIN.test(value)) return value;
  return escape(stringify(value));
}

/** Formats JSON, also of values that JSON does not know. */
function stringify(value: unknown): string {
  try {
    return JSON.stringify(value, replaceUnknown) ?? String(value);
  } catch {
    // The value contains itself: format its parts as text.
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

/** The message with its `{placeholders}` filled in. Even indexes hold text, odd ones hold values. */
function formatMessage({ message }: LogRecord): string {
  return message.map((part, at) => at % 2 === 0 ? escape(String(part)) : formatValue(part)).join("");
}

/** The level as `--log-level` names it. */
function levelName({ level }: LogRecord): string {
  return level === "warning" ? "warn" : level;
}

/** Formats a record as one JSON object and a newline. */
function formatJson(record: LogRecord): string {
  const own = {
    time: new Date(record.timestamp).toISOString(),
    level: levelName(record),
    message: formatMessage(record),
  };
  // Our fields come first to be seen first, and again last, so that no property can replace them.
  return `${escape(stringify({ ...own, ...record.properties, ...own }))}\n`;
}

const DIM = 2;
const LEVEL_COLOURS: Record<string, number> = { debug: 36, info: 32, warn: 33, error: 31, fatal: 31 };

/** Formats a record as a line for people: `14:03:27.045 INFO  session joined name=Ada`. A stack follows an error. */
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
    // Expected failures are logged as warnings at most, and need no stack.
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
