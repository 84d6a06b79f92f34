/**
 * Mosquitto, by MQTT.js, which has no requests.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { connectAsync } from "mqtt";
import type { LibraryClient } from "./client.ts";

/** See `ConnectLibrary`. */
export async function connectMosquitto(port: number): Promise<LibraryClient> {
  const url = `mqtt://127.0.0.1:${port}`;
  const [sender, receiver] = await Promise.all([connectAsync(url), connectAsync(url)]);
  return {
    async receive(channel, received) {
      receiver.on("message", received);
      await receiver.subscribeAsync(channel);
    },
    async publish(channel, payload, count) {
      const bytes = Buffer.from(payload);
      for (let i = 1; i < count; i++) sender.publish(channel, bytes);
      await sender.publishAsync(channel, bytes); // those before it are written by then
    },
  };
}
