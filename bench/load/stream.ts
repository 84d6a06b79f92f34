/**
 * Publishers send as fast as they may, subscribers receive.
 *
 * Each publisher sends one prepared burst of messages over and over. A message counts when it was delivered, and
 * publishers are never more than the work's window ahead of the subscribers: no server can shine by swallowing what it
 * does not deliver, and none has to throw anything away. At the end all that was sent must have arrived.
 *
 * @module
 */

import { type Broker, channelName, joined, type Speaker } from "../brokers/broker.ts";
import { Meter } from "../process_stats.ts";
import { Poller, type RawSocket } from "../sockets.ts";
import type { Stream } from "../workloads.ts";
import type { Job, Result } from "./job.ts";
import { greet, payloadOf } from "./talk.ts";

/** After so long without a byte, what is missing is lost. */
const LOST_MS = 2000;
/** How long to wait, after the measurement, for what is still on its way. Slower than that is slow, but not lost. */
const DRAIN_MS = 10_000;
/** Bytes a server may send each connection of its own accord, such as a heartbeat. */
const STRAY_BYTES = 64;

interface Publisher {
  readonly socket: RawSocket;
  readonly speaker: Speaker;
  readonly channels: readonly string[];
  readonly burst: Uint8Array;
  /** Where in `burst` to go on. */
  at: number;
  /** The kernel took less than was offered, and has not asked for more since. */
  isBlocked: boolean;
}

/** Does the work; see the module's comment. */
export function stream(broker: Broker, { work, port, pid, seconds, warmUpSeconds }: Job<Stream>): Result {
  const channels = Array.from({ length: work.publishers * work.channels }, (_, index) => channelName(index));
  const subscribers = Array.from({ length: work.subscribers }, () => subscribe(broker, port, channels));
  const publishers = Array.from({ length: work.publishers }, (_, index) => {
    return publish(broker, port, work, channels.slice(index * work.channels, (index + 1) * work.channels));
  });
  for (const publisher of publishers) verify(publisher, subscribers, work);

  const flow = new FlowControl(work, publishers, subscribers);
  flow.run(warmUpSeconds);
  const before = flow.delivered;
  const meter = new Meter(pid, Deno.pid);
  const elapsed = flow.run(seconds);
  const delivered = flow.delivered - before;
  const [serverCores, generatorCores] = meter.cores();
  flow.drain();
  return { value: delivered / elapsed, serverCores, generatorCores };
}

function subscribe(broker: Broker, port: number, channels: readonly string[]): RawSocket {
  const { socket, speaker } = greet(broker, port);
  for (const channel of channels) {
    const open = speaker.open(channel, true);
    if (open !== undefined) socket.ask(open);
  }
  return socket;
}

function publish(broker: Broker, port: number, work: Stream, channels: readonly string[]): Publisher {
  const { socket, speaker } = greet(broker, port);
  const payload = payloadOf(work);
  for (const channel of channels) {
    const open = speaker.open(channel, false);
    if (open !== undefined) socket.ask(open);
  }
  const turn = joined(...channels.map((channel) => speaker.message(channel, payload)));
  const burst = new Uint8Array(turn.length * Math.max(1, Math.round(work.burst / channels.length)));
  for (let at = 0; at < burst.length; at += turn.length) burst.set(turn, at);
  return { socket, speaker, channels, burst, at: 0, isBlocked: false };
}

/** Sends one message on each channel, and looks whether every subscriber gets it as it must be. */
function verify({ socket, speaker, channels }: Publisher, subscribers: RawSocket[], work: Stream): void {
  const payload = payloadOf(work);
  const expected = joined(...channels.map((channel) => speaker.delivery(channel, payload)));
  socket.sendAll(joined(...channels.map((channel) => speaker.message(channel, payload))));
  for (const subscriber of subscribers) {
    const came = subscriber.await((bytes) => bytes.length >= expected.length);
    if (came.length !== expected.length || came.some((byte, at) => byte !== expected[at])) {
      throw new Error(`a subscriber got ${JSON.stringify(new TextDecoder().decode(came.subarray(0, 200)))}`);
    }
  }
}

