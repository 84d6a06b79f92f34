import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { ParleyError } from "../../lib/errors.ts";
import { type LoggingOptions, setUpLogging } from "../../lib/logging/setup.ts";
import { MAY_RUN, MAY_USE_FILES } from "../harness/permissions.ts";

type Logger = Awaited<ReturnType<typeof setUpLogging>>["logger"];

/** The lines that `use` logs, each with its newline. */
async function linesOf(options: Partial<LoggingOptions>, use: (logger: Logger) => void | Promise<void>) {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  await using logging = await setUpLogging({
    level: "debug",
    format: "json",
    colour: false,
    write,
    ...options,
  });
  await use(logging.logger);
  return lines;
}

/** A pretty line without its time. */
const withoutTime = (line: string) => line.replace(/^\d\d:\d\d:\d\d\.\d\d\d /, "");

Deno.test("pretty lines have time, level, message and properties", async () => {
  const lines = await linesOf({ format: "pretty" }, (logger) => {
    logger.info("session joined", {
      name: "Ada",
      number: 7,
      open: true,
      peer: "[::1]:7253",
      none: undefined,
    });
    logger.warn("session {name} left", { name: "Ada L", after: { ms: 5 } });
    logger.debug("read", { bytes: new Uint8Array(3), total: 10n, names: new Set(["a"]) });
  });
  assertMatch(lines[0], /^\d\d:\d\d:\d\d\.\d\d\d INFO {2}session/);
  assertEquals(lines.map(withoutTime), [
    "INFO  session joined name=Ada number=7 open=true peer=[::1]:7253\n",
    'WARN  session "Ada L" left after={"ms":5}\n',
    'DEBUG read bytes="3 bytes" total="10" names=["a"]\n',
  ]);
});

