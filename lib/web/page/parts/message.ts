/**
 * Messages: a line for each, which opens to show its content as text, JSON or annotated bytes. Whatever is in them is
 * shown as text and nothing else.
 *
 * @module
 */

import { useState } from "preact/hooks";
import { annotate, type ShownMessage } from "../annotate.ts";
import { countOf, formatBytes } from "../format.ts";
import { html, type VNode } from "../html.ts";
import { cut, visible, visibleLines } from "../text.ts";

/** How a content is shown. */
export type Form = "auto" | "text" | "json" | "bytes";

/** Characters of a line, and of a content that is opened. */
const LINE_CHARACTERS = 300;
const SHOWN_CHARACTERS = 100_000;

/** A message of a list. */
export interface ListedMessage extends ShownMessage {
  /** Tells it from the others of the list. */
  readonly key: number;
  /** Its sequence; 0 if its channel is not stored. */
  readonly sequence: number;
  /** When it came; undefined if that says nothing about when it was published. */
  readonly time?: Date;
}

const decoder = new TextDecoder();

/** The content as text. */
export function textOf({ payload }: Pick<ShownMessage, "payload">): string {
  return decoder.decode(payload);
}

/** Lets the user choose how contents are shown. */
export function FormChoice({ form, onChange }: { form: Form; onChange: (form: Form) => void }): VNode {
  return html`<label class="field"><span>Show as</span>
    <select value=${form} onChange=${(event: Event) =>
    onChange((event.currentTarget as HTMLSelectElement).value as Form)}>
      <option value="auto">as sent</option>
      <option value="text">text</option>
      <option value="json">JSON</option>
      <option value="bytes">annotated bytes</option>
    </select></label>`;
}

/** A list of messages. */
export function MessageList(
  { messages, form, hasChannel, label }: {
    messages: readonly ListedMessage[];
    form: Form;
    hasChannel: boolean;
    label: string;
  },
): VNode {
  return html`<ul class="messages" aria-label=${label}>
    ${
    messages.map((message) =>
      html`
        <${MessageLine} key=${message.key} message=${message} form=${form}
          hasChannel=${hasChannel} />
      `
    )
  }
  </ul>`;
}

function MessageLine(
  { message, form, hasChannel }: { message: ListedMessage; form: Form; hasChannel: boolean },
): VNode {
  const [isOpen, setOpen] = useState(false);
  const { channel, sequence, sender, payload, kind, headers, time } = message;
  return html`
    <li>
      <details onToggle=${(event: Event) => setOpen((event.currentTarget as HTMLDetailsElement).open)}>
          <summary>
            <span class="facts-of-message">
              ${sequence > 0 && html`
                <b class="sequence">${sequence}</b>
              `}
              ${hasChannel && html`
                <b>${channel}</b>
              `}
              ${time !== undefined && html`
                <time datetime=${time.toISOString()}>${time.toLocaleTimeString("en-GB")}</time>
              `}
              <span class="muted">${sender === 0
                ? "the server"
                : `session ${sender}`}, ${kind}, ${formatBytes(
                  payload.length,
                )}${Object.keys(headers).length > 0 &&
                `, ${countOf(Object.keys(headers).length, "header")}`}</span>
            </span>
            <span class="line-of-message">${lineOf(message)}</span>
          </summary>
          ${isOpen && html`<${Content} message=${message} form=${form} />`}
        </details>
    </li>
  `;
}

/** What a line shows of the content. */
function lineOf(message: ShownMessage): string {
  if (message.payload.length === 0) return "(empty)";
  if (message.kind === "bytes" && !isText(message.payload)) return bytesOf(message.payload.subarray(0, 24));
  return cut(visible(decoder.decode(message.payload.subarray(0, 4 * LINE_CHARACTERS))), LINE_CHARACTERS);
}

/** The headers and the content of one message. */
export function Content({ message, form }: { message: ShownMessage; form: Form }): VNode {
  const { headers, kind, payload } = message;
  const shown = form !== "auto"
    ? form
    : kind === "bytes" && !isText(payload)
    ? "bytes"
    : kind === "json"
    ? "json"
    : "text";
  if (shown === "bytes") return html`<${Bytes} message=${message} />`;
  return html`
    ${Object.keys(headers).length > 0 && html`<dl class="facts headers">
      ${
      Object.entries(headers).map(([name, value]) =>
        html`
          <div key=${name}>
            <dt>${visible(name)}</dt>
            <dd>${visible(value)}</dd>
          </div>
        `
      )
    }</dl>`}
    ${shown === "json" ? html`<${Json} message=${message} />` : html`<${Text} text=${textOf(message)} />`}
  `;
}

function Text({ text }: { text: string }): VNode {
  return html`<pre class="content" tabindex="0">${visibleLines(cut(text, SHOWN_CHARACTERS))}</pre>`;
}

function Json({ message }: { message: ShownMessage }): VNode {
  const text = textOf(message);
  try {
    return html`<${Text} text=${JSON.stringify(JSON.parse(text), undefined, 2)} />`;
  } catch (error) {
    return html`
      <p class="muted">Not JSON: ${visible((error as Error).message)}</p>
      <${Text} text=${text} />
    `;
  }
}

function Bytes({ message }: { message: ShownMessage }): VNode {
  return html`
    <div class="content bytes" tabindex="0">
      <table>
        <thead>
          <tr>
            <th scope="col">At</th>
            <th scope="col">Bytes</th>
            <th scope="col">Field</th>
            <th scope="col">Meaning</th>
          </tr>
        </thead>
        <tbody>${annotate(message).map(({ at, bytes, field, meaning }) =>
          html`
            <tr key=${at}>
              <td>${at}</td>
              <td><code>${bytes}</code></td>
              <td>${field}</td>
              <td>${meaning}</td>
            </tr>
          `
        )}
        </tbody>
      </table>
    </div>
  `;
}

/** Whether bytes are text: UTF-8, of which the last character may be cut, without controls that text does not have. */
function isText(payload: Uint8Array): boolean {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(payload.subarray(0, 1024), {
      stream: true,
    });
    return !/[^\P{Cc}\t\n\v\f\r]/u.test(text);
  } catch {
    return false;
  }
}

function bytesOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
