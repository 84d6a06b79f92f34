/**
 * `deno task bench`: measures Parley and the other message servers of this machine with the same workloads.
 *
 * docs/performance.md describes how it measures and how to read the report.
 *
 * @module
 */

import { type Broker, output } from "./brokers/broker.ts";
import { CEILING, OTHERS } from "./brokers/all.ts";
import { FROM_SOURCE, fromSource, parley } from "./brokers/parley.ts";
import { makeCertificates } from "./certificates.ts";
import { HELP, type Options, readOptions } from "./options.ts";
import { Progress } from "./progress.ts";
import { toSvg } from "./report/chart.ts";
import { makeRow, type Report } from "./report/data.ts";
import { describeMachine, makeDir } from "./report/machine.ts";
import { inserted, toMarkdown } from "./report/markdown.ts";
import { type Contender, measureAll } from "./rounds.ts";
import { Processes } from "./servers.ts";
import { reduced, selectWorkloads, type Workload, WORKLOADS } from "./workloads.ts";

/** The output of `deno task compile`. */
const COMPILED = new URL("../dist/parley-server", import.meta.url).pathname;

async function main(args: string[]): Promise<number> {
  try {
    const options = readOptions(args);
    if (options.wants === "help") console.log(HELP);
    else if (options.wants === "list") {
      for (const { id, kind, title } of WORKLOADS) console.log(`${id.padEnd(12)}${kind.padEnd(10)}${title}`);
    } else await bench(options, selectWorkloads(options.only));
    return 0;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    console.error(`bench: ${error.message}`);
    return 2;
  }
}

async function bench(options: Options, selected: readonly Workload[]): Promise<void> {
  const { syncMs } = options.effort;
  if (syncMs > 0 && await output("strace", "--version") === undefined) {
    throw new TypeError("--sync-ms needs strace: apt-get install strace");
  }
  const dir = await makeDir();
  const processes = new Processes(dir, syncMs);
  const cleanUp = () => {
    processes.killAll();
    Deno.removeSync(dir, { recursive: true });
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => {
      cleanUp();
      Deno.exit(130);
    });
  }
  try {
    await Deno.chmod(dir, 0o755); // Mosquitto started as root changes its user, which must be able to read here.
    const report = await run(options, selected, processes, dir);
    await write(report, options);
  } finally {
    cleanUp();
  }
}

async function run(
  { against, parley: builds, effort, isQuick }: Options,
  selected: readonly Workload[],
  processes: Processes,
  dir: string,
): Promise<Report> {
  const date = new Date().toISOString();
  const machine = describeMachine(dir);
  const contenders = await findContenders(against, builds);
  const isParleyFromSource = builds.length === 0 && against.includes("parley");
  const startsCompiled = isParleyFromSource && exists(COMPILED);
  const contendersFor = ({ kind }: Workload) =>
    contenders.filter(({ broker }) => broker.supports.includes(kind)).map((contender) => {
      const isParley = kind === "start" && startsCompiled && contender.broker.name === "parley";
      return isParley ? { ...contender, broker: parley("parley", "Parley", [COMPILED]) } : contender;
    });
  const workloads = selected.map((workload) => isQuick ? reduced(workload) : workload)
    .map((workload) =>
      workload.kind === "start" && startsCompiled
        ? { ...workload, title: `${workload.title}, compiled` }
        : workload
    );
  const steps = effort.rounds * workloads.reduce((sum, workload) => sum + contendersFor(workload).length, 0);
  const progress = new Progress(steps, terminal());
  const tls = workloads.some(({ kind }) => kind === "tls") ? await makeCertificates(dir) : undefined;
  const measured = await measureAll(workloads, contendersFor, effort, processes, progress, tls);
  progress.end();
  const first = contenders[0].broker.name;
  return {
    date,
    machine,
    effort,
    contenders: contenders.filter((contender) =>
      workloads.some((workload) =>
        contendersFor(workload).some(({ broker }) => broker.name === contender.broker.name)
      )
    ).map(({ broker: { name, title, durability }, version }) => {
      return { name, title, version, durability };
    }),
    rows: measured.map((workload) => makeRow(workload, first, builds.map(({ name }) => name))),
  };
}

/** The servers of `against` that are installed, in that order; all builds of Parley take the place of `parley`. */
async function findContenders(
  against: readonly string[],
  builds: Options["parley"],
): Promise<Contender[]> {
  const ownBuilds = builds.length > 0
    ? builds.map(({ name, command }) => ({ name, command: startCommand(command) }))
    : [{ name: "parley", command: FROM_SOURCE }];
  const brokers: Broker[] = against.flatMap((name) => {
    if (name !== "parley") return [...OTHERS, CEILING].filter((broker) => broker.name === name);
    return ownBuilds.map(({ name, command }) => parley(name, name === "parley" ? "Parley" : name, command));
  });
  const contenders: Contender[] = [];
  for (const broker of brokers) {
    const version = await broker.version();
    const isParley = ownBuilds.some(({ name }) => name === broker.name);
    if (version !== undefined) {
      contenders.push({ broker, version, protocol: isParley ? "parley" : broker.name });
    } else if (isParley) throw new TypeError(`"${broker.name}" cannot be started: no such program`);
    else console.error(`${broker.title} is not installed; left out`);
  }
  if (contenders.length === 0) throw new TypeError("no server to measure is installed");
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

/** The command that starts a build given as `words`: a command, or the directory of a checkout. */
function startCommand(words: readonly string[]): readonly string[] {
  const [path] = words;
  return words.length === 1 && exists(`${path}/server.ts`) ? fromSource(`${path}/server.ts`) : words;
}

/** Writes to the terminal on stderr, if it is one. */
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
