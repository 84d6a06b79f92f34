/**
 * Asks for a token. It is kept in memory, and in the tab's storage only if the user says so; it is never in an address.
 *
 * @module
 */

import { useEffect, useRef, useState } from "preact/hooks";
import type { App } from "./app.ts";
import { html, type VNode } from "./html.ts";
import { Command } from "./parts/parts.ts";

/** The form. */
export function TokenPrompt({ app, problem }: { app: App; problem: string | undefined }): VNode {
  const [token, setToken] = useState("");
  const [isKept, setKept] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), [problem]);
  const use = (event: Event) => {
    event.preventDefault();
    app.connection.useToken(token.trim(), isKept);
  };
  return html`
    <form class="prompt" onSubmit=${use}>
      <h1>This server asks for a token</h1>
      ${problem !== undefined && html`<p class="problem" role="alert" id="token-problem">${problem}</p>`}
      <label class="field"><span>Token</span>
        <input ref=${input} type="password" required autocomplete="off" spellcheck=${false} value=${token}
          aria-describedby=${problem === undefined
            ? undefined
            : "token-problem"} aria-invalid=${problem !== undefined}
          onInput=${(event: Event) => setToken((event.currentTarget as HTMLInputElement).value)} /></label>
      <label class="check"><input type="checkbox" checked=${isKept}
        onChange=${(event: Event) => setKept((event.currentTarget as HTMLInputElement).checked)} />
        Keep it until this tab is closed</label>
      <button type="submit" class="solid">Connect</button>
      <p class="muted">To look, a token needs the grant <code>monitor</code>; to change something, <code>admin</code>. Where
        the server runs, issue one:</p>
      <${Command} text="parley-server token issue --name dashboard --monitor --expires 30d" />
    </form>
  `;
}
