/**
 * A program to be tested: it greets every session that joins a channel. See the test beside it.
 *
 * @module
 */

import type { Client, Subscription } from "@parley/parley";

/** Greets those that join `channel`, until the subscription that it returns ends. */
export async function greetNewcomers(client: Client, channel: string): Promise<Subscription> {
  return await client.subscribe(channel, {
    echo: false,
    presence: ({ type, name, sessionId }) => {
      if (type === "joined") client.sendTo(sessionId, `Welcome to ${channel}, ${name}!`).catch(() => {});
    },
  });
}
