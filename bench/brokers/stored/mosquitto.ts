/**
 * Mosquitto: MQTT 3.1.1 at QoS 1 with persistence. A message is stored for a subscriber whose session is kept while it is
 * away; without one nothing would be.
 *
 * @module
 */

import { ascii, type Broker, type Command, joined } from "../broker.ts";
import {
  asking,
  CONNECT,
  connectBody,
  mosquitto,
  packet,
  prefixed,
  PUBLISH,
  SUBSCRIBE,
} from "../mosquitto.ts";
import type { Burst, Reader, Receipts, StoredClient } from "./client.ts";

/** The client id of the subscriber. */
const SUBSCRIBER = "bench";
const PUBACK = 0x40, CONNACK = 0x20;
const AT_LEAST_ONCE = 1;
const CONNACK_BYTES = 4, PUBACK_BYTES = 4;

/** The server on the PATH, with persistence as it comes, and room for all that the workloads store. */
export const mosquittoStored: Broker = {
  name: "mosquitto-qos1",
  title: "Mosquitto, QoS 1",
  durability: "in memory before the receipt, written every 30 min and at the end, without fsync",
  supports: ["store-one", "store-loop", "store", "consume"],
  version: () => mosquitto.version(),
  async command({ port, dir }) {
    await Deno.chmod(dir, 0o777); // Started as root, it changes its user.
    const config = `${dir}/mosquitto.conf`;
    await Deno.writeTextFile(
      config,
      `listener ${port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location ${dir}/
log_dest none
sys_interval 0
set_tcp_nodelay true
max_queued_messages 0
max_inflight_messages 1000
`,
    );
    return ["mosquitto", "-c", config];
  },
  newClient: () => mosquitto.newClient(),
  newStoredClient: () => new MqttStoredClient(),
};

/** One MQTT client that publishes at QoS 1, or is the subscriber. */
class MqttStoredClient implements StoredClient {
  *prepare(channels: readonly string[]): Iterable<Command> {
    yield asking(connectAs(SUBSCRIBER), CONNACK_BYTES);
    const topics = channels.map((channel) => joined(prefixed(ascii(channel)), Uint8Array.of(AT_LEAST_ONCE)));
    const send = packet(SUBSCRIBE, joined(Uint8Array.of(0, 1), ...topics));
    yield {
      send,
      isAnswered(answer) {
        if (answer.includes(0x80, 4)) throw new Error(`Mosquitto answered [${answer}]`);
        return answer.length >= 4 + channels.length;
      },
    };
  }

  *produce(): Iterable<Command> {
    yield mosquitto.newClient().hello();
  }

  /** Packet ids are 16 bits, from 1. */
  burst(channels: readonly string[], payload: Uint8Array, count: number, number: number): Burst {
    const messages = Array.from({ length: count }, (_, index) => {
      const id = 1 + (number * count + index) % 0xffff;
      const topic = prefixed(ascii(channels[index % channels.length]));
      return packet(PUBLISH | AT_LEAST_ONCE << 1, joined(topic, Uint8Array.of(id >>> 8, id), payload));
    });
    return { bytes: joined(...messages), receipts: count };
  }

  receipts(): Receipts {
    return new PubAcks();
  }

  consume(channel: string, payload: Uint8Array): Reader {
    return new Subscriber(channel, payload);
  }
}

function connectAs(id: string): Uint8Array {
  return packet(CONNECT, connectBody(id, false));
}

/** A PUBACK has four bytes; nothing else comes. */
class PubAcks implements Receipts {
  #at = 0;

  count(bytes: Uint8Array, length: number): number {
    const first = (PUBACK_BYTES - this.#at) % PUBACK_BYTES;
    if (first < length && bytes[first] !== PUBACK) throw new Error(`Mosquitto answered [${bytes[first]}]`);
    const all = this.#at + length;
    this.#at = all % PUBACK_BYTES;
    return Math.floor(all / PUBACK_BYTES);
  }
}

/** The subscriber that comes back: gets what was stored for it, and acknowledges each message. */
class Subscriber implements Reader {
  readonly #messageBytes: number;
  readonly #idAt: number;
  readonly answer = new Uint8Array(256 * 1024);
  answerLength = 0;
  received = 0;

  constructor(channel: string, payload: Uint8Array) {
    const topic = prefixed(ascii(channel));
    const message = packet(PUBLISH, joined(topic, Uint8Array.of(0, 0), payload));
    this.#messageBytes = message.length;
    this.#idAt = message.length - payload.length - 2;
  }

  *setUp(): Iterable<Command> {}

  start(): Uint8Array {
    return connectAs(SUBSCRIBER);
  }

  receive(bytes: Uint8Array, length: number): number {
    const { answer } = this;
    let used = 0;
    let to = this.answerLength;
    while (used < length) {
      const isMessage = (bytes[used] & 0xf0) === PUBLISH;
      if (!isMessage && bytes[used] !== CONNACK) throw new Error(`Mosquitto sent [${bytes[used]}]`);
      const end = used + (isMessage ? this.#messageBytes : CONNACK_BYTES);
      if (end > length || to + PUBACK_BYTES > answer.length) break;
      if (isMessage) {
        answer[to] = PUBACK;
        answer[to + 1] = 2;
        answer[to + 2] = bytes[used + this.#idAt];
        answer[to + 3] = bytes[used + this.#idAt + 1];
        to += PUBACK_BYTES;
        this.received++;
      }
      used = end;
    }
    this.answerLength = to;
    return used;
  }
}
