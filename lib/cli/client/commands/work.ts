/**
 * `parley work`: runs a command for each message of a durable channel, until it is dealt with.
 *
 * @module
 */

import type { Message } from "../../../client/message_types.ts";
import { ParleyError } from "../../../errors.ts";
import type { Command, Context } from "../command.ts";
import { connectionLost } from "../connection.ts";
import { CommandFailed, Shell } from "../shell.ts";

/** Exit codes of commands, as sysexits.h has them: try again later, and the message itself is wrong. */
const TRY_AGAIN = 75;
const WRONG_MESSAGE = 65;

/** How long a message without a sign of life stays with this program, in seconds. It is renewed three times as often. */
const ACK_SECONDS = 30;

/** The first wait before a message is tried again, in milliseconds. It doubles each time. */
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;

/** The command. */
export const WORK: Command = {
  name: "work",
  operands: { usage: "CHANNEL", min: 1, max: 1, channels: "first" },
  summary: "run a command for each message of a durable channel",
  details:
    "The payload is the stdin of the command; PARLEY_CHANNEL, PARLEY_SENDER, PARLEY_KIND, PARLEY_HEADERS,\n" +
    "PARLEY_SEQUENCE and PARLEY_DELIVERIES tell the rest. Its exit code decides: 0, the message is dealt with; 75,\n" +
    "it is given back and tried again later, by this worker or another one; 65, it is set aside. Any other code,\n" +
    "and a command that takes longer than --exec-timeout, gives it back, and after --retries it is set aside.\n" +
    "The waits grow from 1 s to 1 min. Workers with the same --consumer share the messages. Ctrl-C ends the\n" +
    "commands and gives their messages back at once. parley-server store consumer shows what was set aside.",
  examples: [
    "parley work jobs.resize --consumer resizer --exec ./resize.sh",
    "parley work jobs.resize --consumer resizer --exec ./resize.sh --parallel 4 --retries 5",
    "parley work mail.out --consumer mailer --exec 'sendmail -t' --exec-timeout 2m",
  ],
  options: ["reconnect", "consumer", "exec", "exec-timeout", "parallel", "retries", "count"],
  endsByInterrupt: true,
  run: work,
};

async function work(context: Context): Promise<void> {
  const { values, operands: [channel], resources, host, log, printStatus, connect } = context;
  const { consumer, exec: command, parallel, retries } = values;
  if (consumer === undefined || command === undefined) {
    const example = `parley work ${channel} --consumer me --exec cat`;
    throw new ParleyError("bad_argument", `work needs --consumer NAME and --exec COMMAND: ${example}`);
  }
  const client = await connect({ reconnect: values.reconnect });
  const shell = resources.use(new Shell(command, host.env, values.execTimeout));
  const jobs = new Jobs(context, shell);
  const subscription = await client.subscribe(channel, {
    consumer,
    window: parallel,
    ackSeconds: ACK_SECONDS,
    deliveries: retries === undefined ? 0 : retries + 1,
  });
  resources.defer(async () => {
    await jobs.giveBack();
    await client.close(); // sends what was said of the messages
  });
  log.info("working", { session: client.uuid, channel, consumer });
  printStatus(`working on ${channel} as ${consumer}, ${parallel} at once; Ctrl-C ends`);
  const takeAll = async () => {
    let left = values.count ?? Infinity;
    for await (const message of subscription) {
      jobs.begin(message);
      // Leaving the loop ends the subscription, and with it what is not acknowledged is given back.
      await jobs.untilFewerThan(--left === 0 ? 1 : parallel);
      if (left === 0) break;
    }
  };
  await Promise.race([takeAll(), jobs.broken, connectionLost(client)]);
}

/** The commands that run. */
class Jobs {
  readonly #context: Context;
  readonly #shell: Shell;
  readonly #running = new Set<Promise<void>>();
  readonly #broken = Promise.withResolvers<never>();
  #isEnding = false;

  constructor(context: Context, shell: Shell) {
    this.#context = context;
    this.#shell = shell;
    this.#broken.promise.catch(() => {}); // thrown by the command, if it still waits for it
  }

  /** Rejects if the work cannot go on, for example because nothing reads the output. */
  get broken(): Promise<never> {
    return this.#broken.promise;
  }

  /** Runs the command for `message`. */
  begin(message: Message): void {
    const job = this.#run(message).catch(this.#broken.reject).finally(() => this.#running.delete(job));
    this.#running.add(job);
  }

  /** Resolves when fewer than `count` commands run. */
  async untilFewerThan(count: number): Promise<void> {
    while (this.#running.size >= count) await Promise.race(this.#running);
  }

  /** Ends the commands and gives their messages back. */
  async giveBack(): Promise<void> {
    this.#isEnding = true;
    this.#shell.stop();
    await Promise.all(this.#running);
  }

  async #run(message: Message): Promise<void> {
    const { output, log } = this.#context;
    const { channel, sequence } = message;
    const renewing = setInterval(() => message.renew(), ACK_SECONDS * 1000 / 3);
    try {
      await this.#shell.feed(message, (chunk) => output.write(chunk));
      message.ack();
      log.info("message dealt with", { channel, sequence });
    } catch (error) {
      if (error instanceof CommandFailed) return this.#failed(message, error);
      message.nak();
      throw error;
    } finally {
      clearInterval(renewing);
    }
  }

  #failed(message: Message, { status, message: reason }: CommandFailed): void {
    if (this.#isEnding) return message.nak();
    const { values: { retries }, printError } = this.#context;
    const { sequence, channel, deliveries } = message;
    const what = `message ${sequence} of ${channel}`;
    if (status === WRONG_MESSAGE) {
      message.setAside();
      return printError(`${what} is set aside: ${reason}`);
    }
    const waitMs = waitBefore(deliveries);
    message.nak(waitMs);
    if (retries !== undefined && deliveries > retries) {
      return printError(`${what} is set aside after ${deliveries} deliveries: ${reason}`);
    }
    const again = `${what} is tried again in ${(waitMs / 1000).toFixed(1)} s`;
    printError(status === TRY_AGAIN ? again : `${again}: ${reason}`);
  }
}

/**
 * How long a message waits that was delivered `deliveries` times: random, so that messages which failed together do not
 * come back together.
 */
function waitBefore(deliveries: number): number {
  const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (deliveries - 1));
  return Math.round(longest * (0.5 + Math.random() / 2));
}
