/**
 * Sessions that come and go, and one that stays and sees them.
 *
 * @module
 */

import type { Channel } from "../../lib/mod.ts";
import { RawClient } from "../raw_client.ts";
import { type Part, type Scene, SETTLE_MS } from "./harness.ts";

/** Visitors one after the other, `atOnce` at a time; whoever watches must in the end be alone again. */
export function visitors(channel: string, atOnce: number): Part {
  return async (scene) => {
    await using watcher = await scene.connect("watcher");
    let [joined, parted] = [0, 0];
    const room = await watcher.open(channel, {
      presence: ({ type }) => type === "joined" ? joined++ : parted++,
    });
    const reading = readGreetings(scene, room);
    await Promise.all(Array.from({ length: atOnce }, async (_, index) => {
      while (!scene.isOver) {
        if (index === 0) await visitRudely(scene, channel);
        else await visit(scene, channel);
        scene.tally.visits++;
        await scene.pause(scene.random.int(60));
      }
    }));
    const deadline = performance.now() + SETTLE_MS;
    while (room.memberCount > 1 && performance.now() < deadline) await watcher.ping();
    if (room.memberCount !== 1 || room.members.size !== 1 || joined !== parted) {
      scene.tally.found(
        `${channel}: ${room.memberCount} members after all have left; ${joined} came, ${parted} went`,
      );
    }
    await room.leave();
    await reading;
  };
}

async function readGreetings(scene: Scene, room: Channel): Promise<void> {
  try {
    for await (const message of room) {
      if (message.text() !== `hello from ${message.sender}`) {
        scene.tally.found(`${room.name}: a foreign message`);
      }
      scene.tally.delivered++;
    }
  } catch (error) {
    scene.tally.found(`${room.name}: ${error}`);
  }
}

/** Comes, opens some channels, says hello, hears itself, and leaves in order. */
async function visit(scene: Scene, channel: string): Promise<void> {
  await using client = await scene.connect("visitor");
  const room = await client.open(channel);
  // Names nobody else has: the server must forget them.
  for (let i = 0; i < 5; i++) await client.open(`${channel}.${client.number}.${i}`);
  await client.open(`${channel}.${client.number}.*`);
  await room.publish(`hello from ${client.number}`);
  scene.tally.published++;
  for await (const { sender } of room) {
    scene.tally.delivered++;
    if (sender === client.number) break;
  }
}

/** Comes, subscribes, and is gone in the middle of a frame. */
async function visitRudely(scene: Scene, channel: string): Promise<void> {
  using client = await RawClient.greet(scene, { name: "rude" });
  await client.open(channel);
  await client.send(client.frame(0x04, { id: 1 }).subarray(0, 9));
}
