/**
 * Subscribes to a channel or pattern, and shows the last messages.
 *
 * @module
 */

import { useEffect, useRef, useState } from "preact/hooks";
import type { Subscription } from "../../../client/api.ts";
import type { Message } from "../../../client/message_types.ts";
import type { App } from "../app.ts";
import { problemOf } from "../connection.ts";
import { countOf, formatCount } from "../format.ts";
import { html, type VNode } from "../html.ts";
import { type Form, FormChoice, type ListedMessage, MessageList } from "../parts/message.ts";
import { Field, Problem } from "../parts/parts.ts";

/** Messages that are kept, and how often they are drawn, in milliseconds: a burst must not stop the page. */
const KEPT = 200;
const DRAW_MS = 250;

/** What has come by one subscription. */
interface Received {
  readonly messages: readonly ListedMessage[];
  readonly count: number;
}

const NOTHING: Received = { messages: [], count: 0 };

/** The part of the workbench that subscribes. */
export function Listen({ app, channel }: { app: App; channel: string }): VNode {
  const [pattern, setPattern] = useState(channel);
  const [from, setFrom] = useState("new");
  const [form, setForm] = useState<Form>("auto");
  const [isHeld, setHeld] = useState(false);
  const [shown, setShown] = useState(NOTHING);
  const [subscribed, setSubscribed] = useState<string | undefined>();
  const [problem, setProblem] = useState<string | undefined>();
  const current = useRef<{ subscription: Subscription; received: Received } | undefined>(undefined);
  useEffect(() => {
    if (channel !== "") setPattern(channel);
  }, [channel]);
  useEffect(() => () => void current.current?.subscription.end().catch(() => {}), []);
  useEffect(() => {
    if (isHeld || subscribed === undefined) return;
    const timer = setInterval(() => current.current && setShown(current.current.received), DRAW_MS);
    return () => clearInterval(timer);
  }, [isHeld, subscribed]);

  const stop = async () => {
    const last = current.current;
    current.current = undefined;
    setSubscribed(undefined);
    await last?.subscription.end().catch(() => {});
  };
  const start = async (event: Event) => {
    event.preventDefault();
    await stop();
    setProblem(undefined);
    setHeld(false);
    setShown(NOTHING);
    try {
      const name = pattern.trim();
      const options = from === "new" ? {} : { from: from as "all" | "last" };
      const subscription = await app.connection.client.subscribe(name, options);
      const own = current.current = { subscription, received: NOTHING };
      setSubscribed(name);
      for await (const message of subscription) own.received = withMessage(own.received, message);
    } catch (error) {
      setProblem(problemOf(error));
      setSubscribed(undefined);
    }
  };
  const clear = () => {
    if (current.current !== undefined) current.current.received = NOTHING;
    setShown(NOTHING);
  };
  return html`
    <form class="stack" onSubmit=${start}>
      <div class="row">
        <${Field} label="Channel or pattern"
          isWide><input required value=${pattern} placeholder="chat.>" autocomplete="off"
          spellcheck=${false} onInput=${(event: Event) =>
            setPattern((event.currentTarget as HTMLInputElement).value)} /><//>
        <${Field} label="Begin with"><select value=${from}
          onChange=${(event: Event) => setFrom((event.currentTarget as HTMLSelectElement).value)}>
          <option value="new">what is new</option><option value="last">the last stored</option><option value="all">all stored</option>
        </select><//>
        <${FormChoice} form=${form} onChange=${setForm} />
      </div>
      <div class="buttons">
        <button type="submit" class="solid">Subscribe</button>
        <button type="button" disabled=${subscribed === undefined} onClick=${stop}>End</button>
        <button type="button" aria-pressed=${isHeld} disabled=${subscribed === undefined} onClick=${() =>
          setHeld(!isHeld)}>Hold the list</button>
        <button type="button" disabled=${shown.count === 0} onClick=${clear}>Clear</button>
      </div>
      <${Problem} text=${problem} />
      <p class="muted"><span role="status">${subscribed === undefined
        ? "Not subscribed."
        : `Subscribed to ${subscribed}.`}</span>
        ${" "}${shown.count > 0
          ? `${countOf(shown.count, "message")} so far${
            shown.count > KEPT ? `; the last ${formatCount(KEPT)} are shown` : ""
          }.`
          : subscribed !== undefined && "Nothing has come yet."}</p>
    </form>
    <${MessageList} messages=${shown
      .messages} form=${form} hasChannel label="Messages received, newest first" />
  `;
}

/** The newest first. What is kept is made anew only here, so that a list that is drawn does not change under it. */
function withMessage({ messages, count }: Received, message: Message): Received {
  const { channel, channelId, sender, kind, headers, payload, sequence } = message;
  const listed = {
    key: count,
    channel,
    channelId,
    sender,
    kind,
    headers,
    payload,
    sequence,
    time: new Date(),
  };
  return { messages: [listed, ...messages.slice(0, KEPT - 1)], count: count + 1 };
}
