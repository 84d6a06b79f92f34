/**
 * Why a message on a channel may not arrive, in plain sentences.
 *
 * @module
 */

import { HEADER_BYTES } from "../limits.ts";
import { isServerOwn } from "../wire/names.ts";
import { namedBy } from "../broker/stored/key.ts";
import type { StoredChannel } from "../broker/stored/stored_channel.ts";
import { knownChannels } from "./channel_list.ts";
import { type Diagnosed, namesOf, sessionName } from "./receiver.ts";
import { walk } from "./selection.ts";
import { type MonitoredServer, stateOf } from "./server.ts";
import { type Established, isEstablished } from "./session_list.ts";
import { isSimilar } from "./similar.ts";
import { take } from "./stored_entry.ts";
import { isFull, waitedFor } from "./waits.ts";

/** Sentences about single sessions, consumers or names. */
const MOST = 5;

/** Says what may keep a message on the channel from arriving, most important first. */
export async function findings(
  server: MonitoredServer,
  diagnosed: Diagnosed,
  responders: number,
): Promise<string[]> {
  const { name, stored } = diagnosed;
  if (isServerOwn(name)) {
    return [
      `${name} begins with $, so it is the server's own: sessions do not publish there, and no pattern covers it.`,
    ];
  }
  return [
    ...server.isDraining ? ["The server is shutting down: it takes nothing more."] : [],
    ...stored === undefined ? [] : storeFindings(server, stored),
    ...await audience(server, diagnosed, responders),
    ...slowReceivers(diagnosed),
    ...await heldPublishers(server, diagnosed),
    ...stored === undefined ? [] : consumerFindings(stored),
    ...ownMessages(diagnosed),
  ];
}

/** What the store does to messages of the channel. */
function storeFindings(server: MonitoredServer, channel: StoredChannel): string[] {
  const found: string[] = [];
  const { name } = channel;
  if (channel.isDurable && stateOf(server) === "failing") {
    found.push(
      `The store fails: the last commit was refused, so messages on ${name} are refused as not_stored, and not delivered. The log says why.`,
    );
  }
  const refusal = server.stored!.refusal(channel, HEADER_BYTES, 1);
  if (refusal !== undefined) {
    found.push(`New messages on ${name} are refused as not_stored: ${refusal}.`);
  }
  return found;
}

/** Whether anybody receives messages at all. */
async function audience(
  server: MonitoredServer,
  { name, channel, storage, receivers, passedOver }: Diagnosed,
  responders: number,
): Promise<string[]> {
  const found: string[] = [];
  const isMatched = receivers.count > 0 ||
    passedOver.items.some(({ group, consumer }) => (group ?? consumer) !== undefined);
  if (!isMatched) {
    const kept = storage === undefined ? "received by nobody" : "stored, and received by nobody now";
    found.push(`No session is subscribed to ${name}, by name or by a pattern: messages there are ${kept}.`);
    if (responders === 0) {
      found.push(`No session responds on ${name}: requests there are refused as no_responders.`);
    }
    const similar = await similarNames(server, name);
    if (similar.length > 0) {
      found.push(
        `There ${similar.length === 1 ? "is a channel" : "are channels"} of almost the same name: ${
          similar.join(", ")
        }.`,
      );
    }
  }
  const unheard = (channel?.counts ?? idleCounts(server, name))?.unheard ?? 0;
  if (unheard > 0 && storage === undefined) {
    found.push(
      `${messages(unheard)} on ${name} had no subscriber, and went nowhere.`,
    );
  }
  return found;
}

function idleCounts({ router }: MonitoredServer, name: string) {
  return router.channels.findIdle(name)?.counts;
}

async function similarNames(server: MonitoredServer, name: string): Promise<string[]> {
  const similar: string[] = [];
  await walk(knownChannels(server), (known) => {
    if (similar.length < MOST && isSimilar(known.name, name)) similar.push(known.name);
  });
  return similar;
}

/** Receivers that others have to wait for. */
function slowReceivers({ name, route, stored }: Diagnosed): string[] {
  const full = route.all.map(({ peer }) => peer).filter(isFull);
  const found: string[] = [];
  if (full.length > 0) {
    found.push(
      stored === undefined
        ? `${capital(namesOf(full))} ${
          full.length === 1 ? "has" : "have"
        } no room: whoever publishes on ${name} waits until they have read, or are closed as slow_consumer.`
        : `${capital(namesOf(full))} ${
          full.length === 1 ? "has" : "have"
        } no room, and will read ${name} from the store later.`,
    );
  }
  for (const rotation of route.groups) {
    if (rotation.hasRoom(undefined, 1)) continue;
    found.push(`No member of group ${rotation.name} has room: its messages wait.`);
  }
  for (const { peer, behind } of take(stored?.behind() ?? [], MOST)) {
    found.push(
      `${capital(sessionName(peer))} is ${messages(behind)} behind on ${name}: it receives those first.`,
    );
  }
  return found;
}

/** Sessions whose messages on this channel wait. */
async function heldPublishers(server: MonitoredServer, { name, channel }: Diagnosed): Promise<string[]> {
  if (channel === undefined) return [];
  const held: Established[] = [];
  await walk(server.sessions, (session) => {
    if (held.length < MOST && isEstablished(session) && session.active.heldOn === channel) held.push(session);
  });
  return held.map(({ active }) => {
    const waits = waitedFor(channel);
    const whom = waits[0] === 0
      ? "the store"
      : waits.map((number) => `session ${number}`).slice(0, MOST).join(", ");
    const seconds = (active.heldMs / 1000).toFixed(1);
    return `${capital(sessionName(active))} has waited ${seconds} s to publish on ${name}${
      whom && `, for ${whom}`
    }.`;
  });
}

/** Consumers that would not be given a message. */
function consumerFindings(channel: StoredChannel): string[] {
  const found: string[] = [];
  for (const { key, stats, lag } of channel.consumers.values()) {
    if (found.length >= MOST) break;
    const { name } = namedBy(key);
    if (stats.isPaused) found.push(`Consumer ${name} is paused by an operator; ${waits(lag)}.`);
    else if (stats.sessions === 0) {
      found.push(`No session is consumer ${name} now; ${waits(lag)}.`);
    }
    if (stats.setAside > 0) {
      found.push(
        `${
          messages(stats.setAside)
        } of consumer ${name} set aside: not delivered until an operator gives them back.`,
      );
    }
    if (stats.lost > 0) {
      found.push(
        `Consumer ${name} has lost ${messages(stats.lost)}: removed before it was acknowledged.`,
      );
    }
  }
  return found;
}

/** Subscribers that do not receive what they publish themselves. */
function ownMessages({ name, route }: Diagnosed): string[] {
  const silent = route.all.filter(({ echo, peer }) => !echo && !peer.isEnded).map(({ peer }) => peer);
  if (silent.length === 0) return [];
  const verb = silent.length === 1 ? "does" : "do";
  return [
    `${
      capital(namesOf(silent))
    } ${verb} not receive what they publish on ${name} themselves: "echo" is false.`,
  ];
}

function messages(count: number): string {
  return count === 1 ? "1 message" : `${count} messages`;
}

function waits(count: number): string {
  return count === 1 ? "1 message waits for it" : `${count} messages wait for it`;
}

function capital(text: string): string {
  return text[0].toUpperCase() + text.slice(1);
}
