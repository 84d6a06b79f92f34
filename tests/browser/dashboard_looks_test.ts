/**
 * How the dashboard looks: in light and dark, on a phone, with 1,000 channels and 1,000 sessions. With PARLEY_SCREENSHOTS
 * set to a folder, pictures are left there.
 */

/// <reference lib="dom" />

import { assert, assertEquals } from "@std/assert";
import type { Page } from "playwright-core";
import { type Client, connect } from "../../lib/mod.ts";
import { browserTest } from "./browser.ts";
import { contrastProblems } from "./contrast.ts";
import {
  cell,
  connected,
  eventually,
  fits,
  goTo,
  openView,
  row,
  saveScreenshot,
  serveDashboard,
} from "./dashboard.ts";

const DESKTOP = { viewport: { width: 1360, height: 850 } };
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

const KINDS = {
  light: { ...DESKTOP, colorScheme: "light" },
  dark: { ...DESKTOP, colorScheme: "dark" },
  tablet: { viewport: { width: 900, height: 1100 }, colorScheme: "light" },
  phone: { ...PHONE, colorScheme: "light" },
  "phone-dark": { ...PHONE, colorScheme: "dark" },
} as const;

const VIEWS = [
  "overview",
  "sessions",
  "channels",
  "channels/d.orders",
  "set-aside",
  "set-aside/d.orders/billing",
  "messages/d.orders",
  "diagnose/d.orders",
  "refusals",
  "configuration",
  "workbench/d.orders",
];

browserTest(
  "every view fits its window and can be read, in light and dark, on a desk and on a phone",
  async (browser) => {
    await using desk = await serveDashboard(browser);
    const { server, url } = desk;
    await using client = await connect({
      url: server.url,
      name: "a-client-with-a-long-name-of-more-than-40-letters",
    });
    await someOfEverything(client);
    for (const [kind, options] of Object.entries(KINDS)) {
      const page = await browser.open(`${url}/#/overview`, options);
      await connected(page);
      for (const view of VIEWS) {
        await goTo(page, view);
        await settled(page);
        await saveScreenshot(page, `${kind}-${view.replaceAll("/", "_")}`);
        await fits(page, `${view} in ${kind}`);
        assertEquals(await page.evaluate(contrastProblems), [], `contrast of ${view} in ${kind}`);
        assertEquals(await page.evaluate(unnamed), [], `names of ${view} in ${kind}`);
      }
      await page.context().close();
    }
  },
);

browserTest("the keyboard alone is enough", async (browser) => {
  await using desk = await serveDashboard(browser);
  await using victim = await connect({ url: desk.server.url, name: "victim", reconnect: false });
  const page = await openView(browser, desk.url, "overview");
  const press = async (key: string, until: string) => {
    for (let presses = 0; presses < 60; presses++) {
      await page.keyboard.press(key);
      const name = await page.evaluate(() =>
        document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent?.trim() ??
          ""
      );
      if (name.startsWith(until)) return;
    }
    throw new Error(`the keyboard does not reach ${until}`);
  };
  await press("Tab", "To the content");
  await press("Tab", "Sessions");
  await page.keyboard.press("Enter");
  await row(page, "victim").waitFor();
  await press("Tab", "Disconnect: victim");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle);
  assertEquals(outline, "solid", "the focus shows");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert(victim.isConnected);
  await press("Tab", "Disconnect: victim");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await press("Tab", "Disconnect");
  await page.keyboard.press("Enter");
  await victim.closed;
});

