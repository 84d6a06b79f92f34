/**
 * What comes up: the question before something is done, and notices of what was done.
 *
 * @module
 */

import { useEffect, useRef } from "preact/hooks";
import type { App } from "../app.ts";
import { html, type VNode } from "../html.ts";
import { useStore } from "../store.ts";

/** The question that waits for an answer. Escape is no. */
export function Dialog({ app }: { app: App }): VNode | null {
  const question = useStore(app.store, (state) => state.question);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (question !== undefined && !dialog.current!.open) dialog.current!.showModal();
  }, [question]);
  if (question === undefined) return null;
  const answer = (isYes: boolean) => {
    dialog.current?.close(); // gives the focus back to what had it
    question.answer(isYes);
  };
  return html`
    <dialog ref=${dialog} aria-labelledby="question" aria-describedby="question-text"
      onCancel=${() => answer(false)}>
      <h2 id="question">${question.title}</h2>
      <p id="question-text">${question.text}</p>
      <div class="buttons">
        <button type="button" onClick=${() => answer(false)}>Cancel</button>
        <button type="button" class="danger solid" onClick=${() => answer(true)}>${question
          .button}</button>
      </div>
    </dialog>
  `;
}

/** What was done, or why not. They are read out. */
export function Notices({ app }: { app: App }): VNode {
  const notices = useStore(app.store, (state) => state.notices);
  return html`
    <div class="notices" role="status" aria-live="polite">
      ${notices.map(({ id, text, isProblem }) =>
        html`
          <p key=${id} class=${isProblem ? "notice bad" : "notice"}>${text}
            <button type="button" class="small" aria-label="Close this notice" onClick=${() =>
              app.dismiss(id)}>Close</button>
          </p>
        `
      )}
    </div>
  `;
}
