/**
 * Stored channels in memory: a history that is gone with the program.
 *
 * @module
 */

import { KEY_MS } from "../limits.ts";
import { newEpoch } from "./epoch.ts";
import type { ChannelState, Commit, Committed, LogState, StoredRun, Trim } from "./shapes.ts";

/** A run and when it was stored. */
type Row = Required<StoredRun>;

/** What is kept of one channel. */
interface Kept {
  readonly state: ChannelState;
  first: number;
  last: number;
  bytes: number;
  rows: Row[];
  readonly keys: Map<string, { readonly sequence: number; readonly time: number }>;
}

/** Opens an empty log. */
export function openMemoryLog(): MemoryLog {
  return new MemoryLog(newEpoch());
}

/** A log in memory; see `ChannelLog` in `lib/broker/stored/log.ts`. */
export class MemoryLog {
  readonly state: LogState;
  readonly #channels = new Map<number, Kept>();

  /** @param epoch names the series of sequences that begin now */
  constructor(epoch: string) {
    this.state = { epoch, firstSession: 1, channels: [], producers: [], consumers: [] };
  }

  /** Stores, at once. */
  commit(commit: Commit): Promise<Committed> {
    for (const number of commit.deletedChannels) this.#channels.delete(number);
    for (const state of commit.channels) {
      this.#channels.set(state.number, { state, first: 1, last: 0, bytes: 0, rows: [], keys: new Map() });
    }
    for (const { channel, first, count, bytes } of commit.runs) {
      const kept = this.#channels.get(channel)!;
      kept.rows.push({ first, count, bytes: bytes.slice(), time: commit.time });
      kept.last = first + count - 1;
      kept.bytes += bytes.length;
    }
    for (const { channel, key, sequence } of commit.keys) {
      const keys = this.#channels.get(channel)!.keys;
      keys.set(key, { sequence, time: commit.time });
      for (const [old, { time }] of keys) {
        if (commit.time - time < KEY_MS) break;
        keys.delete(old);
      }
    }
    const trimmed = commit.trims.flatMap((trim) => this.#trim(trim));
    return Promise.resolve({ trimmed, hasMoreToTrim: false });
  }

  read(channel: number, from: number, maxBytes: number): Promise<readonly StoredRun[]> {
    const { rows = [], first = 1 } = this.#channels.get(channel) ?? {};
    const runs: Row[] = [];
    let bytes = 0;
    for (let i = firstEndingFrom(rows, Math.max(from, first)); i < rows.length; i++) {
      bytes += rows[i].bytes.length;
      if (runs.length > 0 && bytes > maxBytes) break;
      runs.push(rows[i]);
    }
    return Promise.resolve(runs);
  }

  find(channel: number, time: number): Promise<number> {
    const kept = this.#channels.get(channel);
    const row = kept?.rows.find((row) => row.time >= time);
    return Promise.resolve(row === undefined ? (kept?.last ?? 0) + 1 : Math.max(row.first, kept!.first));
  }

  findKey(channel: number, key: string): Promise<number | undefined> {
    return Promise.resolve(this.#channels.get(channel)?.keys.get(key)?.sequence);
  }

  close(): Promise<void> {
    this.#channels.clear();
    return Promise.resolve();
  }

  #trim({ channel, first, bytes, before }: Trim): Committed["trimmed"] {
    const kept = this.#channels.get(channel);
    if (kept === undefined) return [];
    const was = kept.first;
    let dropped = 0;
    kept.first = Math.max(kept.first, Math.min(first, kept.last + 1));
    for (const row of kept.rows) {
      const end = row.first + row.count;
      const isLast = end > kept.last;
      if (end > kept.first && row.time >= before && (kept.bytes <= bytes || isLast)) break;
      kept.first = Math.max(kept.first, end);
      kept.bytes -= row.bytes.length;
      dropped++;
    }
    if (dropped > 0) kept.rows = kept.rows.slice(dropped);
    return kept.first === was ? [] : [{ number: channel, first: kept.first, bytes: kept.bytes }];
  }
}

/** The index of the first of `rows`, which are in order, that has a message from `sequence` on. */
function firstEndingFrom(rows: readonly StoredRun[], sequence: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle].first + rows[middle].count > sequence) high = middle;
    else low = middle + 1;
  }
  return low;
}
