/**
 * The checks of the fuzzer: they report a server that violates the protocol.
 */

import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { encodeControl } from "../../lib/wire/control.ts";
import { encodeFrame, Type } from "../../lib/wire/header.ts";
import { ResponseChecker } from "./response_checker.ts";
import { unexpectedCode } from "./attack_runner.ts";
import { commandOf, readOptions } from "./options.ts";
import { quantile } from "./quantile.ts";
import { ServerLog } from "./server_log.ts";

const CONTROL = new Set([1, 2]);
const welcome = encodeControl({ type: Type.WELCOME }, { number: 17 });
const error = (code: string, fatal: boolean) =>
  encodeControl({ type: Type.ERROR, id: 3 }, { code, message: "because", fatal });

/** The problem that the checker reports for `frames`. */
function problemOf(...frames: Uint8Array[]): string | undefined {
  const answers = new ResponseChecker(CONTROL);
  for (const frame of frames) answers.push(frame);
  return answers.problem;
}

Deno.test("valid responses pass, whatever the read boundaries", () => {
  const answers = new ResponseChecker(CONTROL);
  const frames = [
    welcome,
    encodeControl({ type: Type.OPENED, id: 1, channel: 9 }, { number: 9 }),
    encodeFrame({ type: Type.MESSAGE, channel: 9, sender: 17 }, new Uint8Array(5)),
    error("not_open", false),
    error("bad_frame", true),
  ];
  for (const frame of frames) for (const byte of frame) answers.push(Uint8Array.of(byte));
  assertEquals(answers.problem, undefined);
  assertEquals([answers.number, [...answers.opened], answers.isOver], [17, [[1, 9]], true]);
  assertEquals(answers.codes, ["not_open", "bad_frame"]);
});

Deno.test("bytes that are no frame are reported", () => {
  assertMatch(
    problemOf(welcome, new TextEncoder().encode("0123456789abcdef"))!,
    /^the server sent an invalid frame/,
  );
});

Deno.test("frames of the control client that reach other sessions are reported", () => {
  const message = encodeFrame({ type: Type.MESSAGE, channel: 9, sender: 2 });
  const reply = encodeFrame({ type: Type.REPLY, id: 7, channel: 0x8000_0011, sender: 1 });
  assertStringIncludes(problemOf(welcome, message)!, "message of the control client (session 2)");
  assertStringIncludes(problemOf(welcome, reply)!, "REPLY of the control client (session 1)");
});

Deno.test("an internal error and frames after a fatal ERROR are reported", () => {
  assertMatch(problemOf(error("internal", true))!, /^the server failed/);
  const message = encodeFrame({ type: Type.MESSAGE, channel: 9, sender: 5 });
  assertMatch(problemOf(welcome, error("bad_frame", true), message)!, /after a fatal ERROR/);
});

Deno.test("a code that an attack does not expect is reported", () => {
  const expects = ["bad_frame", "timeout"];
  assertEquals(unexpectedCode({ expects }, ["bad_frame"]), undefined);
  assertEquals(unexpectedCode({ expects }, []), undefined);
  assertEquals(unexpectedCode({}, ["bad_hello"]), undefined);
  assertEquals(
    unexpectedCode({ expects }, ["bad_hello"]),
    "the server sent bad_hello, expected bad_frame or timeout",
  );
});

Deno.test("the log reader keeps errors and lines that are not JSON, and counts refusals", () => {
  const log = new ServerLog();
  const lines = [
    '{"level":"info","message":"connected"}',
    '{"level":"warn","message":"refused","code":"bad_frame"}',
    '{"level":"warn","message":"refused","code":"bad_frame"}',
    '{"level":"error","message":"internal error"}',
    "error: Uncaught (in promise) Error: oh",
    "",
  ];
  for (const line of lines) log.readLine(line);
  assertEquals([...log.refusals], [["bad_frame", 2]]);
  assertEquals(log.problems, lines.slice(3, 5));
  assertEquals(log.lines, 5);
});

Deno.test("options: defaults, the command that repeats a run, and invalid arguments", () => {
  const options = readOptions([], () => 7)!;
  assertEquals([options.seconds, options.seed, options.connections, options.server], [30, 7, 32, undefined]);
  const args = [
    "--seed",
    "5",
    "--seconds",
    "2.5",
    "--connections",
    "8",
    "--from",
    "3",
    "--count",
    "9",
    "--tls",
  ];
  const given = readOptions([...args, "--server", "dist/parley-server --log-level warn"], () => 7)!;
  assertEquals(given.server, ["dist/parley-server", "--log-level", "warn"]);
  assertEquals(
    commandOf(given),
    'deno task fuzz --seed 5 --seconds 2.5 --connections 8 --from 3 --count 9 --tls --server "dist/parley-server --log-level warn"',
  );
  assertEquals(readOptions(["--help"], () => 7), undefined);
  const wrong = [["--seconds", "none"], ["--seed", "-1"], ["--seed", "1.5"], ["--connections"], [
    "--sed",
    "1",
  ], ["x"]];
  for (const args of wrong) assertThrows(() => readOptions(args, () => 7), TypeError);
});

Deno.test("a quantile is one of the values", () => {
  assertEquals([0, 0.5, 0.99, 1].map((q) => quantile([4, 1, 3, 2], q)), [1, 3, 4, 4]);
  assertEquals(quantile([], 0.5), 0);
});
