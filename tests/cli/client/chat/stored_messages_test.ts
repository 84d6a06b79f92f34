import { assertEquals, assertRejects } from "@std/assert";
import { Conversation } from "../../../../lib/cli/client/chat/conversation.ts";
import { StreamScreen } from "../../../../lib/cli/client/chat/screen.ts";
import { Output } from "../../../../lib/cli/output.ts";
import { connect } from "../../../../lib/client/connect.ts";
import { ParleyError } from "../../../../lib/errors.ts";
import { serve } from "../../../../lib/server/serve.ts";

/** Joins `channel` as Ada; `shown` is what the screen shows. */
async function join(url: string, channel: string) {
  const shown: string[] = [];
  const writer = {
    write: (bytes: Uint8Array) => {
      shown.push(...new TextDecoder().decode(bytes).trimEnd().split("\n"));
      return Promise.resolve(bytes.length);
    },
  };
  const output = new Output(writer);
  const client = await connect({ url, name: "Ada" });
  const options = { isInteractive: true, seen() {}, changed() {}, lost() {} };
  const conversation = new Conversation(
    client,
    new StreamScreen(output, (line) => shown.push(line)),
    options,
  );
  await conversation.join(channel);
  return { client, conversation, shown, output };
}

Deno.test("/history shows the last messages, also this client's own, and announces no session here", async () => {
  await using server = await serve({ port: 0, stored: [{ channels: "chat.>", storage: "history" }] });
  await using grace = await connect({ url: server.url, name: "Grace" });
  for (const text of ["one", "two", "three"]) await grace.publish("chat.lobby", text);
  await grace.flush();
  const { client, conversation, shown, output } = await join(server.url, "chat.lobby");
  await using _client = client;
  using _conversation = conversation;
  await conversation.history("2");
  await output.flush();
  const sender = `session ${grace.sessionId}`; // it has not joined
  assertEquals(shown.splice(0), [
    "* chat.lobby: you (Ada) alone",
    "* chat.lobby: the last 2 stored messages",
    `${sender}: two`,
    `${sender}: three`,
  ]);
  await conversation.say("four");
  await client.flush();
  await conversation.history("");
  await output.flush();
  assertEquals(shown, [
    "Ada: four",
    "* chat.lobby: the last 4 stored messages",
    `${sender}: one`,
    `${sender}: two`,
    `${sender}: three`,
    "Ada: four",
  ]);
  await assertRejects(() => conversation.history("many"), ParleyError, "a number from 1 to 1000");
});

Deno.test("/history of a channel that is not stored says so", async () => {
  await using server = await serve({ port: 0, stored: [{ channels: "chat.>", storage: "history" }] });
  const { client, conversation, shown, output } = await join(server.url, "chat.lobby");
  await using _client = client;
  using _conversation = conversation;
  await conversation.history("");
  await output.flush();
  assertEquals(shown.at(-1), "* chat.lobby: the last 0 stored messages");
  await conversation.join("tea");
  await assertRejects(() => conversation.history(""), ParleyError, "the server stores nothing of tea");
});
