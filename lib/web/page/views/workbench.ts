/**
 * A workbench: subscribe and see what comes, publish, ask.
 *
 * @module
 */

import { useEffect, useState } from "preact/hooks";
import type { App } from "../app.ts";
import { problemOf } from "../connection.ts";
import { formatMs } from "../format.ts";
import { html, type VNode } from "../html.ts";
import { type Draft, EMPTY_DRAFT, payloadOf } from "../draft.ts";
import { Content, type Form, FormChoice } from "../parts/message.ts";
import type { ShownMessage } from "../annotate.ts";
import { Field, Head, Problem, Section } from "../parts/parts.ts";
import { Listen } from "./listen.ts";

/** The view; `channel` is where its fields begin. */
export function Workbench({ app, channel = "" }: { app: App; channel?: string }): VNode {
  return html`
    <${Head} title="Workbench" about="What you do here, you do with the permissions of this session." />
    <div class="bench">
      <${Section} title="Subscribe">
        <${Listen} app=${app} channel=${channel} />
        <//>
        <div>
          <${Section} title="Publish">
            <${Publish} app=${app} channel=${channel} />
            <//>
            <${Section} title="Ask">
              <${Ask} app=${app} channel=${channel} />
              <//>
              </div>
              </div>
  `;
}

function Publish({ app, channel }: { app: App; channel: string }): VNode {
  const [draft, setDraft] = useDraft(channel);
  const [problem, setProblem] = useState<string | undefined>();
  const [status, setStatus] = useState("");
  const publish = async (event: Event) => {
    event.preventDefault();
    setProblem(undefined);
    setStatus("");
    try {
      const { payload, options } = payloadOf(draft);
      const { client } = app.connection;
      await client.publish(draft.channel.trim(), payload, options);
      await client.flush();
      setStatus(`Published at ${new Date().toLocaleTimeString("en-GB")}.`);
    } catch (error) {
      setProblem(problemOf(error));
    }
  };
  return html`
    <form class="stack" onSubmit=${publish}>
      <${DraftFields} draft=${draft} onChange=${setDraft} example="chat.lobby" />
      <div
        class="buttons"><button type="submit" class="solid">Publish</button> <span class="muted" role="status">${status}</span></div>
      <${Problem} text=${problem} />
    </form>
  `;
}

function Ask({ app, channel }: { app: App; channel: string }): VNode {
  const [draft, setDraft] = useDraft(channel);
  const [problem, setProblem] = useState<string | undefined>();
  const [status, setStatus] = useState("");
  const [form, setForm] = useState<Form>("auto");
  const [reply, setReply] = useState<ShownMessage | undefined>();
  const ask = async (event: Event) => {
    event.preventDefault();
    setProblem(undefined);
    setReply(undefined);
    setStatus("Waiting for the reply …");
    const start = performance.now();
    try {
      const { payload, options } = payloadOf(draft);
      const message = await app.connection.client.request(draft.channel.trim(), payload, options);
      setStatus(
        `Answered by ${message.sender === 0 ? "the server" : `session ${message.sender}`} in ${
          formatMs(performance.now() - start)
        }.`,
      );
      setReply(message);
    } catch (error) {
      setStatus("");
      setProblem(problemOf(error));
    }
  };
  return html`<form class="stack" onSubmit=${ask}>
    <${DraftFields} draft=${draft} onChange=${setDraft} example="$echo" />
    <div class="buttons"><button type="submit" class="solid">Ask</button> <span class="muted" role="status">${status}</span></div>
    <${Problem} text=${problem} />
    ${
    reply !== undefined && html`
      <div class="reply">
        <${FormChoice} form=${form} onChange=${setForm} />
        <${Content} message=${reply} form=${form} />
      </div>
    `
  }
  </form>`;
}

function useDraft(channel: string): [Draft, (draft: Draft) => void] {
  const [draft, setDraft] = useState<Draft>({ ...EMPTY_DRAFT, channel });
  useEffect(() => {
    if (channel !== "") setDraft((last) => ({ ...last, channel }));
  }, [channel]);
  return [draft, setDraft];
}

function DraftFields(
  { draft, onChange, example }: { draft: Draft; onChange: (draft: Draft) => void; example: string },
): VNode {
  const set = (key: keyof Draft) => (event: Event) =>
    onChange({ ...draft, [key]: (event.currentTarget as HTMLInputElement).value });
  return html`
    <div class="row">
      <${Field} label="Channel"
        isWide><input required value=${draft.channel} placeholder=${example} autocomplete="off"
        spellcheck=${false} onInput=${set("channel")} /><//>
      <${Field} label="Content is"><select value=${draft.kind} onChange=${set("kind")}>
        <option value="text">text</option><option value="json">JSON</option><option value="bytes">bytes, in hexadecimal</option>
      </select><//>
    </div>
    <${Field} label="Content"><textarea rows="3" spellcheck=${false} value=${draft.content} onInput=${set(
      "content",
    )}></textarea><//>
    <details><summary>Message headers</summary>
      <${Field} label="One a line, name: value"><textarea rows="2" spellcheck=${false} placeholder="lang: en"
        value=${draft.headers} onInput=${set("headers")}></textarea><//>
    </details>
  `;
}
