/**
 * The dashboard in a real browser, beside the server that it shows: what it says is what happened, and what its buttons
 * say is what they do.
 */

import { assert, assertEquals } from "@std/assert";
import { connect, serve } from "../../lib/mod.ts";
import { makeFolder } from "../harness/folder.ts";
import { openTokenDesk } from "../harness/token_desk.ts";
import { within } from "../harness/deadline.ts";
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

const NO_GRANTS = { publish: [], subscribe: [], respond: [], direct: false, expiresInSeconds: 3600 };

browserTest("the dashboard shows what is sent while a load runs", async (browser) => {
  await using desk = await serveDashboard(browser);
  const { server, url } = desk;
  await using publisher = await connect({ url: server.url, name: "load" });
  const readers = await Promise.all([1, 2].map((n) => connect({ url: server.url, name: `reader-${n}` })));
  const subscriptions = await Promise.all(readers.map((reader) => reader.subscribe("chat.lobby")));
  const page = await openView(browser, url, "overview");

  let sent = 0;
  const end = Date.now() + 5_000;
  const reading = subscriptions.map(async (subscription) => {
    for await (const message of subscription) if (message.text() === "last") return;
  });
  while (Date.now() < end) {
    for (let burst = 0; burst < 500; burst++, sent++) {
      await publisher.publish("chat.lobby", "0123456789abcdef");
    }
    await publisher.flush();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  // The charts and tiles move while it runs.
  const rate = page.locator(".chart", { hasText: "Messages per second" }).locator(".legend b").first();
  await eventually(async () => Number((await rate.innerText()).replaceAll(",", "")) > 100, true, "a rate");
  await saveScreenshot(page, "load");
  await page.getByText("The same as a table").click();
  await page.getByRole("columnheader", { name: "Messages in/s" }).waitFor();
  await saveScreenshot(page, "load-as-table");
  await publisher.publish("chat.lobby", "last");
  sent++;
  await publisher.flush();
  await Promise.all(reading.map((each) => within(each, "end of the load")));

  await goTo(page, "channels/chat.lobby");
  await eventually(
    () => fact(page, "Messages in, out").innerText(),
    `${grouped(sent)}, ${grouped(2 * sent)}`,
    "counts",
  );
  assertEquals(await fact(page, "Subscribers").innerText(), "0"); // both loops have ended
  await goTo(page, "sessions");
  for (const name of ["load", "reader-1", "reader-2", "dashboard"]) await row(page, name).waitFor();
  await eventually(() => cell(page, "load", "In").innerText(), grouped(sent), "messages of the publisher");
  await eventually(() => cell(page, "reader-1", "Out").innerText(), grouped(sent), "messages to a reader");
  await Promise.all(readers.map((reader) => reader.close()));
});

browserTest(
  "a page comes back by itself after a restart, and missed nothing that is stored",
  async (browser) => {
    browser.expectError(/WebSocket connection to .* failed/);
    await using desk = await serveDashboard(browser);
    const { folder } = desk;
    const options = { stored: [{ channels: "d.>", storage: "durable" as const }], store: `${folder}/again` };
    let server = await serve({ port: 0, web: { port: 0 }, ...options });
    try {
      const [port, webPort] = [server.port, Number(new URL(server.webUrl!).port)];
      const page = await openView(browser, server.webUrl!, "workbench/d.orders");
      await page.getByLabel("Channel or pattern").fill("d.orders");
      await page.getByRole("button", { name: "Subscribe", exact: true }).click();
      await page.getByText("Subscribed to d.orders.").waitFor();
      const publish = async (from: number, to: number) => {
        await using client = await connect({ port });
        for (let n = from; n <= to; n++) await client.publish("d.orders", `order ${n}`);
      };
      await publish(1, 5);
      await page.getByText("5 messages so far").waitFor();
      await server.close();
      await page.locator(".bar .state", { hasText: "Not connected since" }).waitFor();
      server = await serve({ port, web: { port: webPort }, ...options });
      await publish(6, 10);
      await connected(page);
      await page.getByText("10 messages so far").waitFor();
      const lines = await page.locator(".line-of-message").allInnerTexts();
      assertEquals(lines, Array.from({ length: 10 }, (_, n) => `order ${10 - n}`));
      await goTo(page, "overview");
      await fact(page, "Up for").waitFor(); // $stats comes again, too
    } finally {
      await server.close();
    }
  },
);

browserTest(
  "a page asks for a token, says what is wrong with it, and shows what it allows",
  async (browser) => {
    browser.expectError(/WebSocket connection to .* failed/);
    await using desk = await serveDashboard(browser, { auth: true });
    const { server, url, folder } = desk;
    const { tokens } = openTokenDesk(`${folder}/state`);
    const issue = async (grants: object) => {
      const { token } = await tokens.issue({ ...NO_GRANTS, name: "Ada", ...grants });
      await server.reload();
      return token;
    };
    const [none, monitor, admin] = [
      await issue({ subscribe: [">"] }),
      await issue({ monitor: true }),
      await issue({ admin: true }),
    ];
    const page = await browser.open(`${url}/#/sessions`);
    const use = async (token: string, isKept = false) => {
      await page.getByLabel("Token", { exact: true }).fill(token);
      await page.getByLabel("Keep it until this tab is closed").setChecked(isKept);
      await page.getByRole("button", { name: "Connect" }).click();
    };
    const forget = () => page.getByRole("button", { name: "Forget token" }).click();
    const stored = () => page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }));

    await use("eyJhbGciOiJFZERTQSJ9.e30.wrong");
    await page.getByRole("alert").filter({ hasText: /token/ }).waitFor();

    await use(none);
    await connected(page);
    await page.getByText("This session may not look at the server").waitFor();
    await forget();

    await use(monitor);
    await connected(page);
    await row(page, "Ada").waitFor();
    await page.getByText("This session may only look").waitFor();
    assert(await row(page, "Ada").getByRole("button", { name: /^Disconnect/ }).isDisabled());
    assertEquals(await stored(), "{}");
    assert(!page.url().includes(monitor));
    await page.reload();
    await page.getByLabel("Token", { exact: true }).waitFor(); // it was in memory only

    await use(admin, true);
    await connected(page);
    await page.reload();
    await connected(page); // the tab has kept it
    assert(await row(page, "Ada").getByRole("button", { name: /^Disconnect/ }).isEnabled());
    await forget();
    await page.getByLabel("Token", { exact: true }).waitFor();
    assertEquals(await stored(), "{}");

    await use(admin);
    await connected(page);
    const [entry] = (await openTokenDesk(`${folder}/state`).registry.list()).filter(({ admin }) => admin);
    await openTokenDesk(`${folder}/state`).registry.revoke(entry.id);
    await server.reload();
    await page.getByRole("alert").filter({ hasText: /revoked|token/ }).waitFor(); // and asks for another
  },
);

