/**
 * `parley publish`: sends a text, lines, files or objects as messages.
 *
 * @module
 */

import type { Client, Producer } from "../../../client/api.ts";
import { ParleyError } from "../../../errors.ts";
import type { Command, Context } from "../command.ts";
import { connectionLost } from "../connection.ts";
import { labelled, messagesToSend, outgoingOf } from "../outgoing.ts";
import { visibleJson } from "../../terminal.ts";

/** The command. */
export const PUBLISH: Command = {
  name: "publish",
  operands: { usage: "[CHANNEL] [TEXT | -]", min: 0, max: 2, channels: "first" },
  summary: "send a text, lines or files as messages",
  details:
    "Without a TEXT, each line of stdin or of the files is a message, as it is but for its newline. With\n" +
    "--whole, each file or all of stdin is one message. With --json, each line is an object as subscribe --json\n" +
    "prints it, with channel and text, json or base64; a CHANNEL goes before that of the object. Ends when the\n" +
    "server has accepted or refused everything; on a durable channel, when everything is stored. With --producer\n" +
    "NAME, an import that was interrupted goes on at the right line: run the same command again.\n" +
    "Put -- before a TEXT that begins with -.",
  examples: [
    "parley publish chat.lobby 'hello, all'",
    "seq 3 | parley publish jobs.resize",
    "parley publish photos.new --whole --file photo.jpg --header name=photo.jpg",
    "parley publish orders.new - --producer import-7 <orders.txt",
    "parley publish clock.tick tick --repeat 3 --rate 100",
    `echo '{"channel":"news","json":{"on":true}}' | parley publish --json`,
  ],
  options: ["reconnect", "producer", "json", "whole", "file", "header", "kind", "repeat", "rate"],
  endsByInterrupt: false,
  run: publish,
};

async function publish(context: Context): Promise<void> {
  const { values, operands: [channel], output, log, host, printStatus, connect } = context;
  const outgoing = outgoingOf(context);
  const isOne = outgoing.text !== undefined && outgoing.repeat === 1;
  const client = await connect({ reconnect: values.reconnect && !isOne });
  const producer = await producerOf(context, client);
  const { stored: skipped = 0 } = producer ?? {};
  let messages = 0;
  const sendAll = async () => {
    const window = new Window();
    for await (const message of messagesToSend(outgoing, client.limits.payload, host)) {
      if (messages++ < skipped) continue;
      const { channel, payload, kind, headers } = message;
      const options = { kind, headers };
      const send = () => producer?.publish(payload, options) ?? client.publish(channel, payload, options);
      await window.add(payload.length, labelled(message, send));
    }
    await window.empty();
  };
  await Promise.race([sendAll(), connectionLost(client)]);
  if (values.timeout !== undefined) await client.flush({ timeoutMs: values.timeout });
  await client.close(); // throws the error of a message that was refused
  if (messages < skipped) {
    printStatus(
      `there are only ${messages} messages, but ${skipped} of producer ${values.producer} are stored`,
    );
  }
  log.info("published", { session: client.uuid, channel, messages });
  if (values.json) await output.line(visibleJson({ channel, messages }));
}

/** The producer that `--producer` names. Says how much of it is stored already. */
async function producerOf(
  { values: { producer: name }, operands: [channel], printStatus }: Context,
  client: Client,
): Promise<Producer | undefined> {
  if (name === undefined) return undefined;
  if (channel === undefined) throw new ParleyError("bad_argument", "--producer needs a CHANNEL");
  const producer = await client.producer(channel, name);
  if (producer.stored > 0) {
    printStatus(`${producer.stored} messages of producer ${name} are stored already; they are skipped`);
  }
  return producer;
}

/** What may be on its way at once: on a durable channel each message is waited for until it is stored. */
const WINDOW_MESSAGES = 4096;
const WINDOW_BYTES = 1024 * 1024;

/** Messages that are on their way. */
class Window {
  #messages = 0;
  #bytes = 0;
  #error: unknown;
  #wake: (() => void) | undefined;

  /** Adds a message. Resolves when there is room for another; fails if one failed. */
  async add(bytes: number, sent: Promise<void>): Promise<void> {
    this.#messages++;
    this.#bytes += bytes;
    sent.catch((error) => void (this.#error ??= error)).then(() => {
      this.#messages--;
      this.#bytes -= bytes;
      this.#wake?.();
    });
    await this.#until(() => this.#messages < WINDOW_MESSAGES && this.#bytes < WINDOW_BYTES);
  }

  /** Resolves when none is on its way any more. */
  empty(): Promise<void> {
    return this.#until(() => this.#messages === 0);
  }

  async #until(isTrue: () => boolean): Promise<void> {
    while (this.#error === undefined && !isTrue()) await new Promise<void>((resolve) => this.#wake = resolve);
    if (this.#error !== undefined) throw this.#error;
  }
}
