/**
 * The stored channels of a server: from the loaded options to those of the library, and for people.
 *
 * @module
 */

import { formatMilliseconds, formatSize } from "../../config/option.ts";
import { type ServerConfig, storedEntries } from "../../config/server_options.ts";
import type { StoredChannelOptions } from "../../server/api.ts";
import { storagePolicies, storeFolder } from "../../server/options.ts";

/** The options that say which channels are stored. */
type StoredConfig = Pick<
  ServerConfig,
  "stored" | "durable" | "history" | "store" | "state" | "storeBytes" | "historyBytes"
>;

/** Converts the loaded options to those of the library. */
export function storedOptions(config: StoredConfig): StoredChannelOptions[] {
  return storedEntries(config).map(({ entry: { maxAge, ...entry } }) => ({ ...entry, maxAgeMs: maxAge }));
}

/** Says for `parley-server config` which channels are stored, where and how much of them. */
export function explainStored(config: StoredConfig): string {
  const policies = storagePolicies({ stored: storedOptions(config) });
  if (policies.length === 0) return "stored channels: none";
  const rows = policies.map(({ pattern, storage, maxAgeMs, maxBytes, maxMessages, full }) => {
    const bounds = [
      ...(maxAgeMs < Infinity ? [`for ${formatMilliseconds(maxAgeMs)}`] : []),
      ...(maxMessages < Infinity ? [maxMessages === 1 ? "the last message" : `${maxMessages} messages`] : []),
      ...(maxBytes < Infinity ? [formatSize(maxBytes)] : []),
      full === "refuse" ? "refuses what has no room" : "drops the oldest",
    ];
    return [pattern, storage, bounds.join(", ")];
  });
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column].length)));
  const folder = storeFolder(config);
  const places = [
    ...(policies.some(({ storage }) => storage === "durable")
      ? [`durable channels are stored in ${folder}, at most ${formatSize(config.storeBytes)} of all`]
      : []),
    ...(policies.some(({ storage }) => storage === "history")
      ? [`history is kept in memory, at most ${formatSize(config.historyBytes)} of all`]
      : []),
  ];
  return [
    "stored channels (the first line that covers a channel decides):",
    ...rows.map(([pattern, storage, bounds]) =>
      `  ${pattern.padEnd(widths[0])}  ${storage.padEnd(widths[1])}  ${bounds}`
    ),
    ...places.map((text) => `  ${text}`),
  ].join("\n");
}
