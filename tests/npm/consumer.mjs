// A program that uses the package: node consumer.mjs '{"url": "...", ...}'. It prints what it saw, one JSON line each.
import { ApplicationError, connect, ParleyError } from "@parley/client";

const { interruptions = 0, ...options } = JSON.parse(process.argv[2]);
const say = (value) => console.log(JSON.stringify(value));

const resumed = [];
const client = await connect({
  ...options,
  name: "Ada",
  reconnect: { initialMs: 10 },
  onEvent: (event) => {
    if (event.type === "resumed") resumed.shift()?.();
  },
});
say({ name: client.name });

const lobby = await client.subscribe("chat.lobby");
await client.publish("chat.lobby", "hello", { headers: { lang: "en" } });
const { value } = await lobby.next();
say({ text: value.text(), lang: value.headers.lang, own: value.sender === client.sessionId });

const responder = await client.respond("text.upper", (request) => {
  if (request.text() === "") throw new ApplicationError("empty", "nothing to do");
  return request.text().toUpperCase();
}, { onError: () => {} });
say({ reply: (await client.request("text.upper", "quiet")).text() });
const failure = await client.request("text.upper", "").catch((error) => error);
say({ failed: failure instanceof ApplicationError && failure.code });
const unknown = await client.request("nobody", "?").catch((error) => error);
say({ refused: unknown instanceof ParleyError && unknown.code });
say({ large: (await client.request("$echo", new Uint8Array(1_000_000))).payload.length });

for (let i = 0; i < interruptions; i++) {
  const back = new Promise((resolve) => resumed.push(resolve));
  say({ interrupt: i }); // the test breaks the connection now
  await back;
  await client.publish("chat.lobby", `after ${i}`);
  say({ text: (await lobby.next()).value.text() });
}
await responder.stop();
await client.close();
say({ closed: (await client.closed) === undefined });
