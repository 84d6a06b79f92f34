/** Every button of the dashboard does what it says, checked on the server. */

/// <reference lib="dom" />

import { Buffer } from "node:buffer";
import { assert, assertEquals } from "@std/assert";
import { type Client, connect, type Message, type Subscription } from "../../lib/mod.ts";
import { VERSION } from "../../lib/version.ts";
import { within } from "../harness/deadline.ts";
import { RawClient } from "../harness/raw_client.ts";
import { browserTest } from "./browser.ts";
import {
  cell,
  connected,
  eventually,
  fact,
  goTo,
  openView,
  row,
  saveScreenshot,
  serveDashboard,
} from "./dashboard.ts";

browserTest("disconnect ends the session, after a question", async (browser) => {
  await using desk = await serveDashboard(browser);
  const { server, url } = desk;
  await using victim = await connect({ url: server.url, name: "victim", reconnect: false });
  await using other = await connect({ url: server.url, name: "other", reconnect: false });
  const page = await openView(browser, url, "sessions");
  await page.getByLabel("Search").fill("victim");
  await eventually(() => page.locator("tbody tr").count(), 1, "rows that match");
  await row(page, "victim").getByRole("button", { name: /^Disconnect/ }).click();
  await page.getByRole("button", { name: "Cancel" }).click();
  assert(victim.isConnected);
  await row(page, "victim").getByRole("button", { name: /^Disconnect/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Disconnect" }).click();
  assert(await within(victim.closed, "end of the session") !== undefined);
  await page.getByRole("status").getByText(/Disconnected victim/).waitFor();
  await page.getByText("No session has this").waitFor();
  assert(other.isConnected);

  await page.getByLabel("Search").fill("other");
  await row(page, "other").getByRole("button", { name: /^Disconnect/ }).click();
  await other.close();
  await page.getByRole("dialog").getByRole("button", { name: "Disconnect" }).click();
  const problem = page.locator(".notice.bad").filter({ hasText: `no session ${other.sessionId}` });
  await problem.waitFor(); // and stays until it is closed
  await problem.getByRole("button", { name: "Close this notice" }).click();
  await problem.waitFor({ state: "detached" });
});

browserTest("a command is copied, or selected where the clipboard may not be used", async (browser) => {
  await using desk = await serveDashboard(browser);
  const page = await browser.open(`${desk.url}/#/`, { permissions: ["clipboard-read", "clipboard-write"] });
  const command = page.locator(".command").filter({ hasText: "parley publish" });
  const copy = command.getByRole("button");
  await copy.click();
  await copy.getByText("Copied").waitFor();
  const text = await command.locator("code").innerText();
  assertEquals(await page.evaluate(() => navigator.clipboard.readText()), text);
  await copy.getByText("Copy", { exact: true }).waitFor();
  await page.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
  await copy.click();
  await copy.getByText("Selected").waitFor();
  assertEquals(await page.evaluate(() => String(getSelection())), text);
});

browserTest("a page whose server is another version now offers to be loaded again", async (browser) => {
  await using desk = await serveDashboard(browser);
  const page = await browser.open("about:blank");
  const updated = VERSION.replace(/.$/, "x"); // as long: the frames around it say how long they are
  let isUpdated = false;
  await page.routeWebSocket(/\/parley$/, (socket) => {
    const server = socket.connectToServer();
    server.onMessage((message) => {
      if (!isUpdated || typeof message === "string") return socket.send(message);
      socket.send(
        Buffer.from(
          message.toString("latin1").replace(`"version":"${VERSION}"`, `"version":"${updated}"`),
          "latin1",
        ),
      );
    });
  });
  await page.goto(`${desk.url}/#/channels`);
  await connected(page);
  await page.locator(".host").getByText(VERSION).waitFor();
  const reload = page.getByRole("button", { name: "Reload this page" });
  assertEquals(await reload.count(), 0);
  isUpdated = true;
  await page.evaluate(() => document.title = "not loaded again");
  await reload.click();
  await page.waitForFunction(() => document.title !== "not loaded again");
  await page.locator(".host").getByText(updated).waitFor();
  assertEquals(await reload.count(), 0);
});

browserTest("a consumer is paused, resumed and reset", async (browser) => {
  await using desk = await serveDashboard(browser);
  const { server, url } = desk;
  await using client = await connect({ url: server.url });
  await publish(client, "d.orders", 1, 3);
  await using orders = await client.subscribe("d.orders", { consumer: "billing" });
  await acknowledge(orders, 3);
  const page = await openView(browser, url, "channels/d.orders");
  await eventually(() => cell(page, "billing", "Position").innerText(), "3", "position");
  assertEquals(await cell(page, "billing", "Lag").innerText(), "0");
  assertEquals(await fact(page, "Sequences").innerText(), "1 to 3");

  const button = (name: RegExp | string) => row(page, "billing").getByRole("button", { name });
  await button(/^Pause/).click();
  await row(page, "billing").getByText("paused").waitFor();
  await publish(client, "d.orders", 4, 5);
  await eventually(() => cell(page, "billing", "Lag").innerText(), "2", "lag while it is paused");
  await button(/^Resume/).click();
  await row(page, "billing").getByText("delivers").waitFor();
  assertEquals(await acknowledge(orders, 2), [4, 5]);

  await eventually(() => cell(page, "billing", "Position").innerText(), "5", "position after both");
  await button(/^Reset …/).click();
  await row(page, "billing").getByLabel("Goes on after sequence").fill("1");
  await row(page, "billing").getByRole("button", { name: "Reset", exact: true }).click();
  await page.getByRole("dialog").getByText("4 messages that it has dealt with come again").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Reset" }).click();
  assertEquals(await acknowledge(orders, 4), [2, 3, 4, 5]);
});

browserTest("messages that are set aside are shown, found, retried and dropped", async (browser) => {
  await using desk = await serveDashboard(browser);
  const { server, url } = desk;
  await using client = await connect({ url: server.url });
  await publish(client, "d.jobs", 1, 6);
  await using jobs = await client.subscribe("d.jobs", { consumer: "printer", deliveries: 5 });
  for (let n = 1; n <= 6; n++) (await next(jobs)).setAside();
  const page = await openView(browser, url, "set-aside");
  await eventually(() => cell(page, "printer", "Set aside").innerText(), "6", "messages set aside");
  await page.getByRole("link", { name: "printer" }).click();
  await page.getByText("6 messages are set aside").waitFor();
  await row(page, "2").locator("summary").getByText("message 2").waitFor();

  await page.getByLabel("Search").fill("message 4");
  await eventually(() => page.locator("tbody tr").count(), 1, "rows that match");
  await row(page, "4").waitFor();
  await page.getByLabel("Search").fill("");

  await row(page, "2").getByRole("button", { name: /^Retry/ }).click();
  const again = await next(jobs);
  assertEquals(again.sequence, 2);
  again.ack();
  await page.getByText("5 messages are set aside").waitFor();

  await row(page, "3").getByRole("button", { name: /^Drop/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Drop" }).click();
  await page.getByText("4 messages are set aside").waitFor();

  await page.getByRole("button", { name: "Retry all" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Retry all" }).click();
  const sequences = [];
  for (let n = 0; n < 4; n++) {
    const message = await next(jobs);
    sequences.push(message.sequence);
    message.setAside();
  }
  assertEquals(sequences.sort(), [1, 4, 5, 6]); // 3 was dropped, 2 is dealt with
  await page.getByText("4 messages are set aside").waitFor();

  await page.getByRole("button", { name: "Drop all" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Drop" }).click();
  await page.getByText("Nothing is set aside any more").waitFor();
  await publish(client, "d.jobs", 7, 7);
  assertEquals((await next(jobs)).sequence, 7); // none of the dropped ones came
});

browserTest(
  "stored messages are shown by sequence and time, forwards and backwards, with a filter",
  async (browser) => {
    await using desk = await serveDashboard(browser);
    const { server, url } = desk;
    await using client = await connect({ url: server.url });
    await publish(client, "d.orders", 1, 250);
    const page = await openView(browser, url, "messages/d.orders");
    const sequences = async () => {
      const texts = await page.locator(".sequence").allInnerTexts();
      return texts.length === 0 ? "none" : `${texts[0]} to ${texts.at(-1)}`;
    };
    const show = () => page.getByRole("button", { name: "Show" }).click();
    await eventually(sequences, "151 to 250", "the last 100");
    await page.getByRole("button", { name: "Earlier" }).click();
    await eventually(sequences, "51 to 150", "the 100 before");
    await page.getByRole("button", { name: "Later" }).click();
    await eventually(sequences, "151 to 250", "the 100 after");
    await page.getByLabel("Begin with").selectOption("sequence");
    await page.getByLabel("Sequence", { exact: true }).fill("42");
    await show();
    await eventually(sequences, "42 to 141", "100 from 42 on");
    await page.getByLabel("Begin with").selectOption("time");
    await page.getByLabel("Stored then or later").fill("2020-01-01T00:00:00");
    await show();
    await eventually(sequences, "1 to 100", "100 from a time on");
    await page.getByLabel("Begin with").selectOption("first");
    await page.getByLabel("Only with this text").fill("message 24");
    await show();
    await page.getByText("looked at 250").waitFor();
    assertEquals(await page.locator(".sequence").allInnerTexts(), [
      "24",
      ...Array.from({ length: 10 }, (_, n) => `${240 + n}`),
    ]);
    await page.locator(".messages summary").first().click();
    await page.locator(".messages pre").getByText("message 24", { exact: true }).waitFor();
  },
);

browserTest("the workbench publishes, asks, holds, clears and ends", async (browser) => {
  await using desk = await serveDashboard(browser);
  const { server, url } = desk;
  await using client = await connect({ url: server.url });
  await using chat = await client.subscribe("chat.>");
  await using _upper = await client.respond("text.upper", (request) => request.text().toUpperCase());
  const page = await openView(browser, url, "workbench");
  const section = (name: string) =>
    page.locator(".section").filter({ has: page.getByRole("heading", { name, exact: true }) });

  const form = section("Publish");
  await form.getByLabel("Channel").fill("chat.lobby");
  await form.getByLabel("Content is").selectOption("json");
  await form.getByLabel("Content", { exact: true }).fill('{"a":');
  await form.getByRole("button", { name: "Publish" }).click();
  await form.getByText("the content is not JSON").waitFor();
  await form.getByLabel("Content", { exact: true }).fill('{"a":1}');
  await form.getByText("Message headers").click();
  await form.getByLabel("One a line, name: value").fill("lang: en");
  await form.getByRole("button", { name: "Publish" }).click();
  const message = await next(chat);
  assertEquals([message.kind, message.text(), message.headers], ["json", '{"a":1}', { lang: "en" }]);
  await form.getByLabel("Content is").selectOption("bytes");
  await form.getByLabel("Content", { exact: true }).fill("68 69");
  await form.getByRole("button", { name: "Publish" }).click();
  assertEquals([...(await next(chat)).payload], [0x68, 0x69]);

  const ask = section("Ask");
  await ask.getByLabel("Channel").fill("text.upper");
  await ask.getByLabel("Content", { exact: true }).fill("quiet");
  await ask.getByRole("button", { name: "Ask" }).click();
  await ask.locator("pre").getByText("QUIET").waitFor();
  await ask.getByLabel("Channel").fill("text.lower");
  await ask.getByRole("button", { name: "Ask" }).click();
  await ask.getByRole("alert").getByText(/no session responds/).waitFor();

  const listen = section("Subscribe");
  const button = (name: string) => listen.getByRole("button", { name, exact: true });
  await listen.getByLabel("Channel or pattern").fill("news.>");
  await button("Subscribe").click();
  await listen.getByText("Subscribed to news.>.").waitFor();
  await client.publish("news.a", "one");
  await listen.getByText("1 message so far").waitFor();
  await button("Hold the list").click();
  await client.publish("news.a", "two");
  await client.flush();
  assertEquals(await listen.locator(".line-of-message").allInnerTexts(), ["one"]);
  await button("Hold the list").click();
  await listen.getByText("2 messages so far").waitFor();
  assertEquals(await listen.locator(".line-of-message").allInnerTexts(), ["two", "one"]);
  await button("Clear").click();
  await eventually(() => listen.locator(".line-of-message").count(), 0, "lines after Clear");
  await button("End").click();
  await listen.getByText("Not subscribed.").waitFor();
  await goTo(page, "channels/news.a");
  await eventually(() => fact(page, "Subscribers").innerText(), "0", "subscribers after the end");
});

browserTest("diagnose says where a message would go, and what nobody hears", async (browser) => {
  await using desk = await serveDashboard(browser);
  const { server, url } = desk;
  await using ada = await connect({ url: server.url, name: "Ada" });
  await using grace = await connect({ url: server.url, name: "Grace" });
  await using _lobby = await ada.subscribe("chat.lobby");
  await using _all = await grace.subscribe("chat.*");
  for (let n = 0; n < 7; n++) await ada.publish("debug.trace", "nobody is here");
  await ada.flush();
  await ada.request("nobody.answers", "?").catch(() => {});
  const page = await openView(browser, url, "diagnose");
  await page.getByLabel("Channel").fill("chat.lobby");
  await page.getByRole("button", { name: "Tell" }).click();
  await page.getByText("Goes to 2 sessions").waitFor();
  assertEquals(await cell(page, "Ada", "By").innerText(), "chat.lobby");
  assertEquals(await cell(page, "Grace", "By").innerText(), "chat.*");
  assertEquals(await cell(page, "debug.trace", "Messages").innerText(), "7");
  await goTo(page, "refusals");
  const refusal = page.locator("tbody tr").filter({ hasText: "no_responders" });
  await refusal.filter({ hasText: "Ada" }).waitFor();
  await goTo(page, "configuration");
  await page.locator("main h1").getByText("Configuration").waitFor();
});

browserTest("diagnose names the slow subscriber, and the publisher that waits for it", async (browser) => {
  await using desk = await serveDashboard(browser, { limits: { slowConsumerTimeoutMs: 60_000 } });
  const { server, url } = desk;
  using slow = await RawClient.greet(server, { name: "slow" });
  await slow.open("chat.lobby"); // and reads nothing
  await using fast = await connect({ url: server.url, name: "fast" });
  const payload = new Uint8Array(512 * 1024);
  const abort = new AbortController();
  const flood = async () => {
    while (!abort.signal.aborted) await fast.publish("chat.lobby", payload, { signal: abort.signal });
  };
  const flooding = flood().catch(() => {});
  const page = await openView(browser, url, "diagnose");
  const waiting = page.locator(".section").filter({
    has: page.getByRole("heading", { name: "Who holds whom" }),
  });
  await waiting.getByRole("row", { name: /^fast/ }).getByText("slow").waitFor();
  const slowest = page.locator(".section").filter({
    has: page.getByRole("heading", { name: "Slowest subscribers" }),
  });
  await slowest.getByRole("row", { name: /^slow/ }).getByText("slow", { exact: true }).last().waitFor();
  await saveScreenshot(page, "slow");
  await slowest.getByRole("row", { name: /^slow/ }).getByRole("link").click();
  await row(page, "slow").getByRole("button", { name: /^Disconnect/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Disconnect" }).click();
  await row(page, "slow").waitFor({ state: "detached" });
  await goTo(page, "diagnose");
  await page.getByText("No publisher waits.").waitFor();
  abort.abort();
  await flooding;
});

async function publish(client: Client, channel: string, from: number, to: number): Promise<void> {
  const numbers = Array.from({ length: to - from + 1 }, (_, n) => from + n);
  await Promise.all(numbers.map((n) => client.publish(channel, `message ${n}`)));
}

async function next(subscription: Subscription): Promise<Message> {
  const { value } = await within(subscription.next(), "next message");
  return value!;
}

async function acknowledge(subscription: Subscription, count: number): Promise<number[]> {
  const sequences: number[] = [];
  while (sequences.length < count) {
    const message = await next(subscription);
    message.ack();
    sequences.push(message.sequence);
  }
  return sequences;
}
