/**
 * `parley chat`: sends lines to a channel and shows the messages of others with their names.
 *
 * @module
 */

import type { Client, Subscription } from "../../../client/api.ts";
import type { Message } from "../../../client/message_types.ts";
import type { Command, Context } from "../command.ts";
import { connectionLost } from "../connection.ts";
import { describeFailure } from "../../failures.ts";
import { lines, stdin } from "../input.ts";
import { decodeText, kindOf } from "../payload.ts";
import { Screen } from "../screen.ts";
import { visible } from "../../terminal.ts";

const LOBBY = "chat.lobby";

/** The command. */
export const CHAT: Command = {
  name: "chat",
  operands: { usage: "[CHANNEL]", min: 0, max: 1, channels: "first" },
  summary: "chat on a channel, line by line",
  details: `The default CHANNEL is ${LOBBY}. Ctrl-D or Ctrl-C ends the chat. Messages go to\n` +
    "stdout. Notices of sessions that join or leave go to stderr, or above the prompt on a terminal.",
  examples: ["parley chat", "parley chat chat.tea --name Ada"],
  options: ["reconnect"],
  endsByInterrupt: true,
  run: chat,
};

async function chat(
  { values, operands, output, log, resources, printLine, connect }: Context,
): Promise<void> {
  const screen = resources.use(new Screen(output, printLine));
  const client = await connect({
    reconnect: values.reconnect,
    onError: (error) => screen.notice(describeFailure(error)),
    onNotice: (text) => screen.notice(text),
  });
  const names = new SessionNames();
  const channel = operands[0] ?? LOBBY;
  const messages = await client.subscribe(channel, {
    echo: false,
    presence: ({ type, sessionId, name }) => {
      names.set(sessionId, name);
      // In a later turn of the event loop, so that the last messages of a session appear before it leaves.
      if (sessionId !== client.sessionId) setTimeout(() => screen.notice(`${visible(name)} ${VERBS[type]}`));
    },
  });
  for (const [number, name] of messages.members) names.set(number, name);
  log.info("chatting", { session: client.uuid, channel });
  screen.notice(visible(client.greeting));
  screen.notice(`${channel}: ${describeMembers(client, messages)}; Ctrl-D ends`);
  screen.prompt();
  await Promise.race([
    showMessages(messages, names, screen),
    sendLines(client, channel),
    connectionLost(client),
  ]);
}

const VERBS = { joined: "joined", parted: "left" };

/** Names listed at the start; more do not fit a line. */
const NAMES_SHOWN = 10;

/** Lists the members: `you (Ada) and Grace`, `you (Ada), Grace and 28 more`. */
function describeMembers(client: Client, { members, memberCount }: Subscription): string {
  const others = [...members].filter(([number]) => number !== client.sessionId).map(([, name]) =>
    visible(name)
  );
  const all = [`you (${visible(client.name)})`, ...others.slice(0, NAMES_SHOWN)];
  const more = memberCount - all.length;
  if (more > 0) all.push(`${more} more`);
  if (all.length === 1) return `${all[0]} alone`;
  return `${all.slice(0, -1).join(", ")} and ${all.at(-1)}`;
}

async function showMessages(messages: Subscription, names: SessionNames, screen: Screen): Promise<void> {
  for await (const message of messages) {
    await screen.message(names.get(message.sender), textOf(message));
  }
}

function textOf({ payload }: Message): string {
  const text = decodeText(payload);
  return text === undefined ? `(${payload.length} bytes that are not text)` : visible(text);
}

const RETURN = 0x0d;

/** Sends each line of stdin except empty ones; resolves at the end of stdin. */
async function sendLines(client: Client, channel: string): Promise<void> {
  for await (const line of lines(stdin(), client.limits.payload)) {
    const payload = line.at(-1) === RETURN ? line.subarray(0, -1) : line;
    if (payload.length > 0) await client.publish(channel, payload, { kind: kindOf(payload) });
  }
}

/** Names remembered. A message may arrive after its sender has left, but not after thousands of other changes. */
const MAX_NAMES = 10_000;

/** The names of sessions by number, including sessions that left recently. */
export class SessionNames {
  readonly #names = new Map<number, string>();

  /** Remembers the name of session `number`. */
  set(number: number, name: string): void {
    this.#names.delete(number); // the map keeps insertion order, so the oldest entry stays first
    this.#names.set(number, name);
    if (this.#names.size > MAX_NAMES) this.#names.delete(this.#names.keys().next().value!);
  }

  /** The name of session `number`, safe to show. */
  get(number: number): string {
    return visible(this.#names.get(number) ?? (number === 0 ? "the server" : `session ${number}`));
  }
}
