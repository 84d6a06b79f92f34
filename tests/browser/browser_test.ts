import { assertEquals, assertRejects } from "@std/assert";
import { browserTest, CHROMIUM, TestBrowser } from "./browser.ts";

browserTest("a page runs scripts, tabs share storage, and a tab with options does not", async (browser) => {
  await using server = servePage(`<title>hello</title>`);
  const [one, other] = [await browser.open(server.url), await browser.open(server.url)];
  assertEquals(await one.title(), "hello");
  await one.evaluate(() => localStorage.setItem("a", "1"));
  assertEquals(await other.evaluate(() => localStorage.getItem("a")), "1");
  const phone = await browser.open(server.url, {
    viewport: { width: 390, height: 844 },
    colorScheme: "dark",
  });
  assertEquals(await phone.evaluate(() => localStorage.getItem("a")), null);
  const dark = 'matchMedia("(prefers-color-scheme: dark)").matches';
  assertEquals(await phone.evaluate(`[innerWidth, ${dark}]`), [390, true]);
});

Deno.test({
  name: "errors in the console are found, and those that are expected are not",
  ignore: CHROMIUM === undefined,
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    await using server = servePage(`<script>console.error("one"); console.warn("two"); nothing()</script>`);
    const browser = await TestBrowser.launch();
    browser.expectError(/^one$/);
    await browser.open(server.url);
    await browser.close();
    assertEquals(browser.problems, [`${server.url}: ReferenceError: nothing is not defined`]);
    await assertRejects(() => browser.open(server.url));
  },
});

function servePage(html: string): AsyncDisposable & { readonly url: string } {
  const headers = { "content-type": "text/html; charset=utf-8" };
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    ({ url }) =>
      url.endsWith("/favicon.ico") ? new Response(null, { status: 204 }) : new Response(html, { headers }),
  );
  return { url: `http://127.0.0.1:${server.addr.port}/`, [Symbol.asyncDispose]: () => server.shutdown() };
}
