/**
 * `parley chat`: lines in and out on a channel, with the names of those who talk.
 *
 * @module
 */

import type { Channel, Client, Message } from "../../../client/api.ts";
import { type Command, type Context, declineRequest, lost } from "../command.ts";
import { describeFailure } from "../../failures.ts";
import { given, lines, readText } from "../input.ts";
import { Names } from "../names.ts";
import { Screen } from "../screen.ts";
import { visible } from "../../terminal.ts";

const LOBBY = "chat.lobby";

/** The command. */
export const CHAT: Command = {
  name: "chat",
  operands: { show: "[CHANNEL]", least: 0, most: 1 },
  summary: "talk with others, line by line",
  details:
    `Without a CHANNEL it is ${LOBBY}. Ctrl-D and Ctrl-C end it. Messages go to stdout; who comes and\n` +
    "goes too on a terminal, otherwise to stderr. --name is what others see.",
  options: [],
  endsByInterrupt: true,
  run: chat,
};

async function chat({ operands, output, log, resources, connect }: Context): Promise<void> {
  const screen = resources.use(new Screen(output));
  const client = await connect((error) => screen.notice(describeFailure(error)));
  const names = new Names();
  const channel = await client.open(operands[0] ?? LOBBY, {
    echo: false,
    presence: ({ type, number, name }) => {
      names.set(number, name);
      // A turn later, so that what somebody said is shown before they leave.
      if (number !== client.number) setTimeout(() => screen.notice(`${visible(name)} ${VERBS[type]}`));
    },
  });
  for (const [number, name] of channel.members) names.set(number, name);
  log.info("chatting", { session: client.session, channel: channel.name });
  screen.notice(visible(client.message));
  screen.notice(`${channel.name}: ${present(client, channel)}; Ctrl-D ends`);
  screen.prompt();
  await Promise.race([listen(channel, names, screen), talk(client, channel), lost(client)]);
}

const VERBS = { joined: "came", parted: "left" };

/** More names than this do not fit a line. */
const NAMES_SHOWN = 10;

/** `you and Grace`, `you, Grace and 28 more`. */
function present(client: Client, { members, memberCount }: Channel): string {
  const others = [...members].filter(([number]) => number !== client.number).map(([, name]) => visible(name));
  const all = [`you (${visible(client.name)})`, ...others.slice(0, NAMES_SHOWN)];
  const more = memberCount - all.length;
  if (more > 0) all.push(`${more} more`);
  if (all.length === 1) return `${all[0]} alone`;
  return `${all.slice(0, -1).join(", ")} and ${all.at(-1)}`;
}

async function listen(channel: Channel, names: Names, screen: Screen): Promise<void> {
  for await (const message of channel) {
    await screen.message(names.of(message.sender), textOf(message));
    if (message.isRequest) await declineRequest(message);
  }
}

function textOf({ payload }: Message): string {
  const text = readText(payload);
  return text === undefined ? `(${payload.length} bytes that are no text)` : visible(text);
}

/** Sends each line of stdin but empty ones; resolves at its end. */
async function talk(client: Client, channel: Channel): Promise<void> {
  for await (const line of lines(Deno.stdin.readable, client.limits.payload)) {
    const { payload, kind } = given(line);
    if (payload.length > 0) await channel.publish(payload, { kind });
  }
}