Deno.test("pretty lines are coloured if asked for", async () => {
  const lines = await linesOf({ format: "pretty", colour: true }, (logger) => {
    logger.error("failed", { code: "internal" });
    logger.info("started");
  });
  assertMatch(
    lines.join(""),
    // deno-lint-ignore no-control-regex
    /^\x1b\[2m[\d:.]+\x1b\[0m \x1b\[31mERROR\x1b\[0m failed \x1b\[2mcode=internal\x1b\[0m\n\x1b\[2m[\d:.]+\x1b\[0m \x1b\[32mINFO \x1b\[0m started\n$/,
  );
});

Deno.test("JSON lines are objects with time, level, message and the properties", async () => {
  const before = Date.now();
  const lines = await linesOf({}, (logger) => {
    logger.info("session joined", { name: "Ada", number: 7 });
    logger.warn("slow");
  });
  assert(lines.every((line) => line.endsWith("}\n")));
  const [first, second] = lines.map((line) => JSON.parse(line));
  assertEquals(Object.keys(first), ["time", "level", "message", "name", "number"]);
  assertEquals([first.level, first.message, first.name, first.number], ["info", "session joined", "Ada", 7]);
  assert(Date.parse(first.time) >= before && first.time.endsWith("Z"));
  assertEquals([second.level, second.message], ["warn", "slow"]);
});

Deno.test("a level hides the levels below it", async () => {
  const levels = ["debug", "info", "warn", "error"] as const;
  for (const [at, level] of levels.entries()) {
    const lines = await linesOf({ level }, (logger) => levels.forEach((each) => logger[each]("x")));
    assertEquals(lines.map((line) => JSON.parse(line).level), levels.slice(at));
  }
});

/** Names that a client may choose to forge a line or control a terminal. */
const HOSTILE = [
  'Ada\n12:00:00.000 ERROR forged by="Eve"',
  "Ada\r\n",
  '", "level": "error',
  "\x1b[2J\x1b[31mred",
  "\u009b2J", // one character that some terminals take for ESC [
  "\u2028\u2029\u0085",
  "\u202etxt.exe",
  "\x00\x07\x7f",
  'a b=c "d" \\n',
  "",
];

Deno.test("text from clients can neither forge a line nor control a terminal", async () => {
  for (const text of HOSTILE) {
    for (const format of ["pretty", "json"] as const) {
      const lines = await linesOf({ format }, (logger) => {
        logger.error("session {name} left", { name: text, again: [text], [text]: 1, error: new Error(text) });
      });
      assertEquals(lines.length, 1);
      // The stack of an error follows, indented; no line of the log is.
      const [line, ...stack] = lines[0].slice(0, -1).split("\n");
      assert(stack.every((each) => each.startsWith("    at ")));
      assert(!/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u.test(line + stack.join("")), JSON.stringify(lines[0]));
      if (format === "json") {
        const { level, name, again, error } = JSON.parse(line);
        assertEquals([level, name, again, error.message], ["error", text, [text], text]);
      } else {
        assertMatch(withoutTime(line), /^ERROR session ("(\\.|[^"\\])*"|\S+) left again=\["/);
      }
    }
  }
});

Deno.test("hostile text between plain properties stays within its quotes", async () => {
  const [line] = await linesOf({ format: "pretty" }, (logger) => {
    logger.info("session joined", { name: 'x" level=error\n', number: 7 });
  });
  assertEquals(withoutTime(line), 'INFO  session joined name="x\\" level=error\\n" number=7\n');
});

Deno.test("no property replaces the record's own fields", async () => {
  const [line] = await linesOf(
    {},
    (logger) => logger.info("real", { level: "error", message: "fake", time: 0, x: 1 }),
  );
  const { time, level, message, x } = JSON.parse(line);
  assertEquals([typeof time, level, message, x], ["string", "info", "real", 1]);
});

Deno.test("errors show their message, and their stack if they are unexpected", async () => {
  const use = (logger: Logger) => {
    const error = new ParleyError("internal", "lost count", { cause: new TypeError("no number") });
    logger.warn("expected", { error });
    logger.error("unexpected", { error });
  };
  const [expected, unexpected] = (await linesOf({ format: "pretty" }, use)).map(withoutTime);
  assertEquals(expected, 'WARN  expected error="ParleyError: lost count"\n');
  assertMatch(
    unexpected,
    /^ERROR unexpected error="ParleyError: lost count"\n {4}at .*setup_test.ts:\d+:\d+/,
  );
  const { error } = JSON.parse((await linesOf({}, use))[0]);
  assertEquals([error.name, error.message, error.code], ["ParleyError", "lost count", "internal"]);
  assertEquals([error.cause.name, error.cause.message], ["TypeError", "no number"]);
  assertMatch(error.stack, /setup_test.ts/);
});

Deno.test("a value that contains itself is still logged", async () => {
  const loop: Record<string, unknown> = { name: "Ada" };
  loop.self = loop;
  const use = (logger: Logger) => logger.info("loop", { loop, number: 7 });
  const { level, message, number } = JSON.parse((await linesOf({}, use))[0]);
  assertEquals([level, message, number], ["info", "loop", 7]);
  assertMatch(
    (await linesOf({ format: "pretty" }, use))[0],
    /INFO {2}loop loop=\{"name":"Ada".* number=7\n$/,
  );
});

Deno.test("after disposal nothing is logged, and logging can be set up again", async () => {
  const lines: string[] = [];
  const options = { level: "info", format: "json", write: (line: string) => void lines.push(line) } as const;
  const logging = await setUpLogging(options);
  await assertRejects(() => setUpLogging(options), ParleyError, "already set up");
  await logging[Symbol.asyncDispose]();
  logging.logger.error("too late");
  await using _again = await setUpLogging(options);
  logging.logger.error("in time");
  assertEquals(lines.map((line) => JSON.parse(line).message), ["in time"]);
});

Deno.test("a line that cannot be written does not throw", async () => {
  const write = () => {
    throw new Deno.errors.BrokenPipe();
  };
  await linesOf({ write }, (logger) => logger.error("into the void"));
});

const ignore = !MAY_USE_FILES;
const isWindows = Deno.build.os === "windows";

/** A directory for one test. */
function makeDirectory() {
  const path = Deno.makeTempDirSync({ prefix: "parley-logger-" });
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

const modeOf = (path: string) => (Deno.statSync(path).mode ?? 0) & 0o777;

Deno.test({
  name: "a file gets JSON lines besides stderr, and only its owner may read it",
  ignore,
  async fn() {
    using directory = makeDirectory();
    const file = `${directory.path}/parley.log`;
    const lines = await linesOf(
      { format: "pretty", file },
      (logger) => logger.info("started", { port: 7253 }),
    );
    assertEquals(lines.map(withoutTime), ["INFO  started port=7253\n"]);
    await linesOf({ file }, (logger) => logger.info("started again"));
    const written = Deno.readTextFileSync(file).trimEnd().split("\n").map((line) => JSON.parse(line));
    assertEquals(written.map(({ message, port }) => [message, port]), [["started", 7253], [
      "started again",
      undefined,
    ]]);
    if (!isWindows) assertEquals(modeOf(file), 0o600);
  },
});

Deno.test({
  name: "a large file is rotated; the five newest are kept, readable only by their owner",
  ignore,
  async fn() {
    using directory = makeDirectory();
    const file = `${directory.path}/parley.log`;
    const total = 150;
    await linesOf({ file, fileBytes: 20_000 }, async (logger) => {
      for (let number = 0; number < total; number++) {
        logger.info("line", { number, padding: "x".repeat(1000) });
        // It is written in the background: wait until it has been. While it is rotated there may be no file.
        if (number % 10 === 9) {
          await until(() =>
            existsWithText(file) && Deno.readTextFileSync(file).includes(`"number":${number},`)
          );
        }
      }
    });
    const names = [...Deno.readDirSync(directory.path)].map(({ name }) => name).sort();
    assertEquals(names, ["parley.log", ...[1, 2, 3, 4, 5].map((age) => `parley.log.${age}`)]);
    for (const name of names) {
      assert(Deno.statSync(`${directory.path}/${name}`).size <= 20_000, name);
      if (!isWindows) assertEquals(modeOf(`${directory.path}/${name}`), 0o600, name);
    }
    const oldestFirst = names.toReversed().map((name) => Deno.readTextFileSync(`${directory.path}/${name}`))
      .join("");
    const numbers = oldestFirst.trimEnd().split("\n").map((line) => JSON.parse(line).number);
    assertEquals(numbers, Array.from(numbers, (_, at) => total - numbers.length + at));
  },
});

/** Resolves once `condition` holds. Polls, because files are written in the background. */
async function until(condition: () => boolean) {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    assert(Date.now() < deadline, "nothing happened for ten seconds");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

Deno.test({
  name: "a file keeps its mode, also when it is rotated",
  ignore: ignore || isWindows,
  async fn() {
    using directory = makeDirectory();
    const file = `${directory.path}/parley.log`;
    Deno.writeTextFileSync(file, `${"x".repeat(2000)}\n`);
    Deno.chmodSync(file, 0o640);
    await linesOf({ file, fileBytes: 2000 }, (logger) => logger.info("started"));
    assertEquals([modeOf(file), modeOf(`${file}.1`)], [0o640, 0o640]);
  },
});

Deno.test({
  name: "a file that cannot be written is one clear error, and logging is not set up",
  ignore,
  async fn() {
    using directory = makeDirectory();
    const file = `${directory.path}/missing/parley.log`;
    const error = await assertRejects(
      () => linesOf({ file }, () => {}),
      ParleyError,
      "cannot write the log file: ",
    );
    assertEquals(error.code, "bad_argument");
    assert(error.message.includes(file), error.message);
    assertEquals((await linesOf({}, (logger) => logger.info("works"))).length, 1);
  },
});

/** The messages in a file of JSON lines. */
const messagesIn = (path: string) =>
  Deno.readTextFileSync(path).trimEnd().split("\n").map((line) => JSON.parse(line).message);

Deno.test({
  name: "a file that was moved away or removed is made anew, at once if asked for",
  ignore: ignore || isWindows,
  async fn() {
    using directory = makeDirectory();
    const file = `${directory.path}/parley.log`;
    const logging = await setUpLogging({ level: "info", format: "json", file, write: () => {} });
    await using _logging = logging;
    logging.logger.info("one");
    await until(() => Deno.statSync(file).size > 0);
    Deno.chmodSync(file, 0o640);
    Deno.renameSync(file, `${file}.moved`);
    await logging.reopen();
    assertEquals([Deno.statSync(file).size, messagesIn(`${file}.moved`)], [0, ["one"]]);
    logging.logger.info("two");
    await until(() => Deno.statSync(file).size > 0);
    Deno.removeSync(file);
    logging.logger.info("three");
    await until(() => existsWithText(file));
    assertEquals(messagesIn(file), ["three"]);
    Deno.writeTextFileSync(`${file}.other`, '{"message":"half');
    Deno.renameSync(`${file}.other`, file);
    logging.logger.info("four");
    await until(() => Deno.readTextFileSync(file).endsWith("}\n"));
    assertMatch(Deno.readTextFileSync(file), /^\{"message":"half\n\{.*"four"\}\n$/);
  },
});

function existsWithText(path: string): boolean {
  try {
    return Deno.statSync(path).size > 0;
  } catch {
    return false;
  }
}

Deno.test({
  name:
    "a file that cannot be made anew is reported once on stderr, and the number of lost lines in the file",
  ignore: ignore || isWindows,
  async fn() {
    using directory = makeDirectory();
    const folder = `${directory.path}/logs`;
    const file = `${folder}/parley.log`;
    Deno.mkdirSync(folder);
    const lines: string[] = [];
    await linesOf({ file, write: (line) => void lines.push(line) }, async (logger) => {
      Deno.removeSync(folder, { recursive: true });
      logger.info("lost");
      await until(() => lines.length === 2);
      logger.info("lost too");
      await until(() => lines.length === 3);
      await new Promise((resolve) => setTimeout(resolve, 20)); // the second failure has come and is not reported
      Deno.mkdirSync(folder);
      logger.info("kept");
      await until(() => existsWithText(file));
    });
    const [, { level, message, reason }, ...rest] = lines.map((line) => JSON.parse(line));
    assertEquals([level, message, rest.length], ["warn", "cannot write the log file", 2]);
    assertMatch(reason, /No such file or directory/);
    const [kept, loss] = Deno.readTextFileSync(file).trimEnd().split("\n").map((line) => JSON.parse(line));
    assertEquals([kept.message, loss.message, loss.lines], ["kept", "lines of the log were lost", 2]);
  },
});

Deno.test({
  name: "a file that was cut short by a crash goes on with a new line",
  ignore,
  async fn() {
    using directory = makeDirectory();
    const file = `${directory.path}/parley.log`;
    Deno.writeTextFileSync(file, '{"message":"half');
    await linesOf({ file }, (logger) => logger.info("whole"));
    assertMatch(Deno.readTextFileSync(file), /^\{"message":"half\n\{.*"whole"\}\n$/);
  },
});

Deno.test({
  name: "a file that cannot be rotated grows, and loses nothing",
  ignore: ignore || isWindows,
  async fn() {
    using directory = makeDirectory();
    const file = `${directory.path}/parley.log`;
    Deno.mkdirSync(`${file}.5`);
    Deno.writeTextFileSync(`${file}.4`, "cannot become a folder");
    await linesOf({ file, fileBytes: 100 }, async (logger) => {
      for (const text of ["one", "two", "three"]) {
        logger.info(text);
        await until(() => Deno.readTextFileSync(file).includes(`"${text}"`));
      }
    });
    assertEquals(messagesIn(file), ["one", "two", "three"]);
  },
});

Deno.test({
  name: "a log file may be a pipe that nothing reads yet",
  ignore: !MAY_RUN || isWindows,
  async fn() {
    using directory = makeDirectory();
    const file = `${directory.path}/pipe`;
    assertEquals((await new Deno.Command("mkfifo", { args: [file] }).output()).code, 0);
    using reader = Deno.openSync(file, { read: true, write: true });
    await linesOf({ file }, (logger) => logger.info("through the pipe"));
    const chunk = new Uint8Array(1000);
    const length = reader.readSync(chunk) ?? 0;
    assertEquals(JSON.parse(new TextDecoder().decode(chunk.subarray(0, length))).message, "through the pipe");
  },
});

Deno.test({
  name: "by default a program logs to stderr, without colours if that is not a terminal",
  ignore: !MAY_RUN,
  async fn() {
    const program = `
      import { setUpLogging } from "${new URL("../../lib/logging/setup.ts", import.meta.url)}";
      await using logging = await setUpLogging({ level: "info", format: "pretty" });
      logging.logger.info("started", { text: "ü".repeat(100_000) });
    `;
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const args = ["eval", "--no-lock", "--config", config, program];
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    const text = new TextDecoder().decode(stderr);
    assertEquals([code, stdout.length], [0, 0], text);
    assertMatch(text, /^\d\d:\d\d:\d\d\.\d\d\d INFO {2}started text="ü{100000}"\n$/);
  },
});
