/**
 * A real Chromium, for tests of what runs in a browser. Debian's `chromium` is driven by `playwright-core`, which has no
 * browser of its own.
 *
 * ```ts ignore
 * browserTest("the page says hello", async (browser) => {
 *   const page = await browser.open("http://127.0.0.1:7254/"); // a tab
 *   await page.getByText("hello").waitFor();
 *   await browser.close(); // before the server ends, or its pages log that they cannot connect
 * });
 * ```
 *
 * A test fails if a page wrote an error to its console, or threw one that nothing caught, unless
 * {@linkcode TestBrowser.expectError} was told of it. Where there is no Chromium, the tests are ignored; with
 * PARLEY_CHROMIUM=required they fail. PARLEY_CHROMIUM can also be the path of another one.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { isGranted, MAY_RUN } from "../harness/permissions.ts";

/** Where Debian, Fedora and Arch have it. */
const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** How long an action in a page or a wait for an element may take, in milliseconds. The machine may be busy. */
const ACTION_MS = 20_000;

/** The path of a Chromium; `undefined` if there is none. */
export const CHROMIUM: string | undefined = findChromium();

/** Registers a test that has a browser. */
export function browserTest(name: string, fn: (browser: TestBrowser) => Promise<void>): void {
  Deno.test({
    name: CHROMIUM === undefined ? `${name} (skipped: it needs chromium, and permission to run it)` : name,
    ignore: CHROMIUM === undefined,
    // The connection to a browser has timers and pipes of its own, which end a moment after it.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      const browser = await TestBrowser.launch();
      try {
        await fn(browser);
      } finally {
        await browser.close();
      }
      assertEquals(browser.problems, [], "errors in the console");
    },
  });
}

/** A browser, and what went wrong in its pages. */
export class TestBrowser {
  /** Errors in consoles, and those that nothing caught, with the URL of the page. */
  readonly problems: string[] = [];

  readonly #browser: Browser;
  readonly #context: BrowserContext;
  readonly #expected: RegExp[] = [];

  private constructor(browser: Browser, context: BrowserContext) {
    this.#browser = browser;
    this.#context = this.#watch(context);
  }

  /** Starts a headless Chromium. */
  static async launch(): Promise<TestBrowser> {
    const { chromium } = await import("playwright-core");
    // Chromium refuses to sandbox as root, and in most containers cannot.
    const args = ["--no-sandbox", "--disable-dev-shm-usage"];
    const browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args });
    return new TestBrowser(browser, await browser.newContext());
  }

  /** Opens a tab. All tabs share storage and cache, unless they have options: then a tab is as of another user. */
  async open(url: string, options?: BrowserContextOptions): Promise<Page> {
    const context = options === undefined
      ? this.#context
      : this.#watch(await this.#browser.newContext(options));
    const page = await context.newPage();
    page.setDefaultTimeout(ACTION_MS);
    await page.goto(url);
    return page;
  }

  /** Errors that match are no problem: a server that is stopped, for example, costs its pages a failed request. */
  expectError(pattern: RegExp): void {
    this.#expected.push(pattern);
  }

  /** Ends the browser. What happens in its pages from now on is no problem. It may be called again. */
  async close(): Promise<void> {
    await this.#browser.close();
  }

  #watch(context: BrowserContext): BrowserContext {
    context.on("console", (message) => {
      if (message.type() === "error") this.#found(message.page()?.url(), message.text());
    });
    context.on("weberror", (error) => this.#found(error.page()?.url(), String(error.error())));
    return context;
  }

  #found(url: string | undefined, text: string): void {
    if (!this.#expected.some((pattern) => pattern.test(text))) this.problems.push(`${url}: ${text}`);
  }
}

function findChromium(): string | undefined {
  if (!MAY_RUN || !isGranted("env")) return undefined;
  const given = Deno.env.get("PARLEY_CHROMIUM");
  if (given !== undefined && given !== "required") return given;
  const found = PATHS.find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
  if (found === undefined && given === "required") throw new Error(`no chromium at ${PATHS.join(", ")}`);
  return found;
}
