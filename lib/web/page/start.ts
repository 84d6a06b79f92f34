/**
 * Puts the page together.
 *
 * @module
 */

/// <reference lib="dom" />
/// <reference lib="dom.iterable" />

import { render } from "preact";
import { App } from "./app.ts";
import { type Connect, Connection } from "./connection.ts";
import { html } from "./html.ts";
import { NO_SAMPLES } from "./samples.ts";
import { Shell } from "./shell.ts";
import { Store } from "./store.ts";

/** Shows the page in `place`, and connects it to the server that it came from. */
export function start(connect: Connect, place: Element): void {
  const store = new Store({
    connection: { phase: "connecting" },
    hasToken: false,
    lookProblem: undefined,
    mayChange: undefined,
    stats: undefined,
    samples: NO_SAMPLES,
    question: undefined,
    notices: [],
  });
  const url = new URL("/parley", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const connection = new Connection(connect, url.href, store, (error) => app.tell(error.message, true));
  const app = new App(store, connection);
  render(html`<${Shell} app=${app} />`, place);
  connection.start();
}
