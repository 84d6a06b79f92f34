/**
 * Programs that use the package, as text: they are not modules of this checkout.
 *
 * @module
 */

/** Run as `main.mjs '{"url": "...", ...}'`. It prints what it sees, as one line of JSON each. */
export const CONSUMER = `
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
  await client.flush(); // or the message may be lost, and close would say so
  say({ interrupt: i }); // the test breaks the connection now
  await back;
  await client.publish("chat.lobby", \`after \${i}\`);
  say({ text: (await lobby.next()).value.text() });
}
await responder.stop();
await client.close();
say({ closed: (await client.closed) === undefined });
`;

/**
 * Run as `storing.mjs URL`, by the files for browsers. It uses what is stored, and all else that is loaded on demand, and
 * prints what it sees.
 */
export const STORING = `
import { ApplicationError, connect } from "@parley/client/browser";

let resumed;
const isBack = new Promise((resolve) => resumed = resolve);
const client = await connect({
  url: process.argv[2],
  reconnect: { initialMs: 10 },
  onEvent: (event) => event.type === "resumed" && resumed(event),
});
const take = async (subscription, count, act = () => {}) => {
  const messages = [];
  while (messages.length < count) {
    const { value } = await subscription.next();
    act(value);
    messages.push(value);
  }
  return messages.map((message) => message.text()).join(" ");
};

await Promise.all([0, 1, 2, 3, 4].map((i) => client.publish("orders.new", String(i))));
const all = await client.subscribe("orders.new", { from: "all" });
console.log("published in order, stored once:", await take(all, 5));

// As a producer before that is known: in order all the same.
const importer = await connect({ url: process.argv[2] });
await Promise.all(["a", "b"].map((text) => importer.publish("orders.new", text, { producer: "import-7" })));
const producer = await importer.producer("orders.new", "import-7");
const before = producer.stored;
await producer.publish("c");
console.log("producer:", before, "stored, then", producer.stored);
await importer.close();
await take(all, 3);

const consumer = await client.subscribe("orders.new", { consumer: "billing" });
const first = await take(consumer, 8, (message) => message.text() === "1" ? message.nak() : message.ack());
console.log("consumer:", first + ", again", await take(consumer, 1, (message) => message.ack()));
await consumer.end();

console.log("interrupt");
const event = await isBack;
console.log("resumed, recovered:", event.recovered);
await client.publish("orders.new", "d");
console.log("published meanwhile:", await take(all, 1));

const responder = await client.respond("text.upper", (request) => {
  if (request.text() === "") throw new ApplicationError("empty", "nothing to do");
  return request.text().toUpperCase();
}, { onError: () => {} });
const reply = (await client.request("text.upper", "ping")).text();
const failed = await client.request("text.upper", "").catch((error) => error);
console.log("reply:", reply + ", failed:", failed.code);
await responder.stop();

const lobby = await client.subscribe("chat.lobby", { presence: true });
await client.publish("chat.lobby", { json: { a: 1 } }, { headers: { lang: "en" } });
console.log("message headers:", (await lobby.next()).value.headers.lang);
const refused = [
  client.subscribe("a..b"),
  client.publish("chat.lobby", "x", { nonsense: 1 }),
  client.request("nobody", "?"),
];
console.log("refused:", ...await Promise.all(refused.map((call) => call.catch((error) => error.code))));
await client.close();
console.log("closed");
`;

/** What a project may do with the declarations, and what it may not. */
export const TYPED_PROJECT = `
import { ApplicationError, type Client, connect, type ConnectOptions, type Message, ParleyError } from "@parley/client";

const options: ConnectOptions = {
  url: ["wss://hub.example", "parleys://hub.example"],
  onEvent: (event) => event.type === "resumed" && event.missing.map(({ channel }) => channel),
};
const client: Client = await connect(options);
await using lobby = await client.subscribe("chat.lobby", { from: { sequence: 7 }, presence: true });
for await (const message of lobby) {
  const text: string = message.text();
  console.log(text, message.json<{ a: number }>().a, message.sequence?.toFixed());
}
await using orders = await client.subscribe("orders", { consumer: "billing" });
const first: IteratorResult<Message, undefined> = await orders.next();
first.value?.ack();
try {
  await client.request("x", { json: 1 }, { timeoutMs: 5, headers: { a: "b" } });
} catch (error) {
  if (error instanceof ApplicationError) console.log(error.data);
  if (error instanceof ParleyError && error.code === "no_reply") console.log(error.fatal);
}
// @ts-expect-error: it is not an option
await connect({ nonsense: 1 });
// @ts-expect-error: a number is no payload
await client.publish("chat.lobby", 5);
`;
