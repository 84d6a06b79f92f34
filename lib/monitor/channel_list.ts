/**
 * Channels, as they are shown.
 *
 * @module
 */

import type { Channel } from "../broker/channel.ts";
import type { ChannelCounts } from "../broker/counters.ts";
import type { StoredChannel } from "../broker/stored/stored_channel.ts";
import { isServerOwn } from "../wire/names.ts";
import type { ChannelEntry } from "../wire/stats.ts";
import type { ListAsk } from "./asks.ts";
import { type JsonList, jsonList } from "./json_list.ts";
import { Largest, walk } from "./selection.ts";
import type { MonitoredServer } from "./server.ts";
import { largestLag, storedEntry } from "./stored_entry.ts";

/** A channel that a session has open, or that is stored. */
export interface KnownChannel {
  readonly name: string;
  readonly counts: ChannelCounts;
  readonly channel: Channel | undefined;
  readonly stored: StoredChannel | undefined;
}

/**
 * What channels can be sorted by. Making the routes of all channels would cost too much, so `subscribers` and `responders`
 * are those by name here.
 */
export const CHANNEL_KEYS: Readonly<Record<string, (channel: KnownChannel) => number>> = {
  rate: ({ counts }) => counts.rate,
  subscribers: ({ channel }) => channel?.memberCount ?? 0,
  responders: ({ channel }) => channel?.responderCount ?? 0,
  messagesIn: ({ counts }) => counts.messagesIn,
  messagesOut: ({ counts }) => counts.messagesOut,
  bytesIn: ({ counts }) => counts.bytesIn,
  unheard: ({ counts }) => counts.unheard,
  messages: ({ stored }) => stored?.messages ?? -1,
  bytes: ({ stored }) => stored?.bytes ?? -1,
  lag: ({ stored }) => stored === undefined ? -1 : largestLag(stored),
};

/** All channels that a session has open, and all that are stored; not the server's own. */
export function* knownChannels({ router, stored }: MonitoredServer): Iterable<KnownChannel> {
  for (const channel of router.channels.all) {
    if (!isServerOwn(channel.name)) yield known(channel);
  }
  for (const channel of stored?.all ?? []) {
    if (router.channels.find(channel.name) !== undefined) continue;
    yield { name: channel.name, counts: channel.counts, channel: undefined, stored: channel };
  }
}

function known(channel: Channel): KnownChannel {
  return { name: channel.name, counts: channel.counts, channel, stored: channel.stored };
}

/** Describes the channels that `ask` is about. */
export async function listChannels(server: MonitoredServer, ask: ListAsk): Promise<JsonList> {
  const largest = new Largest<KnownChannel>(ask.limit, CHANNEL_KEYS[ask.sort]);
  let count = 0;
  await walk(knownChannels(server), (channel) => {
    if (ask.search !== "" && !channel.name.toLowerCase().includes(ask.search)) return;
    count++;
    largest.add(channel);
  });
  return await jsonList(count, largest.items, (channel) => channelEntry(channel), server.limits);
}

/** Describes one channel. */
export function channelEntry({ name, counts, channel, stored }: KnownChannel): ChannelEntry {
  const route = channel !== undefined && channel.opened > 0 ? channel.route : undefined;
  const { messagesIn, messagesOut, bytesIn, rate, unheard } = counts;
  return {
    channel: name,
    subscribers: route?.all.length ?? 0,
    groups: Object.fromEntries(route?.groups.map(({ name, size }) => [name, size]) ?? []),
    responders: route?.responders.size ?? 0,
    messagesIn,
    messagesOut,
    bytesIn,
    rate,
    unheard,
    ...stored && { stored: storedEntry(stored) },
  };
}
