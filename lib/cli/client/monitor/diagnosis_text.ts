/**
 * What `parley why` prints: the server's diagnosis in lines that people read from the top.
 *
 * @module
 */

import type {
  ChannelDiagnosis,
  ConsumerEntry,
  Receiver,
  SessionEntry,
  SlowDiagnosis,
} from "../../../wire/stats.ts";
import { type Paint, visible } from "../../terminal.ts";
import { countOf, formatBytes, formatCount } from "./figures.ts";

/** How many lines of a list are printed. `--json` has all that the server tells. */
const LINES = 20;

/** Where a message on a channel would go. */
export function describeChannel(diagnosis: ChannelDiagnosis, paint: Paint): string[] {
  const { receivers, receiverCount, passedOver, responders, consumers, findings } = diagnosis;
  return [
    paint("bold", titleOf(diagnosis)),
    ...findings.map((finding) => `- ${visible(finding)}`),
    ...list("the next message goes to", receivers.map(describeReceiver), receiverCount, paint),
    ...list(
      "it does not go to",
      passedOver.map((receiver) => `${describeReceiver(receiver)}: ${visible(receiver.reason)}`),
      passedOver.length,
      paint,
    ),
    ...list("requests go to, in turn", responders.map(describeReceiver), responders.length, paint),
    ...list("consumers", consumers.map(describeConsumer), consumers.length, paint),
  ];
}

function titleOf({ channel, isKnown, storage, receiverCount, responders }: ChannelDiagnosis): string {
  const name = visible(channel);
  if (!isKnown) return `${name}: no session has it open, and it is not stored`;
  const kind = storage === undefined ? "not stored" : storage === "durable" ? "durable" : "with history";
  const receive = `${countOf(receiverCount, "session")} would receive the next message`;
  return `${name}: ${kind}; ${receive}; ${countOf(responders.length, "responder")}`;
}

function describeReceiver({ session, name, by, group, consumer, pendingBytes }: Receiver): string {
  const parts = [
    `session ${session} ${visible(name)}`,
    `by ${visible(by)}`,
    ...(group === undefined ? [] : [`group ${visible(group)}`]),
    ...(consumer === undefined ? [] : [`consumer ${visible(consumer)}`]),
    ...(pendingBytes === 0 ? [] : [`${formatBytes(pendingBytes)} waiting for it`]),
  ];
  return parts.join(", ");
}

/** A consumer, and what there is to say about it. */
export function describeConsumer(entry: ConsumerEntry): string {
  const { consumer, subject, position, lag, members, isPaused, setAside } = entry;
  const parts = [
    `${visible(consumer)}${subject === undefined ? "" : ` of ${visible(subject)}`}`,
    `lag ${formatCount(lag)}`,
    `position ${position}`,
    countOf(members, "member"),
    ...(setAside === 0 ? [] : [`${countOf(setAside, "message")} set aside`]),
    ...(isPaused ? ["paused"] : []),
  ];
  return parts.join(", ");
}

/** Which sessions hold others back, and which channels nobody hears. */
export function describeSlow({ slowest, waiting, unheard }: SlowDiagnosis, paint: Paint): string[] {
  const behind = slowest.filter(({ pendingBytes, isSlow }) => pendingBytes > 0 || isSlow);
  const names = new Map(slowest.map(({ session, name }) => [session, name]));
  const title = waiting.length === 0
    ? "no publisher waits for another session or the store"
    : `${countOf(waiting.length, "publisher")} ${waiting.length === 1 ? "waits" : "wait"}`;
  return [
    paint("bold", title),
    ...list(
      "publishers that wait",
      waiting.map(({ session, name, seconds, for: others }) => {
        const reasons = others.map((other) => describeReason(other, names)).join(", ");
        return `session ${session} ${visible(name)}, for ${seconds.toFixed(1)} s now: ${reasons}`;
      }),
      waiting.length,
      paint,
    ),
    ...list("sessions that bytes wait for", behind.map(describeSlowSession), behind.length, paint),
    ...list(
      "channels without a subscriber",
      unheard.map(({ channel, messages }) => `${visible(channel)}, ${countOf(messages, "message")}`),
      unheard.length,
      paint,
    ),
  ];
}

/** What a publisher waits for: a session, or the store under the number 0. */
function describeReason(session: number, names: ReadonlyMap<number, string>): string {
  if (session === 0) return "the store";
  return `session ${session} ${visible(names.get(session) ?? "")}`.trimEnd();
}

function describeSlowSession({ session, name, pendingBytes, isSlow, address }: SessionEntry): string {
  const slow = isSlow ? ", has no more room" : "";
  return `session ${session} ${visible(name)} at ${visible(address)}, ${formatBytes(pendingBytes)}${slow}`;
}

function list(title: string, lines: readonly string[], count: number, paint: Paint): string[] {
  if (lines.length === 0) return [];
  const shown = lines.slice(0, LINES).map((line) => `  ${line}`);
  const more = Math.max(count, lines.length) - shown.length;
  return [paint("dim", title), ...shown, ...(more > 0 ? [`  and ${formatCount(more)} more`] : [])];
}
