/**
 * The parts of the fuzzer that judge: a server that does what it must not is noticed.
 */

import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { encodeControl } from "../../lib/wire/control.ts";
import { encodeFrame, Type } from "../../lib/wire/header.ts";
import { PendingCalls } from "./answers.ts";
import { commandOf, readOptions } from "./options.ts";
import { quantile } from "./quantile.ts";
import { ServerLog } from "./server_log.ts";

const WITNESSES = new Set([1, 2]);
const welcome = encodeControl({ type: Type.WELCOME }, { number: 17 });
const error = (code: string, fatal: boolean) =>
  encodeControl({ type: Type.ERROR, id: 3 }, { code, message: "because", fatal });

/** What is wrong with a server that says `frames` to somebody. */
function problemOf(...frames: Uint8Array[]): string | undefined {
  const answers = new PendingCalls(WITNESSES);
  for (const frame of frames) answers.push(frame);
  return answers.problem;
}

Deno.test("answers as they should be are understood, however they are cut", () => {
  const answers = new PendingCalls(WITNESSES);
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

Deno.test("bytes that are no frame are noticed", () => {
  assertMatch(problemOf(welcome, new TextEncoder().encode("0123456789abcdef"))!, /^it sent no frame/);
});

Deno.test("messages of the witness that reach others are noticed", () => {
  const message = encodeFrame({ type: Type.MESSAGE, channel: 9, sender: 2 });
  const reply = encodeFrame({ type: Type.REPLY, id: 7, channel: 0x8000_0011, sender: 1 });
  assertStringIncludes(problemOf(welcome, message)!, "message of the witness (session 2)");
  assertStringIncludes(problemOf(welcome, reply)!, "REPLY of the witness (session 1)");
});

Deno.test("a server that failed, and one that talks on after a fatal ERROR, are noticed", () => {
  assertMatch(problemOf(error("internal", true))!, /^it failed/);
  const message = encodeFrame({ type: Type.MESSAGE, channel: 9, sender: 5 });
  assertMatch(problemOf(welcome, error("bad_frame", true), message)!, /after a fatal ERROR/);
});

Deno.test("of a log, errors and what is no log line are kept, and refusals counted", () => {
  const log = new ServerLog();
  const lines = [
    '{"level":"info","message":"connected"}',
    '{"level":"warn","message":"refused","code":"bad_frame"}',
    '{"level":"warn","message":"refused","code":"bad_frame"}',
    '{"level":"error","message":"internal error"}',
    "error: Uncaught (in promise) Error: oh",
    "",
  ];
  for (const line of lines) log.push(line);
  assertEquals([...log.refusals], [["bad_frame", 2]]);
  assertEquals(log.complaints, lines.slice(3, 5));
  assertEquals(log.lines, 5);
});

Deno.test("options: defaults, the command to repeat a run, and what is wrong with others", () => {
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

Deno.test("quantiles are values that are there", () => {
  assertEquals([0, 0.5, 0.99, 1].map((q) => quantile([4, 1, 3, 2], q)), [1, 3, 4, 4]);
  assertEquals(quantile([], 0.5), 0);
});
