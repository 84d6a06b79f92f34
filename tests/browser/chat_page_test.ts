import { assert, assertEquals } from "@std/assert";
import type { Page } from "playwright-core";
import { connect, serve, type ServeOptions, type Server } from "../../lib/mod.ts";
import { buildPackage } from "../../release/npm.ts";
import { makeFolder } from "../harness/folder.ts";
import { ROOT } from "../harness/program.ts";
import { within } from "../harness/deadline.ts";
import { RecordedLog } from "../harness/recorded_log.ts";
import { openTokenDesk } from "../harness/token_desk.ts";
import { browserTest } from "./browser.ts";
import { Pages } from "./pages.ts";

let built: Promise<unknown> | undefined;

/** The pages of the example, with the client beside them. */
async function examplePages(): Promise<Pages> {
  await (built ??= buildPackage());
  return new Pages("examples/web");
}

/** A server whose WebSocket `pages` may use. */
async function serveTo(
  pages: Pages,
  { webPort = 0, ...options }: ServeOptions & { webPort?: number } = {},
): Promise<Server & { readonly socketUrl: string }> {
  const server = await serve({ port: 0, web: { port: webPort, origins: [pages.origin] }, ...options });
  return Object.assign(server, { socketUrl: server.webUrl!.replace("http", "ws") });
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
  await using server = await serveTo(pages);
  await using carol = await connect({ port: server.port, name: "Carol" });
  const lobby = await carol.subscribe("chat.lobby");
  const ada = await browser.open(chatUrl(pages, server.socketUrl, "Ada"));
  await ada.getByText("you are Ada").waitFor();
  const grace = await browser.open(chatUrl(pages, server.socketUrl, "Grace"));
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
  await browser.close();
});

browserTest(
  "a server that starts again under an open page: it comes back and has missed nothing",
  async (browser) => {
    await using pages = await examplePages();
    using folder = makeFolder();
    const options = { stored: [{ channels: "chat.>", storage: "durable" as const }], store: folder.path };
    let server = await serveTo(pages, options);
    const { port, webUrl } = server;
    const webPort = Number(new URL(webUrl!).port);
    const page = await browser.open(chatUrl(pages, server.socketUrl, "Ada"));
    await page.getByText("you are Ada").waitFor();
    {
      await using before = await connect({ port });
      await before.publish("chat.lobby", "before");
    }
    await see(page, "before");
    browser.expectError(/WebSocket connection to .* failed/); // while there is no server
    await server.close();
    await page.locator("#state", { hasText: "interrupted" }).waitFor();
    server = await serveTo(pages, { port, webPort, ...options });
    await using after = await connect({ port });
    for (let i = 0; i < 100; i++) await after.publish("chat.lobby", `meanwhile ${i}.`);
    await page.locator("#state", { hasText: "back, nothing missed" }).waitFor();
    await say(page, "here again");
    await see(page, "here again");
    const texts = await listed(page, "messages");
    const expected = ["before", ...Array.from({ length: 100 }, (_, i) => `meanwhile ${i}.`), "here again"];
    assertEquals(texts.map((text) => /before|meanwhile \d+\.|here again/.exec(text)?.[0]), expected);
    await browser.close();
    await server.close();
  },
);

browserTest("a page needs no URL for the server that it is from", async (browser) => {
  await using pages = await examplePages();
  await using server = await serveTo(pages);
  // A page of the server itself has the client in a bundle of its own; this one gets it from beside the example.
  const page = await browser.open(server.webUrl!, { bypassCSP: true });
  const client = await Deno.readTextFile(`${ROOT}examples/web/parley.js`);
  const name = await page.evaluate(async (client) => {
    const url = URL.createObjectURL(new Blob([client], { type: "text/javascript" }));
    const { connect } = await import(url);
    const ada = await connect({ name: "Ada" });
    await ada.close();
    return ada.name;
  }, client);
  assertEquals(name, "Ada");
  await browser.close();
});

