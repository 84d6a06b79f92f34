/**
 * Sessions that subscribe and then do not read.
 *
 * @module
 */

import { Type } from "../../lib/wire/header.ts";
import { json, RawClient } from "../harness/raw_client.ts";
import { type Harness, numbered, type Workload } from "./harness.ts";

/** Published to one slow consumer: more than the socket buffers and the pending limit of the server hold. */
const BURST_BYTES = 48 * 1024 * 1024;
const MESSAGE_BYTES = 512 * 1024;

/** One slow consumer after the other. The server must close each as `slow_consumer`, and its publisher must go on. */
export function slowConsumers(channel: string): Workload {
  return async (harness) => {
    await using publisher = await harness.connect("publisher");
    const payload = numbered(harness.random, MESSAGE_BYTES);
    for (let number = 0; !harness.isOver;) {
      using consumer = await RawClient.greet(harness, { name: "slow consumer" });
      await consumer.open(channel);
      // The server pauses the publisher until it closes the consumer, after about 5 s.
      for (let sent = 0; sent < BURST_BYTES; sent += MESSAGE_BYTES) {
        await publisher.publish(channel, payload(number++));
      }
      await publisher.ping({ timeoutMs: 30_000 });
      await expectClosed(harness, consumer);
      await harness.pause(3000);
    }
  };
}

/** Reads what is left for a slow consumer. The server has closed it, so the stream must end. */
async function expectClosed(harness: Harness, consumer: RawClient): Promise<void> {
  for (let frame; (frame = await consumer.nextOrEnd()) !== undefined;) {
    if (frame.type === Type.ERROR && json(frame).code !== "slow_consumer") {
      harness.counters.addProblem(`a slow consumer received the error ${json(frame).code}`);
    }
  }
  harness.counters.slowConsumersClosed++;
}
