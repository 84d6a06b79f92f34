/**
 * `parley-server store`: what an operator sees of durable channels, and does with them.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { STORE } from "../../config/command_options.ts";
import { type ConfigSources, loadConfig } from "../../config/load.ts";
import { ParleyError } from "../../errors.ts";
import type { Log } from "../../logging/log.ts";
import { askServer, type StoreEvents } from "../../server/control_socket.ts";
import { storeFolder } from "../../server/options.ts";
import {
  type Findings,
  type ListedChannel,
  operate,
  restoreStore,
  type ShownMessage,
} from "../../server/store_operations.ts";
import { openOffline } from "../../server/stored.ts";
import { Exit } from "../failures.ts";
import { printError } from "../output.ts";
import { ProgressLine } from "../progress_line.ts";
import { formatHelp } from "../settings.ts";
import { exists, folderOfServer, type ServerFolder, strayOptions } from "./folders.ts";
import { type Ask, type Command, consumerAction, formatTime } from "./store_consumer.ts";
import { visible, visibleJson } from "../terminal.ts";

const USAGE =
  `Usage: parley-server store list [CHANNEL]                     channels, producers, consumers and their lag
       parley-server store show CHANNEL [--from N] [--count N]  print messages
       parley-server store consumer ACTION CHANNEL NAME     ACTION is one of
           reset CHANNEL NAME SEQUENCE     go on after this sequence; 0: from the beginning
           pause, resume CHANNEL NAME      deliver nothing meanwhile
           set-aside CHANNEL NAME          list the messages that were set aside
           give-back CHANNEL NAME SEQUENCE|all    deliver them again
           drop CHANNEL NAME SEQUENCE|all         give them up
           delete CHANNEL NAME             forget its position
       parley-server store purge CHANNEL [--before N]       drop what is stored
       parley-server store delete CHANNEL                   drop all of it; its sequences begin anew
       parley-server store verify                           read everything and check it
       parley-server store backup FILE                      copy the store, also while the server runs
       parley-server store restore FILE                     put a copy in its place; stop the server first

The commands go through the server that has the store open, or open it themselves. --store must be that of the
server, or --state if the server has no --store.

Examples:
  parley-server store list
  parley-server store show orders.new --from 100 --count 5 --json
  parley-server store consumer set-aside orders.new billing
  parley-server store consumer give-back orders.new billing all
  parley-server store backup /backup/parley-$(date +%F).db

`;

/** What a command does: `ask` has an operation done, by the server or here. */
type Action = (command: Command, ask: Ask, operands: string[]) => Promise<number | void>;

/** The commands: how many operands each takes, its options, and what it does. */
const COMMANDS: Readonly<
  Record<string, { operands: readonly [number, number]; options?: readonly string[]; action: Action }>
> = {
  list: { operands: [0, 1], action: list },
  show: { operands: [1, 1], options: ["from", "count"], action: show },
  consumer: { operands: [3, 4], options: ["subject"], action: consumerAction },
  purge: { operands: [1, 1], options: ["before"], action: purge },
  delete: {
    operands: [1, 1],
    async action(_command, ask, [channel]) {
      await ask("delete", { channel });
      printError(`${channel} is deleted; if it is used again, its sequences begin anew`);
    },
  },
  verify: { operands: [0, 0], action: verify },
  backup: {
    operands: [1, 1],
    async action(_command, ask, [file]) {
      await ask("backup", { file: absolute(file) });
      printError(`copied the store to ${file}, ${(await Deno.stat(file)).size} bytes`);
    },
  },
  restore: { operands: [1, 1], action: () => Promise.resolve() },
};

/** Runs `parley-server store ARGS`; resolves to the exit code. */
export async function storeCommand(sources: ConfigSources): Promise<number> {
  const loaded = loadConfig(STORE, sources);
  if (loaded.values.help) {
    console.log(USAGE + formatHelp(STORE));
    return Exit.DONE;
  }
  const problems = usageProblems(loaded);
  const { path: folder, problems: others, warnings } = folderOf(loaded, sources);
  problems.push(...others);
  for (const text of warnings) printError(`parley-server: ${text}`);
  if (problems.length > 0) {
    for (const text of problems) printError(`parley-server: ${text}`);
    return Exit.WRONG_USAGE;
  }
  const [name, ...operands] = loaded.operands;
  if (name === "restore") {
    const before = await restoreStore(operands[0], folder);
    printError(`restored ${folder} from ${operands[0]}`);
    if (before !== undefined) printError(`what was there before is in ${before}`);
    return Exit.DONE;
  }
  if (!exists(folder)) {
    throw new ParleyError("bad_argument", `there is no store ${folder}; give it with --store`);
  }
  const ask: Ask = (operation, args, item = () => Promise.resolve()) =>
    askStore(folder, operation, args, item);
  return await COMMANDS[name].action(loaded, ask, operands) ?? Exit.DONE;
}

