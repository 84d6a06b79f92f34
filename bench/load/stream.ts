/**
 * Publishers send as fast as the window allows, subscribers receive.
 *
 * Each publisher sends one prepared burst of messages repeatedly. A message counts when it is delivered, and publishers
 * are never more than the workload's window ahead of the subscribers. So no server gains by accepting messages that it
 * does not deliver, and none has to drop any. At the end every message must have arrived.
 *
 * @module
 */

import { type Broker, channelName, joined, type ProtocolClient } from "../brokers/broker.ts";
import { Meter } from "../process_stats.ts";
import { Poller, type RawSocket } from "../sockets.ts";
import type { Stream } from "../workloads.ts";
import type { Job, Result } from "./job.ts";
import { entranceOf } from "../workloads.ts";
import { handshake, payloadOf, type Session } from "./handshake.ts";

/** Without a byte for this long, the missing messages count as lost. */
const LOST_MS = 2000;
/** How long to wait after the measurement for messages in flight. */
const DRAIN_MS = 10_000;
/** Unsolicited bytes that a server may send on each connection, such as a heartbeat. */
const UNSOLICITED_BYTES = 64;

interface Publisher {
  readonly socket: RawSocket;
  readonly client: ProtocolClient;
  readonly channels: readonly string[];
  readonly burst: Uint8Array;
  /** The position in `burst` to continue at. */
  at: number;
  /** The kernel accepted less than was offered, and has not reported room since. */
  isBlocked: boolean;
}

/** Runs the workload; see the module's comment. */
export function stream(broker: Broker, { workload, port, pid, seconds, warmUpSeconds }: Job<Stream>): Result {
  const channels = Array.from(
    { length: workload.publishers * workload.channels },
    (_, index) => channelName(index),
  );
  const connect = () => handshake(broker, port, entranceOf(workload.kind));
  const subscribers = Array.from({ length: workload.subscribers }, () => subscribe(connect(), channels));
  const publishers = Array.from({ length: workload.publishers }, (_, index) => {
    return publish(
      connect(),
      workload,
      channels.slice(index * workload.channels, (index + 1) * workload.channels),
    );
  });
  for (const publisher of publishers) verify(publisher, subscribers, workload);

  const flow = new MessageFlow(workload, publishers, subscribers);
  flow.run(warmUpSeconds);
  const before = flow.delivered;
  const meter = new Meter(pid, Deno.pid);
  const elapsed = flow.run(seconds);
  const delivered = flow.delivered - before;
  const [serverCores, generatorCores] = meter.cores();
  flow.drain();
  return { value: delivered / elapsed, serverCores, generatorCores };
}

function subscribe({ socket, client }: Session, channels: readonly string[]): RawSocket {
  for (const channel of channels) {
    const open = client.open(channel, true);
    if (open !== undefined) socket.execute(open);
  }
  return socket;
}

function publish({ socket, client }: Session, workload: Stream, channels: readonly string[]): Publisher {
  const payload = payloadOf(workload);
  for (const channel of channels) {
    const open = client.open(channel, false);
    if (open !== undefined) socket.execute(open);
  }
  const round = joined(...channels.map((channel) => client.message(channel, payload)));
  const burst = new Uint8Array(round.length * Math.max(1, Math.round(workload.burst / channels.length)));
  for (let at = 0; at < burst.length; at += round.length) burst.set(round, at);
  return { socket, client, channels, burst, at: 0, isBlocked: false };
}

/** Sends one message on each channel, and checks that every subscriber receives it unchanged. */
function verify({ socket, client, channels }: Publisher, subscribers: RawSocket[], workload: Stream): void {
  const payload = payloadOf(workload);
  const expected = joined(...channels.map((channel) => client.delivery(channel, payload)));
  socket.sendAll(joined(...channels.map((channel) => client.message(channel, payload))));
  for (const subscriber of subscribers) {
    const received = subscriber.await((bytes) => bytes.length >= expected.length);
    if (received.length !== expected.length || received.some((byte, at) => byte !== expected[at])) {
      throw new Error(
        `a subscriber got ${JSON.stringify(new TextDecoder().decode(received.subarray(0, 200)))}`,
      );
    }
  }
}

/** The flow of messages from all publishers to all subscribers. */
class MessageFlow {
  readonly #workload: Stream;
  readonly #publishers: Publisher[];
  readonly #subscribers: RawSocket[];
  readonly #poller = new Poller();
  readonly #messageBytes: number;
  readonly #deliveryBytes: number;
  /** The index of the publisher to send next. */
  #next = 0;
  #sentBytes = 0;
  #receivedBytes = 0;

