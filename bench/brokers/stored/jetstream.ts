/**
 * NATS JetStream with file storage.
 *
 * @module
 */

import { ascii, type Broker, type Command, joined, text } from "../broker.ts";
import { nats } from "../nats.ts";
import type { Burst, Reader, Receipts, StoredClient } from "./client.ts";

const STREAM = "BENCH";
const CRLF = ascii("\r\n");
const NEWLINE = 0x0a;

/** As it comes: a receipt says that the message was written. */
export const jetstream: Broker = {
  ...server("jetstream", "JetStream", ""),
  durability: "written before the receipt, fsync every 2 min",
  supports: ["store-one", "store-loop", "store", "consume", "replay", "store-echo"],
};

/** With an fsync for every single message. Reading is the same as without. */
export const jetstreamAlways: Broker = {
  ...server("jetstream-always", "JetStream, always", "sync_interval: always"),
  durability: "`sync_interval: always`: fsync of each message before its receipt",
  supports: ["store-one", "store-loop", "store"],
  maxPipelined: 64,
};

function server(name: string, title: string, sync: string): Omit<Broker, "supports"> {
  return {
    name,
    title,
    version: () => nats.version(),
    async command({ port, dir }) {
      const config = `${dir}/nats.conf`;
      await Deno.writeTextFile(
        config,
        `listen: "127.0.0.1:${port}"
logfile: "/dev/null"
max_pending: 1GB
jetstream { store_dir: "${dir}", max_memory_store: 1GB, max_file_store: 50GB
${sync}
}
`,
      );
      return ["nats-server", "-c", config];
    },
    newClient: () => nats.newClient(),
    newStoredClient: () => new JetStreamClient(),
  };
}

/** One NATS client that publishes to a stream, or reads it. One stream holds all channels. */
class JetStreamClient implements StoredClient {
  readonly #inbox = `i.${crypto.randomUUID().slice(0, 8)}`;

  *prepare(): Iterable<Command> {
    yield nats.newClient().hello();
    const config = { name: STREAM, subjects: ["bench.*"], storage: "file" };
    yield {
      send: ascii(`SUB ${this.#inbox} 1\r\n${request(`STREAM.CREATE.${STREAM}`, this.#inbox, config)}`),
      isAnswered: hasNoError,
    };
  }

  *produce(): Iterable<Command> {
    yield nats.newClient().hello();
    yield nats.newClient().open(this.#inbox, true)!;
  }

  burst(channels: readonly string[], payload: Uint8Array, count: number): Burst {
    const messages = channels.map((channel) =>
      joined(ascii(`PUB ${channel} ${this.#inbox} ${payload.length}\r\n`), payload, CRLF)
    );
    return {
      bytes: joined(...Array.from({ length: count }, (_, index) => messages[index % messages.length])),
      receipts: count,
    };
  }

  receipts(): Receipts {
    return new PubAcks();
  }

  consume(_channel: string, payload: Uint8Array, window: number): Reader {
    return new PushConsumer(payload, { ack_policy: "all", max_ack_pending: window });
  }

  replay(_channel: string, payload: Uint8Array): Reader {
    return new PushConsumer(payload, { ack_policy: "none" });
  }
}

/** Receipts are JSON objects without objects in them, except for an error. */
class PubAcks implements Receipts {
  #last = 0;

  count(bytes: Uint8Array, length: number): number {
    let count = 0;
    let last = this.#last;
    for (let at = 0; at < length; at++) {
      const byte = bytes[at];
      if (byte === 0x7b /* { */) {
        if (last === 0x3a /* : */) throw new Error(`JetStream answered ${text(bytes.subarray(0, length))}`);
      } else if (byte === 0x7d /* } */) count++;
      last = byte;
    }
    this.#last = last;
    return count;
  }
}

/** A push consumer. If it acknowledges, then once for each read, with everything before it (`ack_policy: all`). */
class PushConsumer implements Reader {
  readonly #payloadBytes: number;
  readonly #config: Record<string, unknown>;
  readonly #subject = `d.${crypto.randomUUID().slice(0, 8)}`;
  readonly answer = new Uint8Array(1024);
  answerLength = 0;
  received = 0;

  constructor(payload: Uint8Array, config: Record<string, unknown>) {
    this.#payloadBytes = payload.length;
    this.#config = config;
  }

  *setUp(): Iterable<Command> {
    yield nats.newClient().hello();
    yield nats.newClient().open(this.#subject, true)!;
  }

  start(): Uint8Array {
    const config = { deliver_subject: this.#subject, deliver_policy: "all", ...this.#config };
    return ascii(request(`CONSUMER.CREATE.${STREAM}`, "nobody", { stream_name: STREAM, config }));
  }

  receive(bytes: Uint8Array, length: number): number {
    let used = 0, last = -1;
    for (;;) {
      const end = bytes.indexOf(NEWLINE, used);
      if (end < 0 || end >= length) break;
      let next = end + 1;
      if (bytes[used] === 0x4d /* M */) {
        next += this.#payloadBytes + CRLF.length;
        if (next > length) break;
        this.received++;
        last = used;
      } else if (bytes[used] === 0x2d /* - */) {
        throw new Error(`NATS answered ${text(bytes.subarray(used, end))}`);
      }
      used = next;
    }
    if (last >= 0 && this.#config.ack_policy !== "none") this.#acknowledge(bytes, last);
    return used;
  }

  /** Acknowledges the message at `at`: MSG SUBJECT SID REPLY LENGTH. */
  #acknowledge(bytes: Uint8Array, at: number): void {
    const line = text(bytes.subarray(at, bytes.indexOf(NEWLINE, at)));
    const answer = ascii(`PUB ${line.split(" ")[3]} 4\r\n+ACK\r\n`);
    this.answer.set(answer);
    this.answerLength = answer.length;
  }
}

function request(api: string, replyTo: string, body: unknown): string {
  const json = JSON.stringify(body);
  return `PUB $JS.API.${api} ${replyTo} ${json.length}\r\n${json}\r\n`;
}

/** An answer of the API of JetStream, whose JSON ends the packet. */
function hasNoError(answer: Uint8Array): boolean {
  const soFar = text(answer);
  if (soFar.includes('"error"') || soFar.startsWith("-ERR")) throw new Error(`JetStream answered ${soFar}`);
  return soFar.endsWith("}\r\n");
}
