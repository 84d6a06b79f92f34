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

/** What is shown of what has come. */
interface Shown {
  /** The newest first. */
  readonly messages: readonly ListedMessage[];
  readonly count: number;
}

const NOTHING: Shown = { messages: [], count: 0 };

/** What has come by one subscription. Adding a message costs little: many may come between two drawings. */
class Received {
  #recent: { readonly message: Message; readonly key: number; readonly time: number }[] = [];
  #count = 0;

  add(message: Message): void {
    this.#recent.push({ message, key: this.#count++, time: Date.now() });
    if (this.#recent.length >= 2 * KEPT) this.#recent = this.#recent.slice(-KEPT);
  }

  clear(): void {
    this.#recent = [];
    this.#count = 0;
  }

  show(last: Shown): Shown {
    if (last.count === this.#count) return last; // so that nothing is drawn
    const known = new Map(last.messages.map((each) => [each.key, each]));
    const messages = this.#recent.slice(-KEPT).reverse()
      .map(({ message, key, time }) => known.get(key) ?? listed(message, key, time));
    return { messages, count: this.#count };
  }
}

function listed(message: Message, key: number, time: number): ListedMessage {
  const { channel, channelId, sender, kind, headers, payload, sequence } = message;
  return { key, channel, channelId, sender, kind, headers, payload, sequence, time: new Date(time) };
}

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
    const timer = setInterval(
      () => setShown((last) => current.current?.received.show(last) ?? last),
      DRAW_MS,
    );
    return () => clearInterval(timer);
  }, [isHeld, subscribed]);

  const stop = async () => {
    const ended = current.current;
    if (ended === undefined) return;
    current.current = undefined;
    setSubscribed(undefined);
    setShown((last) => ended.received.show(last));
    await ended.subscription.end().catch(() => {});
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
      const { received } = current.current = { subscription, received: new Received() };
      setSubscribed(name);
      for await (const message of subscription) received.add(message);
    } catch (error) {
      setProblem(problemOf(error));
      setSubscribed(undefined);
    }
  };
  const clear = () => {
    current.current?.received.clear();
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
