/**
 * The dashboard as a test uses it: a server with a web server, and pages of it.
 *
 * @module
 */

/// <reference lib="dom" />

import { assert, assertEquals } from "@std/assert";
import type { Page } from "playwright-core";
import { serve, type ServeOptions, type Server } from "../../lib/mod.ts";
import { makeFolder } from "../harness/folder.ts";
import type { TestBrowser } from "./browser.ts";

/** How long something that a page is told once a second may take to be there, in milliseconds. */
export const SOON_MS = 20_000;

/** A server with a dashboard. Disposing of it closes it, and removes its files. */
export interface DashboardServer extends AsyncDisposable {
  readonly server: Server;
  /** Where its pages are. */
  readonly url: string;
  /** A folder of its own. */
  readonly folder: string;
}

/**
 * Starts a server with a dashboard, and with the durable channels `d.>` and channels `h.>` with history. Its end closes
 * `browser` first, whose pages would complain in the console.
 */
export async function serveDashboard(
  browser: TestBrowser,
  options: ServeOptions = {},
): Promise<DashboardServer> {
  const folder = makeFolder();
  const server = await serve({
    port: 0,
    web: { port: 0 },
    stored: [{ channels: "d.>", storage: "durable" }, { channels: "h.>", storage: "history" }],
    store: `${folder.path}/store`,
    state: `${folder.path}/state`,
    ...options,
  });
  return {
    server,
    url: server.webUrl!,
    folder: folder.path,
    async [Symbol.asyncDispose]() {
      await browser.close();
      await server.close();
      folder[Symbol.dispose]();
    },
  };
}

/** Opens a view of the dashboard, and waits until it is connected. */
export async function openView(browser: TestBrowser, url: string, view: string): Promise<Page> {
  const page = await browser.open(`${url}/#/${view}`);
  await connected(page);
  return page;
}

/** Goes to another view, as a link does. */
export async function goTo(page: Page, view: string): Promise<void> {
  await page.evaluate((hash) => location.hash = hash, `#/${view}`);
  await page.locator("main h1").first().waitFor();
}

/** Resolves when the page says that it is connected. */
export async function connected(page: Page): Promise<void> {
  await page.locator(".bar .state", { hasText: /^Connected$/ }).waitFor();
}

/** The row of a table whose name begins with `name`. */
export function row(page: Page, name: string) {
  const start = new RegExp(`^\\s*${name.replace(/[.$]/g, "\\$&")}(\\s|\\d|$)`);
  return page.locator("tbody tr").filter({ has: page.getByRole("rowheader", { name: start }) });
}

/** The cell of a row below a header. */
export function cell(page: Page, name: string, label: string) {
  return row(page, name).locator(`td[data-label="${label}"]`);
}

/** What a fact says: a name and its value, beside each other. */
export function fact(page: Page, name: string) {
  return page.locator(".facts > div").filter({ has: page.getByText(name, { exact: true }) }).locator("dd");
}

/** Waits until `read` gives `expected`. */
export async function eventually<T>(read: () => Promise<T> | T, expected: T, what: string): Promise<void> {
  const end = Date.now() + SOON_MS;
  for (;;) {
    const found = await read();
    if (JSON.stringify(found) === JSON.stringify(expected)) return;
    if (Date.now() > end) assertEquals(found, expected, what);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Fails if something of the page is wider than its window. */
export async function fits(page: Page, what: string): Promise<void> {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert(over <= 0, `${what} is ${over} px wider than the window`);
}

/** Saves what a page looks like, if PARLEY_SCREENSHOTS names a folder for it. */
export async function saveScreenshot(page: Page, name: string): Promise<void> {
  const folder = Deno.env.get("PARLEY_SCREENSHOTS");
  if (folder === undefined) return;
  await Deno.mkdir(folder, { recursive: true });
  await page.screenshot({ path: `${folder}/${name}.png` });
}
