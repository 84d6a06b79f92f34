/**
 * `parley why`: where a message on a channel would go, or which sessions hold others back.
 *
 * @module
 */

import { ParleyError } from "../../../errors.ts";
import { channelProblem, isPattern } from "../../../wire/names.ts";
import { painter, visibleJson } from "../../terminal.ts";
import type { Command, Context } from "../command.ts";
import { describeChannel, describeSlow } from "../monitor/diagnosis_text.ts";
import { askStats } from "../monitor/stats_requests.ts";

/** The command. */
export const WHY: Command = {
  name: "why",
  operands: { usage: "[CHANNEL]", min: 0, max: 1, channels: "first" },
  summary: "say why a message does not arrive, or what holds others back",
  details:
    "With a CHANNEL: the sessions that would receive the next message there, those that match and would not, and\n" +
    "why; who would be asked; and the consumers with their lag. Nothing is sent. Without one: the publishers that\n" +
    "wait, what they wait for, the sessions that most bytes wait for, and the channels that nobody hears.\n" +
    "--json prints all of it as an object. With tokens, it needs one issued with --monitor.",
  examples: ["parley why orders.new", "parley why", "parley why chat.lobby --json"],
  options: ["json"],
  endsByInterrupt: false,
  run: why,
};

async function why({ values, operands: [channel], host, output, connect }: Context): Promise<void> {
  if (channel !== undefined) checkName(channel);
  const client = await connect();
  const { timeout, json } = values;
  const paint = painter(host.stdout);
  if (channel === undefined) {
    const slow = await askStats(client, "$stats.slow", {}, timeout);
    return await output.line(json ? visibleJson(slow) : describeSlow(slow, paint).join("\n"));
  }
  const diagnosis = await askStats(client, "$stats.why", { channel }, timeout);
  await output.line(json ? visibleJson(diagnosis) : describeChannel(diagnosis, paint).join("\n"));
}

function checkName(channel: string): void {
  const problem = channelProblem(channel);
  if (problem !== undefined) throw new ParleyError("bad_channel", problem);
  if (!isPattern(channel)) return;
  throw new ParleyError("bad_channel", `${channel} is a pattern; why needs the name of one channel`);
}