browserTest(
  "over TLS, the token goes out in HELLO, and without one a page learns that it needs one",
  async (browser) => {
    await using pages = await examplePages();
    using state = makeFolder();
    const certs = `${state.path}/certs`;
    await using server = await serveTo(pages, { tls: true, certs, auth: true, state: state.path });
    const lists = { publish: ["chat.>"], subscribe: ["chat.>"], respond: [], direct: false };
    const desk = openTokenDesk(state.path);
    const { token } = await desk.tokens.issue({ ...lists, name: "Ada", expiresInSeconds: 60 });
    await server.reload();
    browser.expectError(/token missing/); // the page does not catch it
    const options = { ignoreHTTPSErrors: true }; // the authority is the server's own
    const withToken = await browser.open(
      `${chatUrl(pages, server.socketUrl, "the token says it")}#${token}`,
      options,
    );
    await withToken.getByText("you are Ada").waitFor();
    const without = await browser.open(chatUrl(pages, server.socketUrl, "Ada"), options);
    await without.locator("#state", { hasText: "token" }).waitFor();
    await browser.close();
  },
);

browserTest("a page of an origin that is not allowed learns what to check", async (browser) => {
  await using pages = await examplePages();
  await using server = await serve({ port: 0, web: { port: 0 } });
  browser.expectError(/WebSocket connection to .* failed/);
  const page = await browser.open(`${pages.origin}/chat.css`);
  const url = server.webUrl!.replace("http", "ws");
  const error = await page.evaluate(`import("/parley.js").then(({ connect }) =>
    connect({ url: "${url}" }).catch(({ code, message }) => code + ": " + message)
  )`);
  const advice =
    "check that a server with --web listens there, that its certificate is trusted, and that it " +
    `allows pages of ${pages.origin} (--web-origin)`;
  assertEquals(error, `unreachable: cannot open a WebSocket to ${url}/parley; ${advice}`);
});

browserTest("pages that do not read are slow consumers, and others are served", async (browser) => {
  await using pages = await examplePages();
  const limits = { slowConsumerTimeoutMs: 500, pendingBytes: 2 ** 21 };
  const log = new RecordedLog();
  await using server = await serveTo(pages, { limits, log: log.log });
  await using publisher = await connect({ port: server.port });
  await using other = await connect({ port: server.port });
  /** Opens a page that subscribes, runs `then`, and never iterates. */
  const open = async (then: string) => {
    const page = await browser.open(`${pages.origin}/chat.css`);
    const session = await page.evaluate<number>(`(async () => {
      const { connect } = await import("/parley.js");
      const client = await connect({ url: "${server.socketUrl}", reconnect: false });
      await client.subscribe("bulk");
      globalThis.ended = client.closed.then((error) => error.code);
      ${then}
      return client.sessionId;
    })()`);
    return { page, session };
  };
  const idle = await open("");
  // Its script hangs, so nothing is read: what the browser holds itself is bounded, too.
  const hung = await open(`setTimeout(() => {
    // For three seconds, in which the machine did not stand still.
    for (let ms = 0, before = Date.now(); ms < 3_000;) {
      const now = Date.now();
      ms += Math.min(now - before, 5);
      before = now;
    }
  })`);
  const bulk = await other.subscribe("bulk");
  const payload = new Uint8Array(128 * 1024);
  const count = 1024; // 128 MiB: more than a page and a browser keep
  const publishing = (async () => {
    for (let i = 0; i < count; i++) await publisher.publish("bulk", payload);
  })();
  for (let i = 0; i < count; i++) await within(bulk.next(), `message ${i}`);
  await publishing;
  // The browser goes on reading for the idle page, whose client ends the connection. For the other one it cannot.
  assertEquals(await idle.page.evaluate("globalThis.ended"), "slow_consumer");
  await log.until("closed", { number: hung.session, reason: "slow_consumer" });
  const codes = ["slow_consumer", "disconnected"]; // the last may be all that the browser says of it
  assert(codes.includes(await hung.page.evaluate("globalThis.ended")));
});