  constructor(workload: Stream, publishers: Publisher[], subscribers: RawSocket[]) {
    this.#workload = workload;
    this.#publishers = publishers;
    this.#subscribers = subscribers;
    const { client, channels } = publishers[0];
    this.#messageBytes = client.message(channels[0], payloadOf(workload)).length;
    this.#deliveryBytes = client.delivery(channels[0], payloadOf(workload)).length;
    subscribers.forEach((socket, index) => this.#poller.add(socket, index));
    publishers.forEach(({ socket }, index) => this.#poller.addSender(socket, -1 - index));
  }

  /** Messages delivered so far, counted once for each subscriber. */
  get delivered(): number {
    return this.#receivedBytes / this.#deliveryBytes;
  }

  /** Sends and receives for `seconds`, and until something is received; returns the seconds it really took. */
  run(seconds: number): number {
    const start = performance.now();
    const end = start + seconds * 1000;
    let now = start;
    let lastProgress = now;
    const before = this.#receivedBytes;
    let seen = before;
    while (now < end || seen === before) {
      this.#receive(this.#send() ? 0 : 10);
      now = performance.now();
      if (this.#receivedBytes !== seen) {
        seen = this.#receivedBytes;
        lastProgress = now;
      } else if (now - lastProgress > LOST_MS) {
        throw new Error(this.#missing());
      }
    }
    return (now - start) / 1000;
  }

  /** Completes the last message of each publisher, and checks that every message arrives. */
  drain(): void {
    for (const publisher of this.#publishers) {
      while (publisher.at % this.#messageBytes !== 0) {
        this.#offer(publisher, publisher.at + this.#messageBytes - publisher.at % this.#messageBytes);
        this.#receive(1);
      }
    }
    const expected = this.#sentBytes / this.#messageBytes * this.#deliveryBytes * this.#subscribers.length;
    const start = performance.now();
    let lastProgress = start;
    let now = start;
    while (this.#receivedBytes < expected && now - start < DRAIN_MS) {
      const before = this.#receivedBytes;
      this.#receive(10);
      now = performance.now();
      if (this.#receivedBytes !== before) lastProgress = now;
      else if (now - lastProgress > LOST_MS) throw new Error(this.#missing());
    }
    if (this.#receivedBytes > expected + UNSOLICITED_BYTES * this.#subscribers.length) {
      throw new Error(`${this.#receivedBytes - expected} bytes more were received than sent`);
    }
  }

  /** Offers to the kernel what the window allows, from each publisher in turn; returns whether it accepted any. */
  #send(): boolean {
    let blocked = 0;
    let sent = false;
    while (blocked < this.#publishers.length && this.#inFlight() < this.#workload.window) {
      const publisher = this.#publishers[this.#next];
      this.#next = (this.#next + 1) % this.#publishers.length;
      if (publisher.isBlocked) {
        blocked++;
      } else {
        this.#offer(publisher, publisher.burst.length);
        blocked = 0;
        sent = true;
      }
    }
    return sent;
  }

  #offer(publisher: Publisher, end: number): void {
    const { socket, burst, at } = publisher;
    const count = socket.send(burst, at, end);
    publisher.isBlocked = count < end - at;
    publisher.at = (at + count) % burst.length;
    this.#sentBytes += count;
  }

  /** Messages sent that not all subscribers have received. */
  #inFlight(): number {
    return this.#sentBytes / this.#messageBytes - this.delivered / this.#subscribers.length;
  }

  /** Counts received bytes, after waiting at most `ms` milliseconds for some. */
  #receive(ms: number): void {
    const events = this.#poller.wait(ms);
    for (let event = 0; event < events; event++) {
      const tag = this.#poller.tag(event);
      if (tag < 0) {
        this.#publisherEvent(this.#publishers[-1 - tag], event);
        continue;
      }
      const count = this.#subscribers[tag].discard();
      if (count === 0) throw new Error("the server closed a subscriber's connection");
      if (count > 0) this.#receivedBytes += count; // a part of a WebSocket's header is nothing yet
    }
  }

  #publisherEvent(publisher: Publisher, event: number): void {
    if (this.#poller.isWritable(event)) publisher.isBlocked = false;
    if (!this.#poller.isReadable(event)) return;
    const answer = new Uint8Array(1024);
    const count = publisher.socket.receive(answer);
    if (count < 0) return;
    const sent = new TextDecoder().decode(answer.subarray(0, count));
    // Publishers receive nothing but heartbeats, unless something is wrong.
    if (count === 0 || publisher.client.unsolicitedAt?.(answer, 0) !== count) {
      throw new Error(`the server sent a publisher ${JSON.stringify(sent)}`);
    }
  }

  #missing(): string {
    const missing = this.#inFlight() * this.#subscribers.length;
    const all = this.#sentBytes / this.#messageBytes * this.#subscribers.length;
    return `lost ${Math.round(missing)} of ${Math.round(all)} messages`;
  }
}
