/**
 * `parley-server store consumer`: what an operator does with one consumer.
 *
 * @module
 */

import type { STORE_OPTIONS } from "../../config/command_options.ts";
import type { Loaded } from "../../config/load.ts";
import type { StoreEvents } from "../../server/control_socket.ts";
import type { ConsumerName } from "../../server/store_operations.ts";
import { Exit } from "../failures.ts";
import { printError } from "../output.ts";
import { visibleJson } from "../terminal.ts";

/** The command line of `parley-server store`. */
export type Command = Loaded<typeof STORE_OPTIONS>;

/** Has an operation done, with its arguments. */
export type Ask = (operation: string, args: unknown, item?: StoreEvents["item"]) => Promise<unknown>;

/** Does `parley-server store consumer ACTION CHANNEL NAME`. */
export async function consumerAction(
  { values }: Command,
  ask: Ask,
  [action, channel, name, operand]: string[],
): Promise<number | void> {
  const which: ConsumerName = { channel, consumer: name, subject: values.subject };
  const actions: Readonly<
    Record<string, { operand?: "sequence" | "sequence or all"; run: () => Promise<void> }>
  > = {
    reset: {
      operand: "sequence",
      async run() {
        await ask("reset", { ...which, position: Number(operand) });
        printError(`${name} goes on after sequence ${operand}`);
      },
    },
    pause: {
      async run() {
        await ask("pause", which);
        printError(`${name} is paused; parley-server store consumer resume ${channel} ${name}`);
      },
    },
    resume: {
      async run() {
        await ask("resume", which);
        printError(`${name} goes on`);
      },
    },
    "set-aside": { run: () => listSetAside(values.json, ask, which) },
    "give-back": {
      operand: "sequence or all",
      async run() {
        printError(
          `${await ask("giveBack", { ...which, which: sequenceOf(operand) })} messages are delivered again`,
        );
      },
    },
    drop: {
      operand: "sequence or all",
      async run() {
        printError(`${await ask("drop", { ...which, which: sequenceOf(operand) })} messages are given up`);
      },
    },
    delete: {
      async run() {
        await ask("forget", which);
        printError(`${name} is deleted`);
      },
    },
  };
  const chosen = Object.hasOwn(actions, action) ? actions[action] : undefined;
  const problem = chosen === undefined
    ? `store consumer ${JSON.stringify(action)}: the actions are ${Object.keys(actions).join(", ")}`
    : operandProblem(`store consumer ${action}`, chosen.operand, operand);
  if (problem !== undefined) {
    printError(`parley-server: ${problem}; see store --help`);
    return Exit.WRONG_USAGE;
  }
  await chosen!.run();
}

function operandProblem(command: string, expected: string | undefined, operand: string | undefined) {
  if (expected === undefined) {
    return operand === undefined ? undefined : `${command} takes CHANNEL and NAME only`;
  }
  const isSequence = operand !== undefined && /^\d{1,15}$/.test(operand);
  if (isSequence || expected !== "sequence" && operand === "all") return undefined;
  return `${command} needs a ${expected} after CHANNEL and NAME`;
}

async function listSetAside(json: boolean, ask: Ask, which: ConsumerName): Promise<void> {
  const messages = await ask("setAside", which) as { sequence: number; deliveries: number; since: number }[];
  if (messages.length === 0 && !json) printError("nothing is set aside");
  for (const { sequence, deliveries, since } of messages) {
    if (json) console.log(visibleJson({ sequence, deliveries, since: new Date(since).toISOString() }));
    else console.log(`${sequence}  delivered ${deliveries} times, set aside ${formatTime(since)}`);
  }
}

function sequenceOf(operand: string): number | "all" {
  return operand === "all" ? "all" : Number(operand);
}

/** A time for people, in UTC. */
export function formatTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
