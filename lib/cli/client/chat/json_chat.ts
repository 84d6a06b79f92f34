/**
 * A chat for programs: what happens is printed as objects, one a line, and each line of stdin is an object with a message
 * or a command.
 *
 * @module
 */

import * as v from "valibot";
import type { Client } from "../../../client/api.ts";
import type { PresenceChange } from "../../../client/options.ts";
import { ParleyError } from "../../../errors.ts";
import type { Output } from "../../output.ts";
import { visible, visibleJson } from "../../terminal.ts";
import { lines, MAX_FIELDS_BYTES, type Source } from "../input.ts";
import { formatMessageJson, type OutgoingMessage, parseMessageJson, storedDetails } from "../message_json.ts";
import { decodeText } from "../payload.ts";
import type { Conversation } from "./conversation.ts";
import type { Screen, ShownMessage } from "./screen.ts";

/** Prints an object for each message, member and notice. What this client sends is not printed. */
export class JsonScreen implements Screen {
  readonly #output: Output;

  constructor(output: Output) {
    this.#output = output;
  }

  message({ name, received }: ShownMessage): Promise<void> | undefined {
    if (received === undefined) return undefined;
    const { type, message } = received;
    return this.#output.line(formatMessageJson(message, { type, name, ...storedDetails(message) }));
  }

  notice(text: string): void {
    this.#print({ type: "notice", text });
  }

  problem(text: string): void {
    this.#print({ type: "problem", text });
  }

  presence(channel: string, { type, sessionId, name }: PresenceChange): void {
    this.#print({ type: type === "parted" ? "left" : type, channel, session: sessionId, name });
  }

  members(channel: string, members: ReadonlyMap<number, string>, count: number): void {
    const listed = [...members].map(([session, name]) => ({ session, name }));
    this.#print({ type: "members", channel, count, members: listed });
  }

  #print(fields: Record<string, unknown>): void {
    this.#output.line(visibleJson(fields))?.catch(() => {}); // `Output.broken` ends the command
  }
}

const Channel = v.string();

/** The commands of `/help`, except for those that a message with `to` or the end of stdin replaces. */
const Command = v.variant("command", [
  v.strictObject({ command: v.literal("join"), channel: Channel }),
  v.strictObject({ command: v.literal("leave"), channel: v.optional(Channel) }),
  v.strictObject({ command: v.literal("who"), channel: v.optional(Channel) }),
  v.strictObject({ command: v.literal("history"), count: v.optional(v.number()) }),
  v.strictObject({ command: v.literal("ask"), channel: Channel, text: v.string() }),
  v.strictObject({ command: v.literal("quit") }),
]);

type Command = v.InferOutput<typeof Command>;

/** What {@linkcode readObjects} works on. */
export interface JsonChat {
  readonly client: Client;
  readonly conversation: Conversation;
  /** An object could not be carried out. */
  failed(error: unknown): void;
}

/**
 * Carries out each object of `source`, in order. Resolves at its end and after `quit`, when requests have been answered.
 *
 * @throws {ParleyError} `bad_argument` for a line that is no such object
 */
export async function readObjects(source: Source, chat: JsonChat): Promise<void> {
  const requests = new Set<Promise<void>>();
  let number = 0;
  for await (const line of lines(source, 8 * chat.client.limits.payload + MAX_FIELDS_BYTES)) {
    const label = `line ${++number} of ${source.name}`;
    if (decodeText(line)?.trim() === "") continue;
    const command = parseCommand(line, label);
    if (command?.command === "quit") break;
    const work = command === undefined
      ? send(parseMessageJson(line, label, { mayHaveRecipient: true }), chat)
      : perform(command, chat.conversation);
    const done = work.catch((error) => chat.failed(error));
    if (command?.command !== "ask") {
      await done;
      continue;
    }
    requests.add(done); // others need not wait for the reply
    done.finally(() => requests.delete(done));
  }
  await Promise.all(requests);
}

/** The command of a line; undefined if it has none. */
function parseCommand(line: Uint8Array, label: string): Command | undefined {
  let value: unknown;
  try {
    value = JSON.parse(decodeText(line) ?? "");
  } catch {
    return undefined; // what is wrong with it is said as of a message
  }
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, "command")) return undefined;
  const result = v.safeParse(Command, value, { abortEarly: true });
  if (result.success) return result.output;
  const problem = visible(result.issues[0].message);
  throw new ParleyError("bad_argument", `${label} is not a command of chat: ${problem}`);
}

async function send(message: OutgoingMessage, { client, conversation }: JsonChat): Promise<void> {
  const { to, channel, payload, kind, headers } = message;
  const options = { kind, headers: Object.keys(headers).length === 0 ? undefined : headers };
  if (to === undefined) return await conversation.say(payload, options, channel);
  await client.sendTo(typeof to === "number" ? to : conversation.people.findOne(to).id, payload, options);
}

async function perform(
  command: Exclude<Command, { command: "quit" }>,
  conversation: Conversation,
): Promise<void> {
  switch (command.command) {
    case "join":
      return await conversation.join(command.channel);
    case "leave":
      return await conversation.leave(command.channel ?? "");
    case "who":
      return conversation.who(command.channel ?? "");
    case "history":
      return await conversation.history(command.count === undefined ? "" : String(command.count));
    case "ask":
      return await conversation.ask(`${command.channel} ${command.text}`);
  }
}
