/**
 * Short sessions on a channel with presence, and one long session that watches them.
 *
 * @module
 */

import type { Subscription } from "../../lib/mod.ts";
import { RawClient } from "../harness/raw_client.ts";
import { type Harness, SETTLE_MS, type Workload } from "./harness.ts";

/** Short sessions, `concurrent` at a time. In the end the watcher must be the only member. */
export function sessionChurn(channel: string, concurrent: number): Workload {
  return async (harness) => {
    await using watcher = await harness.connect("watcher");
    let [joined, parted] = [0, 0];
    const room = await watcher.subscribe(channel, {
      presence: ({ type }) => type === "joined" ? joined++ : parted++,
    });
    const reading = readMessages(harness, room);
    await Promise.all(Array.from({ length: concurrent }, async (_, index) => {
      while (!harness.isOver) {
        if (index === 0) await abortedSession(harness, channel);
        else await shortSession(harness, channel);
        harness.counters.shortSessions++;
        await harness.pause(harness.random.int(60));
      }
    }));
    const deadline = performance.now() + SETTLE_MS;
    while (room.memberCount > 1 && performance.now() < deadline) await watcher.ping();
    if (room.memberCount !== 1 || room.members.size !== 1 || joined !== parted) {
      harness.counters.addProblem(
        `${channel}: ${room.memberCount} members after all have left; ${joined} joined, ${parted} parted`,
      );
    }
    await room.end();
    await reading;
  };
}

async function readMessages(harness: Harness, room: Subscription): Promise<void> {
  try {
    for await (const message of room) {
      if (message.text() !== `hello from ${message.sender}`) {
        harness.counters.addProblem(`${room.channel}: an unexpected message`);
      }
      harness.counters.delivered++;
    }
  } catch (error) {
    harness.counters.addProblem(`${room.channel}: ${error}`);
  }
}

/** Connects, opens some channels, publishes, receives its own message, and closes. */
async function shortSession(harness: Harness, channel: string): Promise<void> {
  await using client = await harness.connect("short session");
  const room = await client.subscribe(channel);
  // Unique names: the server must forget them.
  for (let i = 0; i < 5; i++) await client.publish(`${channel}.${client.sessionId}.${i}`, "");
  await client.subscribe(`${channel}.${client.sessionId}.*`);
  await client.publish(channel, `hello from ${client.sessionId}`);
  harness.counters.published++;
  for await (const { sender } of room) {
    harness.counters.delivered++;
    if (sender === client.sessionId) break;
  }
}

/** Connects, subscribes, and disconnects in the middle of a frame. */
async function abortedSession(harness: Harness, channel: string): Promise<void> {
  using client = await RawClient.greet(harness, { name: "aborted session" });
  await client.open(channel);
  await client.send(client.frame(0x04, { id: 1 }).subarray(0, 9));
}
