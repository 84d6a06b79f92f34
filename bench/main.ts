/**
 * `deno task bench`: the same work for Parley and for the other message servers on this machine, side by side.
 *
 * docs/performance.md says how it measures and how to read what it prints.
 *
 * @module
 */

import type { Broker } from "./brokers/broker.ts";
import { CEILING, OTHERS } from "./brokers/all.ts";
import { FROM_SOURCE, parley } from "./brokers/parley.ts";
import { makeCertificates } from "./certificates.ts";
import { HELP, type Options, readOptions } from "./options.ts";
import { Progress } from "./progress.ts";
import { toSvg } from "./report/chart.ts";
import { makeRow, type Report } from "./report/data.ts";
import { describeMachine } from "./report/machine.ts";
import { inserted, toMarkdown } from "./report/markdown.ts";
import { type Contender, measureAll } from "./rounds.ts";
import { Processes } from "./servers.ts";
import { reduced, selectWorks, type Workload, WORKS } from "./workloads.ts";

/** What `deno task compile` makes. */
const COMPILED = new URL("../dist/parley-server", import.meta.url).pathname;

async function main(args: string[]): Promise<number> {
  try {
    const options = readOptions(args);
    if (options.wants === "help") console.log(HELP);
    else if (options.wants === "list") {
      for (const { id, kind, title } of WORKS) console.log(`${id.padEnd(12)}${kind.padEnd(10)}${title}`);
    } else await bench(options, selectWorks(options.only));
    return 0;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    console.error(`bench: ${error.message}`);
    return 2;
  }
}

async function bench(options: Options, selected: readonly Workload[]): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "parley-bench-" });
  const processes = new Processes(dir);
  const clean = () => {
    processes.killAll();
    Deno.removeSync(dir, { recursive: true });
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => {
      clean();
      Deno.exit(130);
    });
  }
  try {
    await Deno.chmod(dir, 0o755); // Mosquitto started by root becomes somebody else, who must be able to read here.
    const report = await run(options, selected, processes, dir);
    await write(report, options);
  } finally {
    clean();
  }
}

async function run(
  { against, parley: builds, effort, isQuick }: Options,
  selected: readonly Workload[],
  processes: Processes,
  dir: string,
): Promise<Report> {
  const date = new Date().toISOString();
  const machine = describeMachine();
  const contenders = await findContenders(against, builds);
  const isOursFromSource = builds.length === 0 && against.includes("parley");
  const startsCompiled = isOursFromSource && exists(COMPILED);
  const contendersFor = ({ kind }: Workload) =>
    contenders.filter(({ broker }) => broker.does.includes(kind)).map((contender) => {
      const isOurs = kind === "start" && startsCompiled && contender.broker.name === "parley";
      return isOurs ? { ...contender, broker: parley("parley", "Parley", [COMPILED]) } : contender;
    });
  const workloads = selected.map((work) => isQuick ? reduced(work) : work)
    .map((work) =>
      work.kind === "start" && startsCompiled ? { ...work, title: `${work.title}, compiled` } : work
    );
  const steps = effort.rounds * workloads.reduce((sum, work) => sum + contendersFor(work).length, 0);
  const progress = new Progress(steps, terminal());
  const tls = workloads.some(({ kind }) => kind === "tls") ? await makeCertificates(dir) : undefined;
  const measured = await measureAll(workloads, contendersFor, effort, processes, progress, tls);
  progress.end();
  const first = contenders[0].broker.name;
  return {
    date,
    machine,
    effort,
    entrants: contenders.map(({ broker: { name, title }, version }) => ({ name, title, version })),
    rows: measured.map((work) => makeRow(work, first)),
  };
}

/** Those of `against` that are installed, in that order, all builds of Parley in Parley's place. */
async function findContenders(
  against: readonly string[],
  builds: Options["parley"],
): Promise<Contender[]> {
  const ours = builds.length > 0 ? builds : [{ name: "parley", command: FROM_SOURCE }];
  const brokers: Broker[] = against.flatMap((name) => {
    if (name !== "parley") return [...OTHERS, CEILING].filter((broker) => broker.name === name);
    return ours.map(({ name, command }) => parley(name, name === "parley" ? "Parley" : name, command));
  });
  const contenders: Contender[] = [];
  for (const broker of brokers) {
    const version = await broker.version();
    const isOurs = ours.some(({ name }) => name === broker.name);
    if (version !== undefined) {
      contenders.push({ broker, version, protocol: isOurs ? "parley" : broker.name });
    } else if (isOurs) throw new TypeError(`"${broker.name}" cannot be started: no such program`);
    else console.error(`${broker.title} is not installed and left out`);
  }
  if (contenders.length === 0) throw new TypeError("nobody is left to measure");
  return contenders;
}

async function write(report: Report, { asJson, reportFile, svgFile }: Options): Promise<void> {
  const markdown = toMarkdown(report);
  console.log(asJson ? JSON.stringify(report, undefined, 2) : markdown);
  if (svgFile !== undefined) await Deno.writeTextFile(svgFile, toSvg(report));
  if (reportFile !== undefined) {
    const document = exists(reportFile) ? await Deno.readTextFile(reportFile) : undefined;
    await Deno.writeTextFile(reportFile, inserted(document, markdown));
  }
}

/** How to write to the terminal on stderr, if there is one. */
function terminal(): ((text: string) => void) | undefined {
  if (!Deno.stderr.isTerminal()) return undefined;
  return (text) => void Deno.stderr.writeSync(new TextEncoder().encode(text));
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
