/**
 * `parley doctor`: finds out why a client does not connect.
 *
 * @module
 */

import { ParleyError } from "../../../errors.ts";
import { CommandError, Exit, exitCodeOf } from "../../failures.ts";
import { painter, type Style, visibleJson } from "../../terminal.ts";
import type { Command, Context } from "../command.ts";
import type { Step } from "../doctor/diagnosis.ts";
import { EXPLANATIONS } from "../explanations.ts";

const STYLES: Record<Step["status"], Style> = { ok: "green", warn: "yellow", fail: "red" };

/** The width of the longest name of a step. */
const NAME_WIDTH = 10;

/** The command. */
export const DOCTOR: Command = {
  name: "doctor",
  operands: { usage: "", min: 0, max: 0 },
  summary: "find out why a client does not connect",
  details:
    "Takes the options of the command that fails, and connects step by step: name, TCP, TLS, greeting, clock,\n" +
    "token, with --channel the permissions there, and the round trip. Prints a line for each step, and stops at\n" +
    "the first that fails: why, and what to do. The exit code is that of the command that fails.",
  examples: [
    "parley doctor",
    "parley doctor --url parley://127.0.0.1:7253 --channel chat.lobby",
    "parley doctor --json --timeout 2s",
  ],
  options: ["channel", "json"],
  endsByInterrupt: false,
  run: doctor,
};

async function doctor({ values, output, host, resources, connectOptions }: Context): Promise<void> {
  // Here, because no other command needs what it needs.
  const { diagnose } = await import("../doctor/diagnosis.ts");
  const paint = painter(host.stdout);
  const connect = await connectOptions();
  const options = { connect, channel: values.channel, now: Date.now };
  let isConnected = false;
  for await (
    const step of diagnose({
      ...options,
      connected: (client) => {
        isConnected = true;
        resources.use(client);
      },
    })
  ) {
    await output.line(values.json ? formatJson(step) : formatText(step, paint));
    if (step.error !== undefined) throw new CommandError("", exitCodeOf(step.error, isConnected));
  }
}

function formatText({ name, status, text, error }: Step, paint: ReturnType<typeof painter>): string {
  const label = paint(STYLES[status], status.padEnd(4));
  // The server chooses the code of its error: it may be any text.
  const more = error !== undefined && error.code in EXPLANATIONS
    ? `; more: parley explain ${error.code}`
    : "";
  return `${label}  ${name.padEnd(NAME_WIDTH)}  ${text}${more}`;
}

function formatJson({ name, status, text, error, details }: Step): string {
  return visibleJson({ step: name, status, code: error?.code, text, ...details });
}

/** Errors for which nothing is wrong with how the client connects. */
const NOT_ITS_FAULT: readonly string[] = ["server_full", "shutting_down", "forbidden"];

/** What to add to the failure of another command, if `parley doctor` can tell more. */
export function adviseDoctor(error: unknown, isConnected: boolean): string {
  if (!(error instanceof ParleyError)) return "";
  if (isConnected) return error.code === "forbidden" ? `; ${CHANNEL_ADVICE}` : "";
  const isUsage = exitCodeOf(error, isConnected) === Exit.WRONG_USAGE;
  return isUsage || NOT_ITS_FAULT.includes(error.code) ? "" : `; ${ADVICE}`;
}

const ADVICE = "parley doctor, with the same options, finds the step that fails";
const CHANNEL_ADVICE = "parley doctor --channel NAME shows what is permitted";
