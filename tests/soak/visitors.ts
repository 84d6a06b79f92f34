/**
 * Sessions that come and go, and one that stays and sees them.
 *
 * @module
 */

import type { Channel } from "../../lib/mod.ts";
import { RawClient } from "../raw_client.ts";
import { type Harness, type Part, SETTLE_MS } from "./harness.ts";

/** Visitors one after the other, `atOnce` at a time; whoever watches must in the end be alone again. */
export function visitors(channel: string, atOnce: number): Part {
  return async (harness) => {
    await using watcher = await harness.connect("watcher");
    let [joined, parted] = [0, 0];
    const room = await watcher.open(channel, {
      presence: ({ type }) => type === "joined" ? joined++ : parted++,
    });
    const reading = readGreetings(harness, room);
    await Promise.all(Array.from({ length: atOnce }, async (_, index) => {
      while (!harness.isOver) {
        if (index === 0) await visitRudely(harness, channel);
        else await visit(harness, channel);
        harness.tally.visits++;
        await harness.pause(harness.random.int(60));
      }
    }));
    const deadline = performance.now() + SETTLE_MS;
    while (room.memberCount > 1 && performance.now() < deadline) await watcher.ping();
    if (room.memberCount !== 1 || room.members.size !== 1 || joined !== parted) {
      harness.tally.found(
        `${channel}: ${room.memberCount} members after all have left; ${joined} came, ${parted} went`,
      );
    }
    await room.leave();
    await reading;
  };
}

async function readGreetings(harness: Harness, room: Channel): Promise<void> {
  try {
    for await (const message of room) {
      if (message.text() !== `hello from ${message.sender}`) {
        harness.tally.found(`${room.name}: a foreign message`);
      }
      harness.tally.delivered++;
    }
  } catch (error) {
    harness.tally.found(`${room.name}: ${error}`);
  }
}

/** Comes, opens some channels, says hello, hears itself, and leaves in order. */
async function visit(harness: Harness, channel: string): Promise<void> {
  await using client = await harness.connect("visitor");
  const room = await client.open(channel);
  // Names nobody else has: the server must forget them.
  for (let i = 0; i < 5; i++) await client.open(`${channel}.${client.number}.${i}`);
  await client.open(`${channel}.${client.number}.*`);
  await room.publish(`hello from ${client.number}`);
  harness.tally.published++;
  for await (const { sender } of room) {
    harness.tally.delivered++;
    if (sender === client.number) break;
  }
}

/** Comes, subscribes, and is gone in the middle of a frame. */
async function visitRudely(harness: Harness, channel: string): Promise<void> {
  using client = await RawClient.greet(harness, { name: "rude" });
  await client.open(channel);
  await client.send(client.frame(0x04, { id: 1 }).subarray(0, 9));
}
