/**
 * Runs the shell transcripts of README.md: what stands below a command is what it prints.
 *
 * A fence marked `console` holds commands (`$ ...`, with `&` at the end: left running) and what they print together. A
 * fence marked `console server` starts a server that the later ones talk to. Numbers, times, UUIDs, tokens and links may
 * differ; in a later command, a link or the beginning of a UUID stands for the one that was printed last. A line that
 * ends in "Ctrl-C ends" is shown on terminals only. `curl` is the real one; 7254 stands for the port of the web server.
 */

import { assertEquals } from "@std/assert";
import { HAS_CURL } from "../harness/curl.ts";
import { MAY_RUN } from "../harness/permissions.ts";
import { Program, type ProgramOptions } from "../harness/program.ts";

const root = new URL("../../", import.meta.url);

interface Transcript {
  readonly line: number;
  readonly isServer: boolean;
  readonly commands: string[];
  readonly output: string[];
}

function transcriptsOf(markdown: string): Transcript[] {
  return [...markdown.matchAll(/^```console( server)?\n([\s\S]*?)^```$/gm)].map((fence) => {
    const lines = fence[2].trimEnd().split("\n");
    return {
      line: markdown.slice(0, fence.index).split("\n").length,
      isServer: fence[1] !== undefined,
      commands: lines.filter((line) => line.startsWith("$ ")).map((line) => line.slice(2)),
      output: lines.filter((line) => !line.startsWith("$ ") && !line.endsWith("Ctrl-C ends")),
    };
  });
}

/** A join link: an address with a query. */
const LINK = /parleys?:\/\/[^\s?']+\?[^\s']+/g;

/** What may differ from run to run, made the same. */
function masked(line: string): string {
  return line
    .replace(LINK, "LINK")
    .replace(/eyJ\S+/g, "TOKEN")
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "UUID")
    .replace(/\d+([.:]\d+)*/g, "N")
    .trimEnd();
}

/** `deno task NAME ARGS` as the task's own command line, so that nothing stands between us and its signals. */
function commandLine(command: string, tasks: Record<string, { command: string }>): string {
  if (command.startsWith("curl ")) return `exec ${command.replace("curl", "curl -q -sS")}`;
  const [, name, args] = /^deno task (\S+)(.*)$/.exec(command) ?? [];
  if (name === undefined) throw new Error(`not a task: ${command}`);
  return `exec ${tasks[name].command.replace(/^deno /, '"$DENO" ')}${args}`;
}

Deno.test({
  name: "the transcripts of README.md are what one really sees",
  ignore: !MAY_RUN || !HAS_CURL,
  fn: () => run(),
});

async function run(): Promise<void> {
  const state = await Deno.makeTempDir({ prefix: "parley-readme-" });
  try {
    await play(state);
  } finally {
    await Deno.remove(state, { recursive: true });
  }
}

async function play(state: string): Promise<void> {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", root)));
  const transcripts = transcriptsOf(await Deno.readTextFile(new URL("README.md", root)));
  const folders = { PARLEY_STATE: `${state}/state`, PARLEY_CERTS: `${state}/certs` };
  let env: Record<string, string> = { DENO: Deno.execPath(), PARLEY_LOG_FORMAT: "pretty", ...folders };
  /** What was printed last, for commands that repeat it. */
  const last = { link: "", uuid: "", webPort: "0" };
  const start = (command: string) => {
    const options: ProgramOptions = { env, program: ["sh", "-c"] };
    const real = command.replace(LINK, () => last.link).replace(/ [0-9a-f]{8}$/, () => ` ${last.uuid}`)
      .replace("7254", last.webPort);
    return new Program([commandLine(real, tasks)], options);
  };
  await using programs = new AsyncDisposableStack();
  for (const { line, isServer, commands, output } of transcripts) {
    const printed: string[] = [];
    if (isServer) {
      env = { ...env, PARLEY_PORT: "0" };
      last.webPort = "0";
      const server = programs.use(start(commands[0]));
      const links = output.filter((text) => text.match(LINK)?.[0] === text);
      const [logged] = await server.stderr.until(
        new RegExp(`([^\\n]+\\n+){${output.length - links.length}}`),
      );
      for (const text of logged.split("\n").filter((text) => text.trim() !== "")) printed.push(text);
      if (links.length > 0) {
        [last.link] = await server.stdout.until(/.+(?=\n)/);
        printed.splice(output.indexOf(links[0]), 0, last.link);
      }
      env = { ...env, PARLEY_PORT: /port=(\d+)/.exec(logged)![1] };
      last.webPort = /web url=\S+:(\d+)/.exec(logged)?.[1] ?? "0";
    } else {
      printed.push(...await playTogether(commands, start));
      last.uuid = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(printed.join("\n"))?.[0] ?? last.uuid;
    }
    assertEquals(printed.map(masked), output.map(masked), `README.md:${line}`);
  }
}

/** Runs the commands of one fence: those with `&` beside the others, which are repeated until they find them there. */
async function playTogether(commands: string[], start: (command: string) => Program): Promise<string[]> {
  await using background = new AsyncDisposableStack();
  const beside: Program[] = [];
  const printed: string[] = [];
  for (const command of commands) {
    if (command.endsWith("&")) {
      beside.push(background.use(start(command.replace(/ *&$/, ""))));
      continue;
    }
    // The program beside it may not have subscribed yet. Then nothing is received (`publish`) or answered (exit code 5).
    const listener = /\Wpublish\W/.test(command) ? beside.at(-1) : undefined;
    for (let isHeard = false; !isHeard;) {
      await using program = start(command);
      await program.endInput();
      const { code, stdout, stderr } = await program.ended();
      isHeard = listener !== undefined ? await hasPrinted(listener) : beside.length === 0 || code !== 5;
      if (isHeard) printed.push(...(stderr + stdout).split("\n").filter((line) => line !== ""));
    }
    if (listener !== undefined) printed.push((await listener.stdout.until(/.+/))[0]);
  }
  return printed;
}

/** Whether something came on its stdout, now or within a moment. */
async function hasPrinted(program: Program): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<false>((resolve) => timer = setTimeout(() => resolve(false), 300));
  const came = program.stdout.until(/\n/).then(() => true);
  came.catch(() => {});
  const result = await Promise.race([came, late]);
  clearTimeout(timer);
  return result;
}
