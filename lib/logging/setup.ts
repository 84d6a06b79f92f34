/**
 * Sets up logging: readable lines for a terminal, JSON lines for programs, and optionally a rotated file.
 *
 * Everything logged goes to stderr, and also to the file if there is one: a full disk never hides what happened. Logging
 * never waits for either of them: lines that cannot be written in time are dropped, and their number is logged. Text from
 * clients (a session's name, a reason) cannot forge a line or control a terminal: in both formats, everything that
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
import { LineQueue } from "./line_queue.ts";
import { LOG_FILE_BYTES, openLogFile } from "./log_file.ts";

/** How long the end waits for lines that are still to be written, in milliseconds. */
const FLUSH_MS = 1_000;

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
  /** Takes each line with its newline, and must not block; writes to stderr in the background if left out. */
  readonly write?: (line: string) => void;
  /** Whether pretty lines are coloured. If left out: if stderr is a terminal and NO_COLOR is not set. */
  readonly colour?: boolean;
}

/** The log. Disposal writes pending lines, for at most a second, and closes the file. */
export interface Logging extends AsyncDisposable {
  /**
   * Logs; does nothing after disposal. Messages must be constant, because `{name}` in a message stands for a property:
   * text from clients belongs in properties, never in the message.
   */
  readonly logger: Logger;
  /**
   * Writes a line that is no log line to stderr, after everything that was logged before it. Resolves once it is written,
   * or after a second.
   */
  print(line: string): Promise<void>;
  /** Opens the log file anew if it was moved away or removed. The next line does the same. */
  reopen(): Promise<void>;
}

/**
 * Starts logging for the whole process.
 *
 * Dispose of the result before `Deno.exit`, or the last lines are lost. A file needs permission to read and write it and
 * the rotated files, `FILE.1` to `FILE.5`. It may also be a pipe, a device, `/dev/stdout` or `/dev/stderr`.
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
  const { level, format, file, fileBytes = LOG_FILE_BYTES } = options;
  const colour = options.colour ?? (Deno.stderr.isTerminal() && !Deno.noColor);
  const formatLine = format === "json" ? formatJson : (record: LogRecord) => formatPretty(record, colour);

  const stderr = new LineQueue(Deno.stderr, {
    describeLoss: (lines) => formatLine(recordOf(LOST, { lines })),
  });
  const { write = (line: string) => stderr.add(line) } = options;
  const sinks: Record<string, Sink> = { stderr: (record) => write(formatLine(record)) };
  let lines: LineQueue | undefined;
  let writer: ReturnType<typeof openLogFile> | undefined;
  if (file !== undefined) {
    writer = openLogFile(file, fileBytes);
    lines = new LineQueue(writer, {
      maxWriteBytes: fileBytes,
      describeLoss: (lines) => formatJson(recordOf(LOST, { lines })),
      onFailure: (error) =>
        write(formatLine(recordOf("cannot write the log file", { file, reason: reasonOf(error) }))),
    });
    sinks.file = (record) => lines!.add(formatJson(record));
  }
  await configure({
    sinks,
    loggers: [
      { category: "parley", lowestLevel: level === "warn" ? "warning" : level, sinks: Object.keys(sinks) },
      // LogTape's own log: shows failing sinks, but not the notice at every start.
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["stderr"] },
    ],
  });
  return {
    logger: getLogger("parley"),
    print: async (line) => {
      write(`${line}\n`);
      await stderr.flush(FLUSH_MS);
    },
    reopen: async () => await lines?.prepare(),
    [Symbol.asyncDispose]: async () => {
      await reset();
      await lines?.flush(FLUSH_MS);
      writer?.[Symbol.dispose]?.();
      await stderr.flush(FLUSH_MS);
    },
  };
}

const LOST = "lines of the log were lost";

/** A warning about logging itself. */
function recordOf(message: string, properties: Record<string, unknown>): LogRecord {
  return {
    category: ["parley"],
    level: "warning",
    message: [message],
    rawMessage: message,
    timestamp: Date.now(),
    properties,
  };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
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