/** Has an operation done: by the server that has the store open, or by this process. */
async function askStore(
  folder: string,
  operation: string,
  args: unknown,
  item: StoreEvents["item"],
): Promise<unknown> {
  const bar = new ProgressLine();
  try {
    const events = { item, progress: (done: number, total: number) => bar.show(done, total) };
    const answer = await askServer(folder, operation, args, events);
    if (answer !== undefined) return answer.result;
    await using store = await openOffline(folder, SILENT);
    return await operate({ operator: store.operator, folder, ...events }, operation, args);
  } finally {
    bar.clear();
  }
}

/** The problems of the command line, one line each. */
function usageProblems({ origins, problems, operands: [name, ...operands] }: Command): string[] {
  const found = problems.map(({ text }) => text);
  const known = Object.hasOwn(COMMANDS, name ?? "") ? COMMANDS[name] : undefined;
  if (known === undefined) {
    const given = name === undefined ? "store" : `store ${JSON.stringify(name)}`;
    return [...found, `${given}: the commands are ${Object.keys(COMMANDS).join(", ")}; see store --help`];
  }
  found.push(
    ...strayOptions(`store ${name}`, origins, [...known.options ?? [], "store", "state", "json", "help"]),
  );
  const [fewest, most] = known.operands;
  if (operands.length < fewest || operands.length > most) {
    const expected = fewest === most ? String(fewest) : `${fewest} to ${most}`;
    found.push(`store ${name} takes ${expected} operands, got ${operands.length}; see store --help`);
  }
  return found;
}

/** The folder of the store: that of the flags, or of a server that is started here without flags. */
function folderOf(command: Command, sources: ConfigSources): ServerFolder {
  const { values: { store, state }, origins, warnings } = command;
  if (store === undefined && origins.state !== "flag") return folderOfServer("store", sources);
  return { path: storeFolder({ store, state }), problems: [], warnings };
}

async function list({ values: { json } }: Command, ask: Ask, [channel]: string[]): Promise<void> {
  const channels = await ask("list", { channel }) as ListedChannel[];
  if (json) {
    for (const channel of channels) console.log(visibleJson(channel));
    return;
  }
  if (channels.length === 0) printError("nothing is stored");
  for (const { channel, messages, bytes, first, last, oldest, newest, producers, consumers } of channels) {
    const times = oldest === null ? "" : `, ${formatTime(oldest)} to ${formatTime(newest!)}`;
    console.log(`${channel}  ${messages} messages, ${bytes} bytes, sequences ${first} to ${last}${times}`);
    for (const { name, subject, stored } of producers) {
      console.log(`  producer ${owned(name, subject)}  ${stored} stored`);
    }
    for (const { name, subject, lag, position, sessions, setAside, isPaused, lost } of consumers) {
      const notes = [
        `lag ${lag}`,
        `at ${position}`,
        `${sessions} sessions`,
        ...setAside > 0 ? [`${setAside} set aside`] : [],
        ...lost > 0 ? [`${lost} lost`] : [],
        ...isPaused ? ["paused"] : [],
      ];
      console.log(`  consumer ${owned(name, subject)}  ${notes.join(", ")}`);
    }
  }
}

async function show({ values }: Command, ask: Ask, [channel]: string[]): Promise<void> {
  const { from = 1, count, json } = values;
  await ask("show", { channel, from, count }, (item) => {
    const { sequence, time, header: { sender, flags }, payload } = item as ShownMessage;
    const bytes = Buffer.from(payload, "base64");
    const message = { sequence, time: new Date(time).toISOString(), sender, flags };
    if (json) console.log(visibleJson({ ...message, payload: bytes.toString("utf8"), base64: payload }));
    else console.log(`${sequence}  ${formatTime(time)}  from ${sender}  ${visible(bytes.toString("utf8"))}`);
    return Promise.resolve();
  });
}

async function purge({ values: { before } }: Command, ask: Ask, [channel]: string[]): Promise<void> {
  printError(`dropped ${await ask("purge", { channel, before })} messages of ${channel}`);
}

async function verify({ values: { json } }: Command, ask: Ask): Promise<number> {
  const { problems, damaged, missing } = await ask("verify", {}) as Findings;
  const isSound = problems.length + damaged.length + missing.length === 0;
  if (json) console.log(visibleJson({ problems, damaged, missing }));
  else {
    for (const text of problems) console.log(visible(text));
    for (const { name, first, last } of damaged) {
      console.log(`${name}: messages ${first} to ${last} are damaged; they are left out`);
    }
    for (const { name, first, last } of missing) {
      console.log(`${name}: messages ${first} to ${last} are missing`);
    }
    if (isSound) printError("the store is sound");
  }
  return isSound ? Exit.DONE : Exit.FAILED;
}

function owned(name: string, subject: string): string {
  return subject === "" ? name : `${name} of ${visible(subject)}`;
}

function absolute(path: string): string {
  return path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
}

/** What the store logs is not for the operator's terminal; errors are thrown as well. */
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => SILENT } as unknown as Log;
