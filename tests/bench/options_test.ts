import { assertEquals, assertThrows } from "@std/assert";
import { readOptions, SERVERS } from "../../bench/options.ts";
import { selectWorkloads, unitOf, WORKLOADS } from "../../bench/workloads.ts";

Deno.test("without arguments everything is measured, in five rounds of a second", () => {
  const { only, against, parley, effort, wants } = readOptions([]);
  assertEquals([only, against, parley, wants], [[], SERVERS, [], "run"]);
  assertEquals(effort, { rounds: 5, seconds: 1, warmUpSeconds: 0.5, isServerFresh: false, syncMs: 0 });
});

Deno.test("builds of Parley have the given names, or numbers", () => {
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

Deno.test("several builds are measured without other servers, with a fresh server each time", () => {
  const builds = ["--parley", "before=../old", "--parley", "after=."];
  const { against, effort } = readOptions([...builds, "--rounds", "15"]);
  assertEquals(against, ["parley"]);
  assertEquals(effort, { rounds: 15, seconds: 1, warmUpSeconds: 0.5, isServerFresh: true, syncMs: 0 });
  assertEquals(readOptions([...builds, "--against", "parley,nats"]).against, ["parley", "nats"]);
});

Deno.test("invalid arguments are refused with the reason", () => {
  const table: [string[], string][] = [
    [["--round", "3"], "unknown: --round"],
    [["fast"], "unknown: fast"],
    [["--rounds", "0"], "--rounds must be from 1 to 100"],
    [["--sync-ms", "101"], "--sync-ms must be from 0 to 100"],
    [["--seconds", "soon"], "--seconds must be from 0.1 to 20"],
    [["--against", "rabbit"], 'unknown server "rabbit"; choose from parley, nats'],
    [["--parley", "nats=a"], 'two servers have the name "nats"'],
    [["--parley", "x=a", "--parley", "x=b"], 'two servers have the name "x"'],
    [["--report="], "--report needs a value"],
  ];
  for (const [args, message] of table) assertThrows(() => readOptions(args), TypeError, message);
});

Deno.test("workloads are selected by id, by a prefix of ids, or by kind", () => {
  const ids = (...wanted: string[]) => selectWorkloads(wanted).map(({ id }) => id);
  assertEquals(ids(), WORKLOADS.map(({ id }) => id));
  assertEquals(ids("one16"), ["one16"]);
  assertEquals(ids("start", "echo"), ["echo1", "echo50", "echo500", "start"]);
  assertEquals(ids("tls"), ["tls128"]);
  assertEquals(ids("echo50"), ["echo50"], "and not echo500");
  assertThrows(() => selectWorkloads(["none"]), TypeError, 'unknown workload "none"; choose from one16');
});

Deno.test("every workload has a unique id and a unit", () => {
  assertEquals(new Set(WORKLOADS.map(({ id }) => id)).size, WORKLOADS.length);
  assertEquals(WORKLOADS.filter(({ kind }) => !unitOf(kind).moreIsBetter).map(({ kind }) => kind), [
    "idle",
    "start",
  ]);
});
