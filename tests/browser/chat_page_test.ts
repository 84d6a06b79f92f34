import { assertEquals } from "@std/assert";
import type { Page } from "playwright-core";
import { connect, serve } from "../../lib/mod.ts";
import { buildPackage } from "../../release/npm.ts";
import { Gateway } from "../client/web_socket_gateway.ts";
import { makeFolder } from "../harness/folder.ts";
import { within } from "../harness/deadline.ts";
import { browserTest } from "./browser.ts";
import { Pages } from "./pages.ts";

let built: Promise<unknown> | undefined;

/** The pages of the example, with the client beside them. */
async function examplePages(): Promise<Pages> {
  await (built ??= buildPackage());
  return new Pages("examples/web");
}

function chatUrl(pages: Pages, server: string, name: string): string {
  return `${pages.origin}/?${new URLSearchParams({ server, name })}`;
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByRole("textbox", { name: "Message" }).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

/** Waits for a message of the page. */
async function see(page: Page, text: string): Promise<void> {
  await page.locator("#messages li", { hasText: text }).first().waitFor();
}

function listed(page: Page, list: "people" | "messages"): Promise<string[]> {
  return page.locator(`#${list} li`).allTextContents();
}

browserTest("the chat page: two tabs and a TCP client see each other and what each says", async (browser) => {
  await using pages = await examplePages();
  await using server = await serve({ port: 0 });
  await using gateway = new Gateway(server.port);
  await using carol = await connect({ port: server.port, name: "Carol" });
  const lobby = await carol.subscribe("chat.lobby");
  const ada = await browser.open(chatUrl(pages, gateway.url, "Ada"));
  await ada.getByText("you are Ada").waitFor();
  const grace = await browser.open(chatUrl(pages, gateway.url, "Grace"));
  await ada.locator("#people li", { hasText: "Grace" }).waitFor();
  await grace.locator("#people li", { hasText: "Ada" }).waitFor();
  assertEquals((await listed(ada, "people")).sort(), ["Ada", "Carol", "Grace"]);

  await say(ada, "hello from a tab");
  await see(grace, "hello from a tab");
  assertEquals((await lobby.next()).value?.text(), "hello from a tab");
  await say(grace, "<b>not bold</b> ☃");
  await see(ada, "not bold");
  await carol.publish("chat.lobby", "hello from a terminal");
  await Promise.all([see(ada, "from a terminal"), see(grace, "from a terminal")]);
  const all = ["Ada hello from a tab", "Grace <b>not bold</b> ☃", "Carol hello from a terminal"];
  assertEquals([await listed(ada, "messages"), await listed(grace, "messages")], [all, all]);

  await grace.close();
  await ada.locator("#people li", { hasText: "Grace" }).waitFor({ state: "detached" });
  assertEquals((await listed(ada, "people")).sort(), ["Ada", "Carol"]);
});

browserTest(
  "a server that starts again under an open page: it comes back and has missed nothing",
  async (browser) => {
    await using pages = await examplePages();
    using folder = makeFolder();
    const options = { stored: [{ channels: "chat.>", storage: "durable" as const }], store: folder.path };
    let server = await serve({ port: 0, ...options });
    const { port } = server;
    await using gateway = new Gateway(port);
    const page = await browser.open(chatUrl(pages, gateway.url, "Ada"));
    await page.getByText("you are Ada").waitFor();
    {
      await using before = await connect({ port });
      await before.publish("chat.lobby", "before");
    }
    await see(page, "before");
    browser.expectError(/WebSocket connection to .* failed/); // while there is no server
    await server.close();
    await page.locator("#state", { hasText: "interrupted" }).waitFor();
    server = await serve({ port, ...options });
    await using after = await connect({ port });
    for (let i = 0; i < 100; i++) await after.publish("chat.lobby", `meanwhile ${i}.`);
    await page.locator("#state", { hasText: "back, nothing missed" }).waitFor();
    await say(page, "here again");
    await see(page, "here again");
    const texts = await listed(page, "messages");
    const expected = ["before", ...Array.from({ length: 100 }, (_, i) => `meanwhile ${i}.`), "here again"];
    assertEquals(texts.map((text) => /before|meanwhile \d+\.|here again/.exec(text)?.[0]), expected);
    await page.close();
    await server.close();
  },
);

browserTest("a page needs no URL for the server that it is from", async (browser) => {
  await using pages = await examplePages();
  await using server = await serve({ port: 0 });
  await using gateway = new Gateway(server.port, { pages: (request) => pages.answer(request) });
  const page = await browser.open(`${gateway.url.replace("ws", "http")}/chat.css`);
  const script = `(async () => {
    const { connect } = await import("/parley.js");
    const client = await connect({ name: "Ada" });
    const { name } = client;
    await client.close();
    return name;
  })()`;
  assertEquals(await page.evaluate(script), "Ada");
});

browserTest("a page that does not read is a slow consumer, and others are served", async (browser) => {
  await using pages = await examplePages();
  await using server = await serve({
    port: 0,
    limits: { slowConsumerTimeoutMs: 500, pendingBytes: 2 ** 21 },
  });
  await using gateway = new Gateway(server.port);
  await using publisher = await connect({ port: server.port });
  await using other = await connect({ port: server.port });
  const page = await browser.open(`${pages.origin}/chat.css`);
  const script = `(async () => {
    const { connect } = await import("/parley.js");
    const client = await connect({ url: "${gateway.url}", reconnect: false });
    await client.subscribe("bulk"); // and never iterates
    globalThis.ended = client.closed.then((error) => error.code + ": " + error.message);
  })()`;
  await page.evaluate(script);
  const bulk = await other.subscribe("bulk");
  const payload = new Uint8Array(128 * 1024);
  const count = 512; // 64 MiB: more than a page keeps
  const publishing = (async () => {
    for (let i = 0; i < count; i++) await publisher.publish("bulk", payload);
  })();
  for (let i = 0; i < count; i++) await within(bulk.next(), `message ${i}`);
  await publishing;
  const ended = await page.evaluate("globalThis.ended") as string;
  assertEquals(ended.split(":")[0], "slow_consumer", ended);
});