/** The messages on their way from all publishers to all subscribers. */
class FlowControl {
  readonly #work: Stream;
  readonly #publishers: Publisher[];
  readonly #subscribers: RawSocket[];
  readonly #poller = new Poller();
  readonly #messageBytes: number;
  readonly #deliveryBytes: number;
  /** Whose turn it is to send. */
  #turn = 0;
  #sentBytes = 0;
  #receivedBytes = 0;

  constructor(work: Stream, publishers: Publisher[], subscribers: RawSocket[]) {
    this.#work = work;
    this.#publishers = publishers;
    this.#subscribers = subscribers;
    const { speaker, channels } = publishers[0];
    this.#messageBytes = speaker.message(channels[0], payloadOf(work)).length;
    this.#deliveryBytes = speaker.delivery(channels[0], payloadOf(work)).length;
    subscribers.forEach((socket, index) => this.#poller.add(socket, index));
    publishers.forEach(({ socket }, index) => this.#poller.addSender(socket, -1 - index));
  }

  /** Messages delivered so far, each counted once for every subscriber. */
  get delivered(): number {
    return this.#receivedBytes / this.#deliveryBytes;
  }

  /** Lets messages flow for `seconds`; returns how many seconds it really was. */
  run(seconds: number): number {
    const start = performance.now();
    const end = start + seconds * 1000;
    let now = start;
    let lastProgress = now;
    let seen = this.#receivedBytes;
    while (now < end) {
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

  /** Completes what has been begun, and makes sure that everything arrived. */
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
    if (this.#receivedBytes > expected + STRAY_BYTES * this.#subscribers.length) {
      throw new Error(`${this.#receivedBytes - expected} bytes more came than were sent`);
    }
  }

  /** Offers what the window allows to the kernel, publishers in turn; returns whether it took any. */
  #send(): boolean {
    let blocked = 0;
    let sent = false;
    while (blocked < this.#publishers.length && this.#inFlight() < this.#work.window) {
      const publisher = this.#publishers[this.#turn];
      this.#turn = (this.#turn + 1) % this.#publishers.length;
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

  /** Messages sent that have not reached all subscribers. */
  #inFlight(): number {
    return this.#sentBytes / this.#messageBytes - this.delivered / this.#subscribers.length;
  }

  /** Counts what has come, after waiting for it for at most `ms` milliseconds. */
  #receive(ms: number): void {
    const events = this.#poller.wait(ms);
    for (let event = 0; event < events; event++) {
      const tag = this.#poller.tag(event);
      if (tag < 0) {
        this.#publisherEvent(this.#publishers[-1 - tag], event);
        continue;
      }
      const count = this.#subscribers[tag].discard();
      if (count <= 0) throw new Error("the server closed a subscriber's connection");
      this.#receivedBytes += count;
    }
  }

  #publisherEvent(publisher: Publisher, event: number): void {
    if (this.#poller.isWritable(event)) publisher.isBlocked = false;
    if (!this.#poller.isReadable(event)) return;
    const answer = new Uint8Array(1024);
    const count = publisher.socket.receive(answer);
    if (count < 0) return;
    const said = new TextDecoder().decode(answer.subarray(0, count));
    // Publishers are told nothing unless something is wrong, but for a sign of life.
    if (count === 0 || publisher.speaker.strayAt?.(answer, 0) !== count) {
      throw new Error(`the server told a publisher ${JSON.stringify(said)}`);
    }
  }

  #missing(): string {
    const missing = this.#inFlight() * this.#subscribers.length;
    const all = this.#sentBytes / this.#messageBytes * this.#subscribers.length;
    return `lost ${Math.round(missing)} of ${Math.round(all)} messages`;
  }
}
