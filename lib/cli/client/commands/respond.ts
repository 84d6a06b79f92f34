/**
 * `parley respond`: answers requests with the output of a shell command.
 *
 * @module
 */

import type { Client } from "../../../client/api.ts";
import type { Message, Payload, Request } from "../../../client/message_types.ts";
import { ParleyError } from "../../../errors.ts";
import type { Command, Context } from "../command.ts";
import { connectionLost } from "../connection.ts";
import { CommandError, describeFailure } from "../../failures.ts";
import { stdin } from "../input.ts";
import { formatMessageJson } from "../message_json.ts";
import { decodeText } from "../payload.ts";
import { ReplyLines } from "../reply_lines.ts";
import { Shell } from "../shell.ts";

/** The command. */
export const RESPOND: Command = {
  name: "respond",
  operands: { usage: "CHANNEL", min: 1, max: 1, channels: "first" },
  summary: "answer requests with the output of a command",
  details:
    "--exec COMMAND runs once per request: the request is its stdin, its stdout is the reply, and PARLEY_CHANNEL,\n" +
    "PARLEY_SENDER, PARLEY_KIND and PARLEY_HEADERS tell the rest. As many run at once as this machine has\n" +
    "processors. If the command fails or takes longer than --exec-timeout, the requester gets an error without\n" +
    "the reason (exit code 5 of parley request), and a line on stderr here gives the reason. The command does\n" +
    "not get PARLEY_TOKEN and PARLEY_URL, and is ended when respond ends. --json prints an object for each\n" +
    "request, with answered (true or false) and ms besides the fields of subscribe --json. --count ends respond\n" +
    "after so many requests. CHANNEL may be a pattern.\n" +
    "With --json and without --exec, another program answers: it reads each request as an object with an id, and\n" +
    "writes the reply as an object with the same id, and text, json or base64, to the stdin of respond.",
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
  const { values, operands: [name], resources, log, printStatus, printError, connect } = context;
  const command = values.exec;
  if (command === undefined && !values.json) {
    const text =
      "respond needs --exec COMMAND, the command to run for each request, or --json to read replies: " +
      `parley respond ${name} --exec 'wc -c'`;
    throw new ParleyError("bad_argument", text);
  }
  const client = await connect({ reconnect: values.reconnect });
  const { uuid: session } = client;
  const { promise: enough, resolve } = Promise.withResolvers<void>();
  const answers = command === undefined
    ? byLines(context, client, resolve)
    : byCommand(context, client, command);
  let left = values.count ?? Infinity;
  const answer = async (request: Request) => {
    if (--left === 0) resolve();
    const reply = await answers.answer(request);
    log.info("request answered", { session, channel: request.channel, requester: request.sender });
    return reply;
  };
  const onError = (error: unknown, request: Message) => {
    const reason = error instanceof CommandError ? error.message : describeFailure(error);
    printError(`the request of session ${request.sender} on ${request.channel} failed: ${reason}`);
    log.debug("request failed", { session, channel: request.channel, requester: request.sender, error });
  };
  const concurrency = Math.min(answers.concurrency, left);
  const responder = resources.use(await client.respond(name, answer, { concurrency, onError }));
  if (answers.onEnd !== undefined) resources.defer(answers.onEnd);
  log.info("responding", { session, channel: name });
  printStatus(`answering requests on ${name} with ${command ?? "the objects on stdin"}; Ctrl-C ends`);
  await Promise.race([enough, answers.failed, connectionLost(client)].filter((end) => end !== undefined));
  await responder.stop();
}

/** What answers the requests. */
interface Answers {
  /** Answers one; undefined if it has sent the reply. */
  answer(request: Request): Promise<Payload | void>;
  /** How many are answered at once. */
  readonly concurrency: number;
  /** Called when respond ends, before the responder waits for what is under way. */
  readonly onEnd?: () => void;
  /** Rejects if no more can be answered. */
  readonly failed?: Promise<never>;
}

/** Answers with the output of a command. */
function byCommand({ values, resources, host, output }: Context, client: Client, command: string): Answers {
  const shell = resources.use(new Shell(command, host.env, values.execTimeout, client.limits.payload));
  const print = (request: Message, answered: boolean, ms: number) => {
    if (!values.json) return;
    // `output.broken` ends the command
    output.line(formatMessageJson(request, { answered, ms: Math.round(ms) }))?.catch(() => {});
  };
  return {
    concurrency: navigator.hardwareConcurrency,
    onEnd: () => shell.stopSoon(),
    answer: async (request) => {
      const startMs = performance.now();
      let answered = false;
      try {
        const reply = await shell.run(request);
        answered = true;
        return decodeText(reply) ?? reply;
      } finally {
        print(request, answered, performance.now() - startMs);
      }
    },
  };
}

/** How many requests may wait for replies on stdin. */
const WAITING = 64;

/** Answers with what another program writes to stdin. Its end ends the command. */
function byLines({ values, host, output, printError }: Context, client: Client, onEnd: () => void): Answers {
  const replies = new ReplyLines({
    print: (line) => output.line(line),
    printError,
    timeoutMs: values.execTimeout,
    maxBytes: client.limits.payload,
  });
  const failed = Promise.withResolvers<never>();
  replies.read(stdin(host.stdin)).then(onEnd, failed.reject);
  return { concurrency: WAITING, answer: (request) => replies.answer(request), failed: failed.promise };
}
