// A chat in 30 lines. Start a server with `deno task server`, then run this in two terminals:
// `deno run --allow-net examples/chat.ts Ada` and `deno run --allow-net examples/chat.ts Grace`

import { createInterface } from "node:readline";
import { stdin } from "node:process";
import { connect } from "@parley/parley";

const [name, url] = Deno.args;
const names = new Map<number, string>(); // also of sessions that have left: what they said last may come after
await using client = await connect({ url, name });
await using lobby = await client.subscribe("chat.lobby", {
  echo: false,
  presence({ type, name, sessionId }) {
    names.set(sessionId, name);
    console.log(`* ${name} ${type}`);
  },
});
for (const [sessionId, name] of lobby.members) names.set(sessionId, name);
console.log(`* here: ${[...names.values()].join(", ")}`);
const reading = show(); // beside what is typed

for await (const line of createInterface(stdin)) await client.publish("chat.lobby", line);
await lobby.end();
await reading;

async function show(): Promise<void> {
  for await (const message of lobby) console.log(`${names.get(message.sender)}: ${message.text()}`);
}