browserTest("over HTTPS the page connects by wss", async (browser) => {
  const certs = makeFolder();
  try {
    await using desk = await serveDashboard(browser, { tls: true, certs: certs.path });
    const page = await browser.open(`${desk.url}/#/sessions`, { ignoreHTTPSErrors: true });
    await connected(page);
    assert(desk.url.startsWith("https:"));
    await row(page, "dashboard").getByText("websocket").waitFor();
  } finally {
    certs[Symbol.dispose]();
  }
});

browserTest("messages from others are text, whatever they hold", async (browser) => {
  await using desk = await serveDashboard(browser);
  const { server, url } = desk;
  await using client = await connect({ url: server.url, name: "\u202e<b>evil</b>" });
  const page = await openView(browser, url, "workbench");
  await page.getByLabel("Channel or pattern").fill("chat.>");
  await page.getByRole("button", { name: "Subscribe", exact: true }).click();
  await page.getByText("Subscribed to chat.>.").waitFor();
  const text = "<img src=x onerror=alert(1)>\x1b[2J\u202e";
  await client.publish("chat.lobby", text, { headers: { from: "<script>1</script>" } });
  await page.locator(".line-of-message").getByText("<img src=x onerror=alert(1)>\\x1b[2J\\u{202e}").waitFor();
  await page.locator(".messages summary").click();
  await page.locator(".messages dd").getByText("<script>1</script>").waitFor();
  await page.getByLabel("Show as").first().selectOption("bytes");
  await page.locator(".messages .bytes td").getByText("MESSAGE", { exact: true }).waitFor();
  await goTo(page, "sessions");
  await page.getByText("\\u{202e}<b>evil</b>").waitFor();
});

function grouped(count: number): string {
  return count.toLocaleString("en");
}
