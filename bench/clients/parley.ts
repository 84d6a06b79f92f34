/**
 * Parley's own library, of this checkout.
 *
 * @module
 */

import { connect } from "../../lib/mod.ts";
import type { LibraryClient } from "./client.ts";

/** See `ConnectLibrary`. */
export async function connectParley(port: number): Promise<LibraryClient> {
  const [sender, receiver] = await Promise.all([connect({ port }), connect({ port })]);
  return {
    async receive(channel, received) {
      const messages = await receiver.subscribe(channel);
      (async () => {
        for await (const _message of messages) received();
      })();
    },
    async publish(channel, payload, count) {
      for (let i = 0; i < count; i++) await sender.publish(channel, payload);
    },
    async respond(channel) {
      await receiver.respond(channel, ({ payload }) => payload);
    },
    async request(channel, payload) {
      return (await sender.request(channel, payload)).payload.length;
    },
  };
}
