/**
 * Redis Streams with an append-only file.
 *
 * @module
 */

import { ascii, type Broker, type Command, joined, text } from "../broker.ts";
import { asking, bulk, command, redis } from "../redis.ts";
import type { Burst, Reader, Receipts, StoredClient } from "./client.ts";

const GROUP = "bench";
const NEWLINE = 0x0a;

/** With an fsync before the answers of each turn of its event loop. */
export const redisAlways = server(
  "redis-always",
  "Redis, always",
  "always",
  "`appendfsync always`: fsync before the receipt",
);
/** As its documentation recommends. */
export const redisEverysec = server(
  "redis-everysec",
  "Redis, everysec",
  "everysec",
  "`appendfsync everysec`: written before the receipt, fsync every second",
);

function server(name: string, title: string, appendfsync: string, durability: string): Broker {
  return {
    name,
    title,
    durability,
    supports: ["store-one", "store-loop", "store", "consume", "replay", "store-echo"],
    version: () => redis.version(),
    command({ port, dir }) {
      return Promise.resolve([
        ...["redis-server", "--bind", "127.0.0.1", "--port", String(port), "--dir", dir],
        ...["--save", "", "--appendonly", "yes", "--appendfsync", appendfsync, "--loglevel", "warning"],
        // Rewriting the file would be work that no other server here does.
        ...["--auto-aof-rewrite-percentage", "0", "--client-output-buffer-limit", "normal 0 0 0"],
      ]);
    },
    newClient: () => redis.newClient(),
    newStoredClient: () => new RedisStreamClient(),
  };
}

/** One Redis client that adds to streams, or reads them. */
class RedisStreamClient implements StoredClient {
  *prepare(): Iterable<Command> {}

  *produce(): Iterable<Command> {
    yield redis.newClient().hello();
  }

  burst(channels: readonly string[], payload: Uint8Array, count: number): Burst {
    const messages = channels.map((channel) => command("XADD", channel, "*", "m", payload));
    return {
      bytes: joined(...Array.from({ length: count }, (_, index) => messages[index % messages.length])),
      receipts: count,
    };
  }

  receipts(): Receipts {
    return new EntryIds();
  }

  consume(channel: string, payload: Uint8Array, window: number): Reader {
    return new GroupReader(channel, payload, window);
  }

  replay(channel: string, payload: Uint8Array): Reader {
    return new StreamReader(channel, payload);
  }
}

/** Each receipt is the id of an entry as a bulk string: $15\r\n1764112345678-0\r\n */
class EntryIds implements Receipts {
  #last = 0;
  #isHeader = true;

