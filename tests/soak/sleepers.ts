/**
 * Sessions that subscribe and then do not read.
 *
 * @module
 */

import { Type } from "../../lib/wire/header.ts";
import { json, RawClient } from "../raw_client.ts";
import { type Harness, numbered, type Part } from "./harness.ts";

/** What is published to a sleeper at once: enough to fill the sockets' buffers and what may wait at the server. */
const BURST_BYTES = 48 * 1024 * 1024;
const MESSAGE_BYTES = 512 * 1024;

/** One sleeper after the other; each must be closed as a slow consumer, and its publisher go on. */
export function sleepers(channel: string): Part {
  return async (harness) => {
    await using publisher = await harness.connect("publisher");
    const output = await publisher.open(channel, { subscribe: false });
    const payload = numbered(harness.random, MESSAGE_BYTES);
    for (let number = 0; !harness.isOver;) {
      using sleeper = await RawClient.greet(harness, { name: "sleeper" });
      await sleeper.open(channel);
      // The publisher is held back until the sleeper is given up, some 5 s.
      for (let sent = 0; sent < BURST_BYTES; sent += MESSAGE_BYTES) await output.publish(payload(number++));
      await publisher.ping(30_000);
      await wokenTooLate(harness, sleeper);
      await harness.pause(3000);
    }
  };
}

/** Reads what there is for a sleeper; it has been closed, so that must have an end. */
async function wokenTooLate(harness: Harness, sleeper: RawClient): Promise<void> {
  for (let frame; (frame = await sleeper.nextOrEnd()) !== undefined;) {
    if (frame.type === Type.ERROR && json(frame).code !== "slow_consumer") {
      harness.tally.found(`a sleeper was told ${json(frame).code}`);
    }
  }
  harness.tally.slowClosed++;
}
