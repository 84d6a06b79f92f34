/**
 * Small parts that several views use.
 *
 * @module
 */

import { useRef, useState } from "preact/hooks";
import type { App } from "../app.ts";
import { formatCount, formatDuration } from "../format.ts";
import { type ComponentChild, html, type VNode } from "../html.ts";
import { useStore } from "../store.ts";
import { visible } from "../text.ts";

/** The head of a view: its title, what it is for, and what it is searched by. */
export function Head(
  { title, about, children }: { title: string; about?: string; children?: ComponentChild },
): VNode {
  return html`
    <header class="head">
      <div>
        <h1 tabindex="-1">${title}</h1>
        ${about !== undefined && html`<p class="muted">${about}</p>`}
      </div>
      ${children !== undefined && html`<div class="tools">${children}</div>`}
    </header>
  `;
}

/** A section with a heading. */
export function Section(
  { title, about, children }: { title: string; about?: string; children: ComponentChild },
): VNode {
  return html`
    <section class="section">
      <h2>${title}</h2>
      ${about !== undefined && html`<p class="muted">${about}</p>`}
      ${children}
    </section>
  `;
}

/** A name and its value. */
export type Fact = readonly [string, ComponentChild];

/** Names and values. */
export function Facts({ facts }: { facts: readonly Fact[] }): VNode {
  return html`<dl class="facts">
    ${
    facts.map(([name, value]) =>
      html`
        <div key=${name}>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>
      `
    )
  }</dl>`;
}

/** A problem in place of what could not be had. */
export function Problem({ text }: { text: string | undefined }): VNode | null {
  if (text === undefined) return null;
  return html`<p class="problem" role="alert">${text}</p>`;
}

/** What stands in the place of a reply: why there is none, or that it is on its way. */
export function Pending(
  { app, problem, reply }: { app: App; problem: string | undefined; reply: unknown },
): VNode | null {
  const isConnected = useStore(app.store, (state) => state.connection.phase === "connected");
  if (problem !== undefined && isConnected) return html`<${Problem} text=${problem} />`;
  if (reply !== undefined) return null;
  return html`<p class="muted">${
    isConnected ? "Asking the server …" : "Not connected. This is shown as soon as there is a connection."
  }</p>`;
}

/** A field with its label above. */
export function Field(
  { label, children, isWide }: { label: string; children: ComponentChild; isWide?: boolean },
): VNode {
  return html`<label class=${isWide ? "field wide" : "field"}><span>${label}</span>${children}</label>`;
}

/** A search field. */
export function Search(
  { label, value, onChange, placeholder }: {
    label: string;
    value: string;
    onChange: (value: string) => void;
    placeholder?: string;
  },
): VNode {
  return html`<${Field} label=${label}>
    <input type="search" value=${value} placeholder=${placeholder} autocomplete="off" spellcheck=${false}
      onInput=${(event: InputEvent) => onChange((event.currentTarget as HTMLInputElement).value)} /><//>`;
}

/** Since when something is, as how long ago: `9 min 12 s`, but `10 min`. */
export function Since({ time }: { time: string }): VNode {
  const text = formatDuration((Date.now() - Date.parse(time)) / 1000);
  const [count, unit] = text.split(" ");
  return html`<time datetime=${time} title=${new Date(time).toLocaleString("en-GB")}>${
    Number(count) < 10 ? text : `${count} ${unit}`
  }</time>`;
}

/** A short word that stands out; its meaning never hangs on its colour alone. */
export function Tag(
  { kind, children, title }: { kind?: "warn" | "bad"; children: ComponentChild; title?: string },
): VNode {
  return html`<span class=${kind === undefined ? "tag" : `tag ${kind}`} title=${title}>${children}</span>`;
}

/** A session, with the way to it. */
export function SessionName({ name, session }: { name: string; session: number }): VNode {
  return html`<span>${
    visible(name)
  }</span> <a href=${`#/sessions/${session}`} title="Show this session">${session}</a>`;
}

/** A command, with a button that copies it. */
export function Command({ text }: { text: string }): VNode {
  const [state, setState] = useState("Copy");
  const code = useRef<HTMLElement>(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setState("Copied");
    } catch { // only pages over HTTPS or from this machine may use the clipboard
      const range = document.createRange();
      range.selectNodeContents(code.current!);
      getSelection()?.removeAllRanges();
      getSelection()?.addRange(range);
      setState("Selected");
    }
    setTimeout(() => setState("Copy"), 2_000);
  };
  return html`<p class="command"><code ref=${code}>${text}</code>
    <button type="button" class="small" onClick=${copy} aria-label=${`${state}: ${text}`}>${state}</button></p>`;
}

/** A button that changes something at the server. It is off, and says why, if the session only has the right to look. */
export function ChangeButton(
  { app, label, onPress, isDangerous, about }: {
    app: App;
    label: string;
    onPress: () => void;
    isDangerous?: boolean;
    /** What the button is about, for those who do not see the row it is in. */
    about?: string;
  },
): VNode | null {
  const mayChange = useStore(app.store, (state) => state.mayChange);
  const isConnected = useStore(app.store, (state) => state.connection.phase === "connected");
  const reason = mayChange === false ? "This needs a token with the grant admin" : undefined;
  return html`
    <button type="button" class=${isDangerous ? "small danger" : "small"}
      disabled=${mayChange !== true || !isConnected} title=${reason} aria-label=${about === undefined
        ? undefined
        : `${label}: ${about}`} onClick=${onPress}>${label}</button>
  `;
}

/** Says once why buttons are off. */
export function OnlyLooks({ app }: { app: App }): VNode | null {
  const mayChange = useStore(app.store, (state) => state.mayChange);
  if (mayChange !== false) return null;
  return html`<p class="muted">This session may only look: to change something, it needs a token with the grant
    <code>admin</code>.</p>`;
}

/** How many rows a page has. */
export const PAGE_ROWS = 100;

/** The most that a list of the server holds. */
export const MOST_ROWS = 1_000;

/** Leads from page to page of a list. */
export function Pager(
  { page, count, of, onPage }: { page: number; count: number; of: string; onPage: (page: number) => void },
): VNode {
  const from = Math.min(count, page * PAGE_ROWS + 1);
  const to = Math.min(count, (page + 1) * PAGE_ROWS);
  const reachable = Math.min(count, MOST_ROWS);
  return html`
    <nav class="pager" aria-label=${`Pages of ${of}`}>
      <span>${count === 0
        ? `No ${of}`
        : `${formatCount(from)}–${formatCount(to)} of ${formatCount(count)} ${of}`}</span>
      ${count > PAGE_ROWS && html`
        <button type="button" class="small" disabled=${page === 0} onClick=${() =>
          onPage(page - 1)}>Previous</button>
        <button type="button" class="small" disabled=${to >= reachable} onClick=${() =>
          onPage(page + 1)}>Next</button>
      `}
      ${count > MOST_ROWS && to >= reachable && html`<span class="muted">Search to see others.</span>`}
    </nav>
  `;
}
