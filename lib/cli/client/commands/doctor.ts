/**
 * `parley doctor`: finds out why a client does not connect.
 *
 * @module
 */

import { ParleyError } from "../../../errors.ts";
import { CommandError, Exit, exitCodeOf } from "../../failures.ts";
import type { OutputStream } from "../../host.ts";
import { painter, type Style, visibleJson, wrapBehind } from "../../terminal.ts";
import type { Command, Context } from "../command.ts";
import type { Step } from "../doctor/diagnosis.ts";
import { EXPLANATIONS } from "../explanations.ts";
import { makeMask } from "../frames/masking.ts";

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

async function doctor(context: Context): Promise<void> {
  const { values, output, host, resources, connectOptions } = context;
  // Here, because no other command needs what it needs.
  const { diagnose } = await import("../doctor/diagnosis.ts");
  const origin = await addressOrigin(context);
  let isConnected = false;
  const steps = diagnose({
    connect: await connectOptions(),
    origin,
    channel: values.channel,
    now: Date.now,
    connected: (client) => {
      isConnected = true;
      resources.use(client);
    },
  });
  const mask = makeMask(); // a server may repeat a token in its error
  for await (const step of steps) {
    await output.line(mask.text(values.json ? formatJson(step) : formatText(step, origin, host.stdout)));
    if (step.error !== undefined) throw new CommandError("", exitCodeOf(step.error, isConnected));
  }
}

/** Says which options the address comes from, in the order in which they win: `from --url`. */
async function addressOrigin({ values, origins, contexts }: Context): Promise<string> {
  const flags = (["url", "context", "host", "port"] as const).filter((name) => origins[name] === "flag");
  if (flags.length > 0) return `from ${flags.map((name) => `--${name}`).join(" and ")}`;
  if (values.url !== undefined) return `from ${origins.url}`;
  if (values.context !== undefined) return `from ${origins.context}`;
  const variables = (["host", "port"] as const).filter((name) => origins[name] !== "default");
  if (variables.length > 0) return `from ${variables.map((name) => origins[name]).join(" and ")}`;
  const inUse = (await contexts.list()).find(({ current }) => current);
  return inUse === undefined ? DEFAULT_ORIGIN : `the context ${inUse.name}`;
}

const DEFAULT_ORIGIN = "the default, as no option names a server";

function formatText(
  { name, status, text, error }: Step,
  origin: string,
  stdout: OutputStream,
): string {
  const paint = painter(stdout);
  const width = stdout.isTerminal() ? columns() : Infinity; // a line for each step, for what reads it from a pipe
  const line = (text: string) => {
    const wrapped = wrapBehind(`${status.padEnd(4)}  ${name.padEnd(NAME_WIDTH)}  `, text, width);
    return paint(STYLES[status], status) + wrapped.slice(status.length);
  };
  if (error === undefined) return line(text);
  const advice = adviseOptions(name, error, origin);
  // The server chooses the code of its error: it may be any text.
  const more = error.code in EXPLANATIONS ? `; more: parley explain ${error.code}` : "";
  return line(`${text}${advice === undefined ? "" : `; ${advice}`}${more}`);
}

/** The width of the terminal. */
function columns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return Infinity; // only stdout is one, and it cannot be asked
  }
}

/** Which options of this program are the cure: the library's errors do not know them. */
function adviseOptions(
  step: Step["name"],
  { code, message }: ParleyError,
  origin: string,
): string | undefined {
  if (code === "untrusted" && message.includes("CA that is not known")) {
    return "use the server's join link as --url, or its ca.pem as --ca";
  }
  if (code === "not_parley" && step === "tls") {
    return "leave out --tls and --ca, or write parley:// for parleys://";
  }
  if (code === "not_parley" && message.includes("speaks TLS")) {
    return "use the server's join link as --url, or --tls with its ca.pem as --ca";
  }
  const isDefault = code === "unreachable" && origin === DEFAULT_ORIGIN;
  return isDefault ? "name the server with --url, or with --host and --port" : undefined;
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
