/** The page of `examples/web_backend.ts`, from its login to a chat, and what it does when its token is revoked. */

import { assertEquals } from "@std/assert";
import type { Page } from "playwright-core";
import { Revocations } from "../../lib/auth/revocations.ts";
import { serve } from "../../lib/mod.ts";
import { FolderStorage } from "../../lib/state/folder.ts";
import { bundle } from "../../release/bundle.ts";
import { makeFolder } from "../harness/folder.ts";
import { freePort, Program } from "../harness/program.ts";
import { RecordedLog } from "../harness/recorded_log.ts";
import { browserTest, type TestBrowser } from "./browser.ts";

const RUN = [Deno.execPath(), "run", "--quiet", "--no-check", "--no-prompt"];
const PERMISSIONS = ["--allow-net", "--allow-env", "--allow-read"];

/** The backend, and a server that accepts its tokens. */
async function start() {
  await using stack = new AsyncDisposableStack();
  const origin = `http://localhost:${freePort()}`;
  const state = stack.use(makeFolder());
  const library = `${state.path}/parley.js`;
  // Not by deno task build:npm, which other tests run at the same time.
  await bundle("--platform", "browser", "--output", library, "lib/client/browser.ts");
  const log = new RecordedLog();
  const keys = `${origin}/.well-known/jwks.json`;
  const auth = { keys, issuer: origin, audience: "parley.example" };
  const web = { port: 0, origins: [origin] };
  const server = stack.use(await serve({ port: 0, web, auth, state: state.path, log: log.log }));
  const webSocket = server.webUrl!.replace(/^http/, "ws").replace(/\/$/, "");
  const env = { ORIGIN: origin, WEB_SOCKET: webSocket, LIBRARY: library };
  const program = [...RUN, ...PERMISSIONS, "examples/web_backend.ts"];
  const backend = stack.use(new Program([], { program, env }));
  await backend.stdout.until(/open http:/);
  await server.reload(); // now there are keys
  const moved = stack.move();
  return { origin, log, state: state.path, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

async function logIn(browser: TestBrowser, origin: string, user: string, password: string): Promise<Page> {
  const page = await browser.open(origin);
  await page.getByLabel("Name").fill(user);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("button", { name: "Send", disabled: false }).waitFor();
  return page;
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel("Message").fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

browserTest(
  "the page of a backend: login, token, WebSocket, and another token when one is revoked",
  async (browser) => {
    await using app = await start();
    const ada = await logIn(browser, app.origin, "ada", "lovelace");
    await say(ada, "hello");
    await ada.getByText("ada: hello").waitFor();
    const [{ token }] = app.log.all("greeted");
    await new Revocations(new FolderStorage(app.state), Date.now).add(`${token}`);
    await app.log.untilLike("refused", "token revoked");
    while (app.log.all("greeted").length < 2) await ada.waitForTimeout(20);
    assertEquals(app.log.all("greeted")[1].token === token, false);
    await say(ada, "still here");
    await ada.getByText("ada: still here").waitFor();
    await ada.getByRole("button", { name: "Log out" }).click();
    await ada.getByRole("button", { name: "Log in" }).waitFor();
  },
);
