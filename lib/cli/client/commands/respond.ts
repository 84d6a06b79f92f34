/**
 * `parley respond`: answers requests with the output of a shell command.
 *
 * @module
 */

import type { Message, Payload } from "../../../client/message_types.ts";
import { ParleyError } from "../../../errors.ts";
import type { Command, Context } from "../command.ts";
import { connectionLost } from "../connection.ts";
import { describeFailure } from "../../failures.ts";
import { decodeText } from "../input.ts";
import { CommandFailed, Shell } from "../shell.ts";

/** The command. */
export const RESPOND: Command = {
  name: "respond",
  operands: { usage: "CHANNEL", min: 1, max: 1 },
  summary: "answer requests with the output of a shell command",
  details:
    "--exec COMMAND runs once per request: the request is its stdin, its stdout is the reply. As many run\n" +
    "at once as this machine has processors. If the command fails or takes longer than --exec-timeout, the\n" +
    "requester gets an error without the reason (exit code 5 of parley request), and a line on stderr here\n" +
    "gives the reason. The command does not get PARLEY_TOKEN and PARLEY_URL, and is ended when respond ends.\n" +
    "CHANNEL may be a pattern.",
  options: ["reconnect", "exec", "exec-timeout"],
  endsByInterrupt: true,
  run: respond,
};

/** How long running commands may go on when respond ends, in milliseconds: less than the program waits for them. */
const FINISH_MS = 3_000;

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
  const client = await connect({ reconnect: values.reconnect });
  const { uuid: session } = client;
  const shell = resources.use(new Shell(command, values.execTimeout, client.limits.payload));
  const answer = async (request: Message) => {
    const output = await shell.run(request.payload);
    const reply: Payload = decodeText(output) ?? output;
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
  resources.defer(() => {
    const timer = setTimeout(() => shell.stop(), FINISH_MS);
    Deno.unrefTimer(timer);
  });
  log.info("responding", { session, channel: name });
  printStatus(`answering requests on ${name} with ${command}; Ctrl-C ends`);
  await connectionLost(client);
}

function describeReason(error: unknown): string {
  return error instanceof CommandFailed ? error.message : describeFailure(error);
}
