/**
 * NATS, by its own client.
 *
 * @module
 */

import { connect } from "@nats-io/transport-node";
import type { LibraryClient } from "./client.ts";

/** See `ConnectLibrary`. */
export async function connectNats(port: number): Promise<LibraryClient> {
  const servers = `127.0.0.1:${port}`;
  const [sender, receiver] = await Promise.all([connect({ servers }), connect({ servers })]);
  return {
    async receive(channel, received) {
      const messages = receiver.subscribe(channel);
      (async () => {
        for await (const _message of messages) received();
      })();
      await receiver.flush();
    },
    publish(channel, payload, count) {
      for (let i = 0; i < count; i++) sender.publish(channel, payload);
      return Promise.resolve();
    },
    async respond(channel) {
      receiver.subscribe(channel, { callback: (_error, message) => void message.respond(message.data) });
      await receiver.flush();
    },
    async request(channel, payload) {
      return (await sender.request(channel, payload, { timeout: 10_000 })).data.length;
    },
  };
}