browserTest("1,000 channels and 1,000 sessions stay smooth", async (browser) => {
  await using desk = await serveDashboard(browser);
  const { server, url } = desk;
  const clients: Client[] = [];
  for (let n = 0; n < 1_000; n += 50) {
    clients.push(
      ...await Promise.all(Array.from({ length: 50 }, async (_, k) => {
        const client = await connect({ url: server.url, name: `client-${n + k}` });
        await client.subscribe(`sensors.${n + k}`);
        return client;
      })),
    );
  }
  const loud = clients[777];
  for (let n = 0; n < 300; n++) await loud.publish("sensors.777", "loud");
  await loud.flush();
  const page = await openView(browser, url, "sessions");
  await page.evaluate(watchLongTasks);
  await page.getByText("1–100 of 1,001 sessions").waitFor(); // the page has one, too
  await page.getByRole("button", { name: /^In/ }).click();
  await eventually(
    () => page.locator("tbody th").first().innerText().then((text) => text.split("\n")[0]),
    "client-777",
    "the first by messages in",
  );
  await saveScreenshot(page, "many-sessions");
  await page.evaluate(watchRows);
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByText("101–200 of 1,001 sessions").waitFor();
  assertEquals(await page.locator("tbody tr").count(), 100);
  const fewest = await page.evaluate(() => (globalThis as unknown as { fewest: number }).fewest);
  assertEquals(fewest, 100, "a page stays until the next one is there");
  await page.getByLabel("Search").fill("client-99");
  await page.getByText(/^1–11 of 11 sessions/).waitFor(); // client-99 and client-990 to 999
  await goTo(page, "channels");
  await page.getByText("1–100 of 1,000 channels").waitFor();
  await page.getByRole("button", { name: /^In/ }).click();
  await eventually(() => cell(page, "sensors.777", "In").count(), 1, "the busiest on the first page");
  await saveScreenshot(page, "many-channels");
  for (let n = 0; n < 9; n++) await page.getByRole("button", { name: "Next" }).click();
  await page.getByText("901–1,000 of 1,000 channels").waitFor();
  const longest = await page.evaluate(() =>
    Math.max(0, ...(globalThis as unknown as { tasks: number[] }).tasks)
  );
  console.log(`longest task of the page: ${longest.toFixed(0)} ms`);
  assert(longest < 1_000, `a task of the page took ${longest} ms`);
  await Promise.all(clients.map((client) => client.close()));
});

/** What each view has something of. */
async function someOfEverything(client: Client): Promise<void> {
  await client.subscribe("chat.lobby");
  await client.subscribe("chat.>", { group: "a" }).catch(() => {});
  await client.respond("text.upper", (request) => request.text().toUpperCase());
  for (let n = 1; n <= 20; n++) {
    await client.publish("d.orders", {
      json: { order: n, items: ["a hat", "a coat"], text: "x".repeat(n * 10) },
    });
  }
  const orders = await client.subscribe("d.orders", { consumer: "billing" });
  for (let n = 1; n <= 5; n++) {
    const { value } = await orders.next();
    if (n % 2 === 0) value!.ack();
    else value!.setAside();
  }
  await client.publish("debug.trace.of.a.channel.with.a.rather.long.name", "nobody");
  await client.request("nobody.answers", "?").catch(() => {});
  await client.flush();
}

/** Resolves when the view has what it asked for: nothing in it changes for a moment. */
async function settled(page: Page): Promise<void> {
  let last = "";
  await eventually(
    async () => {
      await new Promise((resolve) => setTimeout(resolve, 150));
      const text = (await page.locator("main").innerText()).replace(/[\d.,:]+/g, "");
      const isSame = text === last && !/Waiting for|Asking the server|Reading …/.test(text);
      last = text;
      return isSame;
    },
    true,
    "a view that is still",
  );
}

/** Controls that have no name for those who do not see them. Runs in the page. */
function unnamed(): string[] {
  const controls = [...document.querySelectorAll<HTMLElement>("button, a, input, select, textarea, summary")];
  return controls.filter((control) => {
    const labels = "labels" in control ? [...(control.labels as NodeListOf<HTMLElement>) ?? []] : [];
    const name = control.getAttribute("aria-label") ?? (labels[0] ?? control).textContent;
    return (name ?? "").trim() === "";
  }).map((control) => control.outerHTML.slice(0, 120));
}

/** Notes how long tasks of the page take that take long. Runs in the page. */
function watchLongTasks(): void {
  const tasks: number[] = [];
  (globalThis as unknown as { tasks: number[] }).tasks = tasks;
  new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration)))
    .observe({ entryTypes: ["longtask"] });
}

/** Notes how few rows the table ever has from now on. */
function watchRows(): void {
  const page = globalThis as unknown as { fewest: number };
  const note = () => page.fewest = Math.min(page.fewest, document.querySelectorAll("tbody tr").length);
  page.fewest = Infinity;
  note();
  new MutationObserver(note).observe(document.body, { childList: true, subtree: true });
}
