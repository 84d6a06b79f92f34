/**
 * Redis, by its own client, which has no requests.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createClient } from "redis";
import type { LibraryClient } from "./client.ts";

/** See `ConnectLibrary`. */
export async function connectRedis(port: number): Promise<LibraryClient> {
  const url = `redis://127.0.0.1:${port}`;
  const [sender, receiver] = [createClient({ url }), createClient({ url })];
  await Promise.all([sender.connect(), receiver.connect()]);
  return {
    async receive(channel, received) {
      await receiver.subscribe(channel, () => received(), true);
    },
    async publish(channel, payload, count) {
      const bytes = Buffer.from(payload);
      // Each call resolves with the server's answer; calls of one turn share a write.
      await Promise.all(Array.from({ length: count }, () => sender.publish(channel, bytes)));
    },
  };
}
