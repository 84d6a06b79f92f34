/**
 * Testing a program that uses Parley: each test starts a server of its own in the same process, on a free port. It takes
 * milliseconds, needs network permission alone (`deno test --allow-net examples/in_process`), and leaves nothing behind.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { connect, serve } from "@parley/parley";
import { greetNewcomers } from "./greeter.ts";

Deno.test("a newcomer is greeted by name", async () => {
  await using server = await serve({ port: 0 });
  await using greeter = await connect({ url: server.url });
  await using _greeting = await greetNewcomers(greeter, "chat.lobby");

  await using ada = await connect({ url: server.url, name: "Ada" });
  await using _lobby = await ada.subscribe("chat.lobby");
  for await (const message of ada.inbox) {
    assertEquals([message.text(), message.sender], ["Welcome to chat.lobby, Ada!", greeter.sessionId]);
    break;
  }
});

Deno.test("members of other channels are not greeted", async () => {
  await using server = await serve({ port: 0 });
  await using greeter = await connect({ url: server.url });
  await using _greeting = await greetNewcomers(greeter, "chat.lobby");

  await using ada = await connect({ url: server.url, name: "Ada" });
  await using _library = await ada.subscribe("chat.library");
  await greeter.ping(); // all that the server had to say to it has come
  await greeter.sendTo(ada.sessionId, "the first message");
  for await (const message of ada.inbox) {
    assertEquals(message.text(), "the first message");
    break;
  }
});