  count(bytes: Uint8Array, length: number): number {
    let count = 0;
    for (let at = 0; at < length; at++) {
      if (bytes[at] !== NEWLINE) {
        if (bytes[at] === 0x2d /* - */ && (this.#last === NEWLINE || this.#last === 0)) {
          throw new Error(`Redis answered ${text(bytes.subarray(at, length))}`);
        }
      } else {
        if (!this.#isHeader) count++;
        this.#isHeader = !this.#isHeader;
      }
      this.#last = bytes[at];
    }
    return count;
  }
}

/** Reads the entries of answers to XREAD and XREADGROUP. */
abstract class EntryReader implements Reader {
  readonly #payloadBytes: number;
  abstract readonly answer: Uint8Array;
  answerLength = 0;
  received = 0;
  /** Entries of the answer that are still to come; 0 before its header. */
  #left = 0;

  constructor(payload: Uint8Array) {
    this.#payloadBytes = payload.length;
  }

  *setUp(): Iterable<Command> {
    yield redis.newClient().hello();
  }

  abstract start(): Uint8Array;
  /** An entry whose id is the bulk string `bytes[from, to)`. */
  protected abstract entry(bytes: Uint8Array, from: number, to: number): void;
  /** An answer is complete. */
  protected abstract end(): void;

  receive(bytes: Uint8Array, length: number): number {
    let used = 0;
    while (used < length) {
      const next = this.#left === 0 ? this.#header(bytes, used, length) : this.#entry(bytes, used, length);
      if (next < 0) break;
      used = next;
    }
    return used;
  }

  /** The answer to XACK (`:500`), nothing (`*-1`), or one stream, its name and the number of its entries. */
  #header(bytes: Uint8Array, at: number, length: number): number {
    const lines = bytes[at] === 0x2a /* * */ && bytes[at + 1] !== 0x2d /* - */ ? 5 : 1;
    let end = at, start = at;
    for (let line = 0; line < lines; line++) {
      start = end;
      end = lineEnd(bytes, start, length);
      if (end < 0) return -1;
    }
    if (bytes[at] === 0x2d) throw new Error(`Redis answered ${text(bytes.subarray(at, end))}`);
    if (lines === 5) this.#left = Number(text(bytes.subarray(start + 1, end - 2)));
    return end;
  }

  /** *2, the id, *2, the key, the value */
  #entry(bytes: Uint8Array, at: number, length: number): number {
    const id = at + 4;
    if (id + 3 > length) return -1;
    // The length of an id has two digits.
    const idEnd = id + 5 + (bytes[id + 1] - 0x30) * 10 + (bytes[id + 2] - 0x30) + 2;
    const end = idEnd + 4 + 7 + bulkBytes(this.#payloadBytes);
    if (end > length) return -1;
    this.entry(bytes, id, idEnd);
    this.received++;
    if (--this.#left === 0) this.end();
    return end;
  }
}

/** Two requests under way, each for half of the window; what came is acknowledged with the next request. */
class GroupReader extends EntryReader {
  readonly #channel: string;
  readonly #read: Uint8Array;
  readonly #ids: Uint8Array;
  readonly answer: Uint8Array;
  #idsLength = 0;
  #idCount = 0;

  constructor(channel: string, payload: Uint8Array, window: number) {
    super(payload);
    this.#channel = channel;
    const count = String(window / 2);
    this.#read = command("XREADGROUP", "GROUP", GROUP, "c", "COUNT", count, "STREAMS", channel, ">");
    this.#ids = new Uint8Array(window * 32);
    this.answer = new Uint8Array(window * 64);
  }

  override *setUp(): Iterable<Command> {
    yield* super.setUp();
    yield asking(command("XGROUP", "CREATE", this.#channel, GROUP, "0"), (answer) => answer === "+OK\r\n");
  }

  start(): Uint8Array {
    return joined(this.#read, this.#read);
  }

  protected entry(bytes: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to; at++) this.#ids[this.#idsLength++] = bytes[at];
    this.#idCount++;
  }

  protected end(): void {
    const head = joined(
      ascii(`*${3 + this.#idCount}\r\n`),
      bulk("XACK"),
      bulk(this.#channel),
      bulk(GROUP),
    );
    for (const part of [head, this.#ids.subarray(0, this.#idsLength), this.#read]) {
      this.answer.set(part, this.answerLength);
      this.answerLength += part.length;
    }
    this.#idsLength = 0;
    this.#idCount = 0;
  }
}

const ENTRIES_AT_ONCE = "10000";

/** Asks for the next entries after the last one that came. */
class StreamReader extends EntryReader {
  readonly #head: Uint8Array;
  readonly answer = new Uint8Array(1024);
  readonly #id = new Uint8Array(64);
  #idLength = 0;

  constructor(channel: string, payload: Uint8Array) {
    super(payload);
    const words = ["XREAD", "COUNT", ENTRIES_AT_ONCE, "STREAMS", channel];
    this.#head = joined(ascii(`*${words.length + 1}\r\n`), ...words.map(bulk));
  }

  start(): Uint8Array {
    return joined(this.#head, bulk("0"));
  }

  protected entry(bytes: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to; at++) this.#id[at - from] = bytes[at];
    this.#idLength = to - from;
  }

  protected end(): void {
    this.answer.set(this.#head);
    this.answer.set(this.#id.subarray(0, this.#idLength), this.#head.length);
    this.answerLength = this.#head.length + this.#idLength;
  }
}

/** The position after the line at `at`, or -1 if it is incomplete. */
function lineEnd(bytes: Uint8Array, at: number, length: number): number {
  const end = bytes.indexOf(NEWLINE, at);
  return end < 0 || end >= length ? -1 : end + 1;
}

/** The length of a bulk string of `count` bytes. */
function bulkBytes(count: number): number {
  return `$${count}\r\n`.length + count + 2;
}
