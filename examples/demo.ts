/**
 * Parley in ten seconds: a server, and two people who meet on it.
 *
 * Run it with `deno task demo`. It needs the network, and nothing else: no files, no environment.
 *
 * @module
 */

import { type Channel, connect, type Header, type Message, serve } from "@parley/parley";
import { formatFrameDump } from "../lib/cli/client/frame_dump.ts";
import { painter } from "../lib/cli/terminal.ts";
import { encodeFrame, Type } from "../lib/wire/header.ts";

const MESSAGES = 1_000;
/** How often they are sent: at first the engine still compiles what it runs. */
const ROUNDS = 50;

const paint = painter(Deno.stdout);

function chapter(title: string): void {
  console.log(`\n${paint("bold", title)}`);
}

function say(who: string, what: string): void {
  console.log(`  ${paint("cyan", who.padEnd(6))} ${what}`);
}

/** The next message on `channel`. */
async function next(channel: Channel): Promise<Message> {
  for await (const message of channel) return message;
  throw new Error(`${channel.name} ended`);
}

chapter("A server starts, on a port that is free");
await using server = await serve({ port: 0 });
say("server", `listening on ${server.url}`);

chapter("Ada and Grace connect, and it greets them");
/** The first message Grace receives, as it came in: every byte of the frame. */
let caught: Uint8Array | undefined;
const trace = (way: "in" | "out", header: Header, payload: Uint8Array) => {
  if (way === "in" && header.type === Type.MESSAGE) caught ??= encodeFrame(header, payload);
};
await using ada = await connect({ url: server.url, name: "Ada" });
await using grace = await connect({ url: server.url, name: "Grace", trace });
say("server", ada.message);
say("server", grace.message);

chapter("They talk on a channel, chat.lobby");
const heardByAda = await ada.open("chat.lobby", { echo: false });
const heardByGrace = await grace.open("chat.lobby", { echo: false });
await heardByAda.publish("Good morning, Grace!");
say("Grace", `hears from session ${ada.number}: ${(await next(heardByGrace)).text()}`);
await heardByGrace.publish("Good morning, Ada. Found a moth in a relay.");
say("Ada", `hears from session ${grace.number}: ${(await next(heardByAda)).text()}`);

chapter("Grace answers questions on math.square, and Ada asks one");
{
  await using _responder = await grace.respond("math.square", (question) => {
    const number = Number(question.text());
    return String(number * number);
  });
  const start = performance.now();
  const reply = await ada.request("math.square", "12");
  say("Ada", `12 squared is ${reply.text()}, says session ${reply.sender}`);
  say("", `question and answer took ${(performance.now() - start).toFixed(1)} ms`);
}

chapter("What Grace heard first, byte by byte");
console.log(formatFrameDump(caught!).replace(/^/gm, "  "));

chapter(`How fast? Ada sends ${MESSAGES.toLocaleString("en")} messages`);
for (let round = 1; round <= ROUNDS; round++) {
  const ms = await race(heardByAda, heardByGrace);
  if (round > 1 && round < ROUNDS) continue;
  const rate = (Math.round(MESSAGES / ms) * 1000).toLocaleString("en");
  say(round === 1 ? "Grace" : "", `has all of them after ${ms.toFixed(1)} ms: ${rate} messages a second`);
  if (round === 1) {
    say("", `and after ${ROUNDS - 1} more rounds, which the engine has used to learn its way:`);
  }
}

chapter("Everybody says goodbye");
await ada.close();
await grace.close();
await server.close();
say("server", "closed; nothing was left open");

/** From the publishing of the first message to the receipt of the last, in milliseconds. */
async function race(from: Channel, to: Channel): Promise<number> {
  const start = performance.now();
  const sending = (async () => {
    for (let i = 1; i <= MESSAGES; i++) await from.publish(`message ${i}`);
  })();
  let received = 0;
  for await (const _message of to) {
    if (++received === MESSAGES) break;
  }
  const ms = performance.now() - start;
  await sending;
  return ms;
}
