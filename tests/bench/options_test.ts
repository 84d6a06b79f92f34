import { assertEquals, assertThrows } from "@std/assert";
import { EVERYBODY, readOptions } from "../../bench/options.ts";
import { selectWorks, unitOf, WORKS } from "../../bench/workloads.ts";

Deno.test("without arguments everything is measured, five times a second", () => {
  const { only, against, parley, effort, wants } = readOptions([]);
  assertEquals([only, against, parley, wants], [[], EVERYBODY, [], "run"]);
  assertEquals(effort, { rounds: 5, seconds: 1, warmUpSeconds: 0.5 });
});

Deno.test("builds of Parley have the names they are given, or numbers", () => {
  const { parley } = readOptions([
    ...["--parley", "dist/parley-server"],
    ...["--parley", "deno run -A ../old/server.ts"],
    ...["--parley", "new=bin/x --flag=y"],
  ]);
  assertEquals(parley, [
    { name: "parley", command: ["dist/parley-server"] },
    { name: "parley2", command: ["deno", "run", "-A", "../old/server.ts"] },
    { name: "new", command: ["bin/x", "--flag=y"] },
  ]);
});

Deno.test("arguments that cannot be meant say why", () => {
  const table: [string[], string][] = [
    [["--round", "3"], "unknown: --round"],
    [["fast"], "unknown: fast"],
    [["--rounds", "0"], "--rounds must be from 1 to 100"],
    [["--seconds", "soon"], "--seconds must be from 0.1 to 20"],
    [["--against", "rabbit"], 'nobody is called "rabbit"'],
    [["--parley", "nats=a"], 'two would be called "nats"'],
    [["--parley", "x=a", "--parley", "x=b"], 'two would be called "x"'],
    [["--report="], "--report needs a value"],
  ];
  for (const [args, message] of table) assertThrows(() => readOptions(args), TypeError, message);
});

Deno.test("works are named by id, by the beginning of one, or by kind", () => {
  const ids = (...wanted: string[]) => selectWorks(wanted).map(({ id }) => id);
  assertEquals(ids(), WORKS.map(({ id }) => id));
  assertEquals(ids("one16"), ["one16"]);
  assertEquals(ids("start", "echo"), ["echo1", "echo50", "echo500", "start"]);
  assertEquals(ids("tls"), ["tls128"]);
  assertEquals(ids("echo50"), ["echo50"], "and not echo500");
  assertThrows(() => selectWorks(["none"]), TypeError, 'no work is called "none"');
});

Deno.test("every work has an id of its own and says what it is counted in", () => {
  assertEquals(new Set(WORKS.map(({ id }) => id)).size, WORKS.length);
  assertEquals(WORKS.filter(({ kind }) => !unitOf(kind).moreIsBetter).map(({ kind }) => kind), [
    "idle",
    "start",
  ]);
});
