/**
 * `parley chat`: sends lines to a channel and shows the messages of others with their names.
 *
 * @module
 */

import type { Client } from "../../../client/api.ts";
import { Conversation } from "../chat/conversation.ts";
import { History } from "../chat/history.ts";
import type { Keyboard } from "../chat/keyboard.ts";
import { StreamScreen } from "../chat/screen.ts";
import type { TerminalScreen } from "../chat/terminal_screen.ts";
import type { Command, Context } from "../command.ts";
import { connectionLost } from "../connection.ts";
import { lines, stdin } from "../input.ts";
import { kindOf } from "../payload.ts";
import { canDraw, terminalSize } from "../raw_terminal.ts";
import { userStorage } from "../user_folder.ts";
import { describeFailure } from "../../failures.ts";
import { visible } from "../../terminal.ts";

const LOBBY = "chat.lobby";

/** The command. */
export const CHAT: Command = {
  name: "chat",
  operands: { usage: "[CHANNEL]", min: 0, max: 1, channels: "first" },
  summary: "chat on a channel, line by line",
  details: `The default CHANNEL is ${LOBBY}. Ctrl-D or Ctrl-C ends the chat.\n` +
    "On a terminal, messages appear above the line you type. /help lists what else you can do,\n" +
    "such as /join CHANNEL, /who and /msg NAME TEXT. Tab completes; Up finds earlier lines, also of\n" +
    "earlier chats. If input or output is no terminal, each line is sent as it is, messages go to\n" +
    "stdout, and notices, such as of sessions that join or leave, to stderr.\n" +
    "--json is for programs. Each line of stdout is an object whose type is message, direct, reply,\n" +
    "stored, joined, left, members, notice or problem. Each line of stdin is a message, such as\n" +
    '{"text":"hello"}, with text, json or base64, and with channel, or to (the name or the id of a\n' +
    "session), if it is not for the current channel; or a command, such as\n" +
    '{"command":"join","channel":"chat.tea"}. The commands are join, leave, who, history (count),\n' +
    "ask (channel, text) and quit.",
  examples: ["parley chat", "parley chat chat.tea --name Ada", "parley chat chat.tea --name bot --json"],
  options: ["reconnect", "json"],
  endsByInterrupt: true,
  run: chat,
};

async function chat(context: Context): Promise<void> {
  const { values, operands, host, output, log, resources, channels, printLine, connect } = context;
  const terminal = canDraw(host) && !values.json ? await openScreen(context) : undefined;
  const json = values.json ? await import("../chat/json_chat.ts") : undefined;
  const screen = terminal ?? (json ? new json.JsonScreen(output) : new StreamScreen(output, printLine));
  const unheard = Promise.withResolvers<never>();
  unheard.promise.catch(() => {});
  let conversation: Conversation | undefined = undefined;
  let keyboard: Keyboard | undefined = undefined;
  const client = await connect({
    reconnect: values.reconnect,
    onError: (error) => screen.problem(describeFailure(error)),
    onEvent: (event) => conversation?.connectionChanged(event),
    onNotice: (text) => screen.problem(text),
  });
  conversation = new Conversation(client, screen, {
    isInteractive: terminal !== undefined,
    changed: () => keyboard?.updatePrompt(),
    seen: (channel) => channels.add(channel),
    lost: (channel, error) => {
      screen.problem(`${visible(channel)}: ${describeFailure(error)}`);
      if (terminal === undefined) unheard.reject(error);
    },
  });
  resources.use(conversation);
  const channel = operands[0] ?? LOBBY;
  screen.notice(visible(client.greeting));
  await conversation.join(channel, terminal ? "; /help lists commands, Ctrl-D ends" : "; Ctrl-D ends");
  log.info("chatting", { session: client.uuid, channel });
  if (terminal === undefined) {
    const failed = (error: unknown) => {
      screen.problem(describeFailure(error));
      context.fail(error instanceof Error ? error : new Error(String(error)));
    };
    return await Promise.race([
      json?.readObjects(stdin(host.stdin), { client, conversation, failed }) ??
        sendLines(context, conversation, client),
      connectionLost(client),
      unheard.promise,
    ]);
  }
  conversation.addKnown(await channels.list());
  keyboard = await startKeyboard(context, conversation, terminal);
  await Promise.race([keyboard.ended, connectionLost(client)]);
}

// What only a terminal needs is loaded only then: the line editor alone takes as long to load as many a command to run.

async function openScreen({ output }: Context): Promise<TerminalScreen> {
  const { TerminalScreen } = await import("../chat/terminal_screen.ts");
  return new TerminalScreen({ output, size: terminalSize, isColoured: !Deno.noColor });
}

/** Reads the keyboard until the command ends. What would go to stderr appears above the line that is typed. */
async function startKeyboard(
  { host, resources, divertLines }: Context,
  conversation: Conversation,
  screen: TerminalScreen,
): Promise<Keyboard> {
  const { Keyboard } = await import("../chat/keyboard.ts");
  const history = new History(
    userStorage(host.env),
    (error) => screen.problem(`what you type is not kept for the next chat: ${describeFailure(error)}`),
  );
  await divertLines((line) => screen.line(line));
  resources.defer(() => divertLines(undefined));
  // Closed before the client, which may take time: the keys have their usual meaning again.
  return resources.use(await Keyboard.start({ conversation, screen, history }, stdin(host.stdin).chunks));
}

const RETURN = 0x0d;

/** The longest line of a terminal in its usual mode, without its end. It drops the rest without a word. */
const TERMINAL_LINE_BYTES = 4_095;

/** Sends each line of stdin except empty ones; resolves at the end of stdin. */
async function sendLines(
  { host, printError }: Context,
  conversation: Conversation,
  client: Client,
): Promise<void> {
  for await (const line of lines(stdin(host.stdin), client.limits.payload)) {
    if (line.length === TERMINAL_LINE_BYTES && host.stdin.isTerminal()) {
      printError(`the terminal may have cut a line at ${TERMINAL_LINE_BYTES} bytes`);
    }
    const payload = line.at(-1) === RETURN ? line.subarray(0, -1) : line;
    if (payload.length > 0) await conversation.say(payload, { kind: kindOf(payload) });
  }
}
