/**
 * Parley in ten seconds: a server, and two clients that talk over it.
 *
 * Run it with `deno task demo`. It needs no permission but the network.
 *
 * @module
 */

import { type Client, connect, type Header, type Message, serve, type Subscription } from "@parley/parley";
import { formatFrameDump } from "../lib/cli/client/frames/frame_dump.ts";
import { painter } from "../lib/cli/terminal.ts";
import { encodeFrame, Type } from "../lib/wire/header.ts";

const MESSAGES = 1_000;
/** How often they are sent: in the first rounds the engine still compiles the code. */
const ROUNDS = 50;

const paint = painter(Deno.stdout);

function chapter(title: string): void {
  console.log(`\n${paint("bold", title)}`);
}

function say(speaker: string, text: string): void {
  console.log(`  ${paint("cyan", speaker.padEnd(6))} ${text}`);
}

/** The next message of a subscription. */
async function next(subscription: Subscription): Promise<Message> {
  const { value } = await subscription.next();
  if (value === undefined) throw new Error(`${subscription.channel} ended`);
  return value;
}

chapter("A server starts on a free port");
await using server = await serve({ port: 0 });
say("server", `listening on ${server.url}`);

chapter("Ada and Grace connect, and the server greets them");
/** The whole frame of the first message that Grace receives. */
let firstFrame: Uint8Array | undefined;
const trace = (way: "in" | "out", header: Header, payload: Uint8Array) => {
  if (way === "in" && header.type === Type.MESSAGE) firstFrame ??= encodeFrame(header, payload);
};
await using ada = await connect({ url: server.url, name: "Ada" });
await using grace = await connect({ url: server.url, name: "Grace", trace });
say("server", ada.greeting);
say("server", grace.greeting);

chapter("They talk on a channel, chat.lobby");
const adasLobby = await ada.subscribe("chat.lobby", { echo: false });
const gracesLobby = await grace.subscribe("chat.lobby", { echo: false });
await ada.publish("chat.lobby", "Good morning, Grace!");
say("Grace", `hears from session ${ada.sessionId}: ${(await next(gracesLobby)).text()}`);
await grace.publish("chat.lobby", "Good morning, Ada. Found a moth in a relay.");
say("Ada", `hears from session ${grace.sessionId}: ${(await next(adasLobby)).text()}`);

chapter("Grace answers requests on math.square, and Ada sends one");
{
  await using _responder = await grace.respond("math.square", (request) => {
    const number = Number(request.text());
    return String(number * number);
  });
  const start = performance.now();
  const reply = await ada.request("math.square", "12");
  say("Ada", `12 squared is ${reply.text()}, says session ${reply.sender}`);
  say("", `request and reply took ${(performance.now() - start).toFixed(1)} ms`);
}

chapter("The first message that Grace received, byte by byte");
console.log(formatFrameDump(firstFrame!).replace(/^/gm, "  "));

chapter(`How fast? Ada sends ${MESSAGES.toLocaleString("en")} messages`);
for (let round = 1; round <= ROUNDS; round++) {
  const ms = await measure(ada, gracesLobby);
  if (round > 1 && round < ROUNDS) continue;
  const rate = (Math.round(MESSAGES / ms) * 1000).toLocaleString("en");
  say(round === 1 ? "Grace" : "", `has all of them after ${ms.toFixed(1)} ms: ${rate} messages a second`);
  if (round === 1) {
    say("", `and after ${ROUNDS - 1} more rounds, in which the engine has compiled the code that matters:`);
  }
}

chapter("They say goodbye");
await ada.close();
await grace.close();
await server.close();
say("server", "closed; nothing was left open");

/** The time from publishing the first message to receiving the last, in milliseconds. */
async function measure(from: Client, to: Subscription): Promise<number> {
  const start = performance.now();
  const sending = (async () => {
    for (let i = 1; i <= MESSAGES; i++) await from.publish("chat.lobby", `message ${i}`);
  })();
  let received = 0;
  while (received < MESSAGES && !(await to.next()).done) received++;
  const ms = performance.now() - start;
  await sending;
  return ms;
}
