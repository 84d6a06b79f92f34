/**
 * `parley respond`: answers requests with a shell command.
 *
 * @module
 */

import type { Message, Payload } from "../../../client/api.ts";
import { ParleyError } from "../../../errors.ts";
import { type Command, type Context, lost } from "../command.ts";
import { describeFailure } from "../../failures.ts";
import { readText } from "../input.ts";

/** The command. */
export const RESPOND: Command = {
  name: "respond",
  operands: { show: "CHANNEL", least: 1, most: 1 },
  summary: "answer requests with what a shell command prints",
  details: "--exec COMMAND runs once a request, the question on its stdin, what it prints is the reply.\n" +
    "As many run at once as this machine has processors. Where it fails, whoever asked is told that there is\n" +
    "no reply (exit code 5 of parley request), and here a line on stderr says why.",
  options: ["exec"],
  endsByInterrupt: true,
  run: respond,
};

async function respond(
  { values, operands, resources, log, tell, printError, connect }: Context,
): Promise<void> {
  const [name] = operands;
  const command = values.exec;
  if (command === undefined) {
    const text =
      `respond needs --exec COMMAND, what to run for each request: parley respond ${name} --exec 'wc -c'`;
    throw new ParleyError("bad_argument", text);
  }
  const client = await connect();
  const { session } = client;
  const answer = async (request: Message) => {
    const reply = await execute(command, request.payload);
    log.info("answered", { session, channel: request.channel, asker: request.sender });
    return reply;
  };
  const failed = (error: unknown, request: Message) => {
    const reason = describeReason(error);
    printError(`request of session ${request.sender} on ${request.channel} was not answered: ${reason}`);
    log.debug("not answered", { session, channel: request.channel, asker: request.sender, error });
  };
  const concurrency = navigator.hardwareConcurrency;
  resources.use(await client.respond(name, answer, { concurrency, onError: failed }));
  log.info("responding", { session, channel: name });
  tell(`answering requests on ${name} with ${command}; Ctrl-C ends`);
  await lost(client);
}

/** A command that did not answer. Whoever asked is not told why: that may be private. */
class CommandFailed extends Error {}

function describeReason(error: unknown): string {
  return error instanceof CommandFailed ? error.message : describeFailure(error);
}

/** Runs `command` in a shell with `question` on its stdin; what it prints. Its stderr is ours. */
async function execute(command: string, question: Uint8Array): Promise<Payload> {
  const [shell, flag] = Deno.build.os === "windows" ? ["cmd", "/c"] : ["sh", "-c"];
  const child = new Deno.Command(shell, {
    args: [flag, command],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const [{ success, code, signal, stdout }] = await Promise.all([
    child.output(),
    feed(child.stdin, question),
  ]);
  if (!success) {
    const end = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
    throw new CommandFailed(`${command} ${end}`);
  }
  return readText(stdout) ?? stdout;
}

/** Writes all of `bytes`, as far as the command wants to read them. */
async function feed(stdin: WritableStream<Uint8Array>, bytes: Uint8Array): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(bytes);
    await writer.close();
  } catch {
    // It does not read its stdin, or not to the end: `date` answers without.
  }
}
