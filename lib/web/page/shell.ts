/**
 * The page around the views: the state of the connection, the way to each view, and what comes up over them.
 *
 * @module
 */

import { useEffect, useRef } from "preact/hooks";
import type { App } from "./app.ts";
import { formatTime } from "./format.ts";
import { html, type VNode } from "./html.ts";
import { Dialog, Notices } from "./parts/dialog.ts";
import { type Route, useRoute } from "./route.ts";
import { type ConnectionState, useStore } from "./store.ts";
import { TokenPrompt } from "./token_prompt.ts";
import { Channel } from "./views/channel.ts";
import { Channels } from "./views/channels.ts";
import { Configuration } from "./views/configuration.ts";
import { Diagnose } from "./views/diagnose.ts";
import { Messages } from "./views/messages.ts";
import { Overview } from "./views/overview.ts";
import { Refusals } from "./views/refusals.ts";
import { Sessions } from "./views/sessions.ts";
import { SetAside } from "./views/set_aside.ts";
import { Workbench } from "./views/workbench.ts";

interface View {
  readonly name: string;
  readonly title: string;
  /** Whether it shows what `$stats` tells, which needs a right of its own. */
  readonly looks: boolean;
  readonly make: (app: App, parts: readonly string[]) => VNode;
}

const VIEWS: readonly View[] = [
  view("overview", "Overview", (app) => html`<${Overview} app=${app} />`),
  view(
    "sessions",
    "Sessions",
    (app, [search]) => html`<${Sessions} key=${search} app=${app} search=${search} />`,
  ),
  view(
    "channels",
    "Channels",
    (app, [channel]) =>
      channel === undefined
        ? html`<${Channels} app=${app} />`
        : html`<${Channel} key=${channel} app=${app} channel=${channel} />`,
  ),
  view("set-aside", "Set aside", (app, [channel, consumer, subject]) =>
    html`
      <${SetAside} key=${JSON.stringify([
        channel,
        consumer,
        subject,
      ])} app=${app} channel=${channel} consumer=${consumer}
        subject=${subject} />
    `),
  view(
    "messages",
    "Messages",
    (app, [channel]) => html`<${Messages} key=${channel} app=${app} channel=${channel} />`,
    false,
  ),
  view(
    "diagnose",
    "Diagnose",
    (app, [channel]) => html`<${Diagnose} key=${channel} app=${app} channel=${channel} />`,
  ),
  view("refusals", "Refusals", (app) => html`<${Refusals} app=${app} />`),
  view("configuration", "Configuration", (app) => html`<${Configuration} app=${app} />`),
  view(
    "workbench",
    "Workbench",
    (app, [channel]) => html`<${Workbench} app=${app} channel=${channel} />`,
    false,
  ),
];

function view(name: string, title: string, make: View["make"], looks = true): View {
  return { name, title, looks, make };
}

/** The whole page. */
export function Shell({ app }: { app: App }): VNode {
  const connection = useStore(app.store, (state) => state.connection);
  const route = useRoute();
  const shown = VIEWS.find(({ name }) => name === route.view) ?? VIEWS[0];
  useTitle(app, shown.title);
  return html`
    <a class="skip" href="#main" onClick=${skip}>To the content</a>
    <${Bar} app=${app} connection=${connection} />
    ${connection.phase === "token"
      ? html`
        <main id="main" tabindex="-1">
          <${TokenPrompt} app=${app} problem=${connection.problem} />
        </main>
      `
      : html`
        <div class="body">
          <${Navigation} shown=${shown.name} />
          <main id="main" tabindex="-1">
            <${Shown} app=${app} view=${shown} route=${route} />
          </main>
        </div>
      `}
    <${Dialog} app=${app} />
    <${Notices} app=${app} />
  `;
}

function Shown({ app, view, route }: { app: App; view: View; route: Route }): VNode {
  const lookProblem = useStore(app.store, (state) => state.lookProblem);
  const hasToken = useStore(app.store, (state) => state.hasToken);
  if (view.looks && lookProblem !== undefined) {
    return html`
      <div class="empty">
        <h1 tabindex="-1">${view.title}</h1>
        <p>This session may not look at the server: ${lookProblem}</p>
        ${!hasToken && html`<p>Without a token, only programs on the server's own machine may.</p>`}
      <p>It needs a token with the grant <code>monitor</code>, or <code>admin</code> to change something, too. What your
              own permissions allow is under <a href="#/messages">Messages</a> and <a href="#/workbench">Workbench</a>.</p>
      </div>
    `;
  }
  return view.make(app, route.parts);
}

function Bar({ app, connection }: { app: App; connection: ConnectionState }): VNode {
  const state = useStore(app.store, ({ stats }) => stats?.state);
  const version = useStore(app.store, ({ stats }) => stats?.version);
  const hasToken = useStore(app.store, (state) => state.hasToken);
  const first = useRef(version); // that of the server which this page came from
  first.current ??= version;
  return html`
    <header class="bar">
      <a class="brand" href="#/">Parley</a>
      <span class="muted host">${location.host}${version !== undefined && ` · ${version}`}</span>
      ${state !== undefined && state !== "ready" && connection.phase === "connected" && html`
        <span class="tag bad">${state === "failing" ? "the store cannot be written" : state}</span>
      `}
      ${version !== first.current && html`
        <button type="button" class="small" title="The server is of another version than this page"
          onClick=${() => location.reload()}>Reload this page</button>
      `}
      <span class="state" role="status" aria-live="polite">${stateOf(connection)}</span>
      ${hasToken && connection.phase !== "token" && html`
        <button type="button" class="small" onClick=${() =>
          app.connection.forgetToken()}>Forget token</button>
      `}
    </header>
  `;
}

function stateOf(connection: ConnectionState): VNode {
  switch (connection.phase) {
    case "connecting":
      return html`<i class="dot wait" aria-hidden="true"></i>Connecting …`;
    case "token":
      return html`<i class="dot wait" aria-hidden="true"></i>Token needed`;
    case "connected":
      return html`<i class="dot good" aria-hidden="true"></i>Connected`;
    case "interrupted":
      return html`
        <i class="dot bad" aria-hidden="true"></i><span
          title=${connection.reason}>Not connected since ${formatTime(connection.since)}; trying again</span>
      `;
  }
}

function Navigation({ shown }: { shown: string }): VNode {
  const list = useRef<HTMLElement>(null);
  useEffect(() => {
    list.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [shown]);
  return html`
    <nav class="views" aria-label="Views" ref=${list}>
      ${VIEWS.map(({ name, title }) =>
        html`
          <a key=${name} href=${`#/${name}`} aria-current=${name === shown ? "page" : undefined}>${title}</a>
        `
      )}
    </nav>
  `;
}

/** The title tells tabs apart, and says when the connection is gone. */
function useTitle(app: App, title: string): void {
  const phase = useStore(app.store, (state) => state.connection.phase);
  useEffect(() => {
    document.title = `${phase === "interrupted" ? "(not connected) " : ""}${title} – Parley`;
  }, [title, phase]);
}

/** The part behind `#` says which view is shown, so a link to a place on the page cannot use it. */
function skip(event: Event): void {
  event.preventDefault();
  document.querySelector<HTMLElement>("#main")?.focus();
}
