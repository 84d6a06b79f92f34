/**
 * `parley respond`: answers requests with the output of a shell command.
 *
 * @module
 */

import type { Message, Payload } from "../../../client/api.ts";
import { ParleyError } from "../../../errors.ts";
import { type Command, connectionLost, type Context } from "../command.ts";
import { describeFailure } from "../../failures.ts";
import { decodeText } from "../input.ts";

/** The command. */
export const RESPOND: Command = {
  name: "respond",
  operands: { usage: "CHANNEL", min: 1, max: 1 },
  summary: "answer requests with the output of a shell command",
  details:
    "--exec COMMAND runs once per request: the request is its stdin, its stdout is the reply. As many run\n" +
    "at once as this machine has processors. If the command fails, the requester gets an error without the\n" +
    "reason (exit code 5 of parley request), and a line on stderr here gives the reason.\n" +
    "CHANNEL may be a pattern.",
  options: ["exec"],
  endsByInterrupt: true,
  run: respond,
};

async function respond(
  { values, operands, resources, log, printStatus, printError, connect }: Context,
): Promise<void> {
  const [name] = operands;
  const command = values.exec;
  if (command === undefined) {
    const text =
      `respond needs --exec COMMAND, the command to run for each request: parley respond ${name} --exec 'wc -c'`;
    throw new ParleyError("bad_argument", text);
  }
  const client = await connect();
  const { session } = client;
  const answer = async (request: Message) => {
    const reply = await execute(command, request.payload);
    log.info("request answered", { session, channel: request.channel, requester: request.sender });
    return reply;
  };
  const onError = (error: unknown, request: Message) => {
    const reason = describeReason(error);
    printError(`the request of session ${request.sender} on ${request.channel} failed: ${reason}`);
    log.debug("request failed", { session, channel: request.channel, requester: request.sender, error });
  };
  const concurrency = navigator.hardwareConcurrency;
  resources.use(await client.respond(name, answer, { concurrency, onError }));
  log.info("responding", { session, channel: name });
  printStatus(`answering requests on ${name} with ${command}; Ctrl-C ends`);
  await connectionLost(client);
}

/** A shell command failed. The requester does not get the reason, because it may be private. */
class CommandFailed extends Error {}

function describeReason(error: unknown): string {
  return error instanceof CommandFailed ? error.message : describeFailure(error);
}

/** Runs `command` in a shell with `input` as its stdin; resolves to its stdout. Its stderr goes to ours. */
async function execute(command: string, input: Uint8Array): Promise<Payload> {
  const [shell, flag] = Deno.build.os === "windows" ? ["cmd", "/c"] : ["sh", "-c"];
  const child = new Deno.Command(shell, {
    args: [flag, command],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const [{ success, code, signal, stdout }] = await Promise.all([
    child.output(),
    writeAll(child.stdin, input),
  ]);
  if (!success) {
    const end = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
    throw new CommandFailed(`${command} ${end}`);
  }
  return decodeText(stdout) ?? stdout;
}

/** Writes `bytes`, as far as the command reads them. */
async function writeAll(stdin: WritableStream<Uint8Array>, bytes: Uint8Array): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(bytes);
    await writer.close();
  } catch {
    // The command does not read all of its stdin. That is no failure: `date` reads none.
  }
}
