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
import { formatMessageJson } from "../message_json.ts";
import { decodeText } from "../payload.ts";
import { CommandFailed, Shell } from "../shell.ts";

/** The command. */
export const RESPOND: Command = {
  name: "respond",
  operands: { usage: "CHANNEL", min: 1, max: 1, channels: "first" },
  summary: "answer requests with the output of a shell command",
  details:
    "--exec COMMAND runs once per request: the request is its stdin, its stdout is the reply, and PARLEY_CHANNEL,\n" +
    "PARLEY_SENDER, PARLEY_KIND and PARLEY_HEADERS tell the rest. As many run at once as this machine has\n" +
    "processors. If the command fails or takes longer than --exec-timeout, the requester gets an error without\n" +
    "the reason (exit code 5 of parley request), and a line on stderr here gives the reason. The command does\n" +
    "not get PARLEY_TOKEN and PARLEY_URL, and is ended when respond ends. --json prints an object for each\n" +
    "request, with answered (true or false) and ms besides the fields of subscribe --json. --count ends respond\n" +
    "after so many requests. CHANNEL may be a pattern.",
  examples: [
    "parley respond text.upper --exec 'tr a-z A-Z'",
    "parley respond 'files.*' --exec 'wc -c' --json",
    "parley respond text.reverse --exec rev --count 1",
  ],
  options: ["reconnect", "count", "json", "exec", "exec-timeout"],
  endsByInterrupt: true,
  run: respond,
};

async function respond(context: Context): Promise<void> {
  const { values, operands: [name], resources, host, log, printStatus, printError, connect } = context;
  const command = values.exec;
  if (command === undefined) {
    const text =
      `respond needs --exec COMMAND, the command to run for each request: parley respond ${name} --exec 'wc -c'`;
    throw new ParleyError("bad_argument", text);
  }
  const client = await connect({ reconnect: values.reconnect });
  const { uuid: session } = client;
  const shell = resources.use(new Shell(command, host.env, values.execTimeout, client.limits.payload));
  const count = new Countdown(values.count);
  const answer = async (request: Message) => {
    const startMs = performance.now();
    const done = (answered: boolean) => {
      if (values.json) print(context, request, { answered, ms: Math.round(performance.now() - startMs) });
      count.take();
    };
    try {
      const output = await shell.run(request);
      const reply: Payload = decodeText(output) ?? output;
      log.info("request answered", { session, channel: request.channel, requester: request.sender });
      done(true);
      return reply;
    } catch (error) {
      done(false);
      throw error;
    }
  };
  const onError = (error: unknown, request: Message) => {
    const reason = error instanceof CommandFailed ? error.message : describeFailure(error);
    printError(`the request of session ${request.sender} on ${request.channel} failed: ${reason}`);
    log.debug("request failed", { session, channel: request.channel, requester: request.sender, error });
  };
  const concurrency = Math.min(navigator.hardwareConcurrency, values.count ?? Infinity);
  const responder = resources.use(await client.respond(name, answer, { concurrency, onError }));
  resources.defer(() => shell.stopSoon());
  log.info("responding", { session, channel: name });
  printStatus(`answering requests on ${name} with ${command}; Ctrl-C ends`);
  await Promise.race([count.done, connectionLost(client)]);
  await responder.stop();
}

function print({ output }: Context, request: Message, outcome: { answered: boolean; ms: number }): void {
  output.line(formatMessageJson(request, outcome))?.catch(() => {}); // `output.broken` ends the command
}

/** Counts what is left of `--count`. */
class Countdown {
  #left: number;
  readonly #done = Promise.withResolvers<void>();
  /** Resolves when none is left; without a count never. */
  readonly done: Promise<void> = this.#done.promise;

  constructor(count: number = Infinity) {
    this.#left = count;
  }

  take(): void {
    if (--this.#left <= 0) this.#done.resolve();
  }
}
