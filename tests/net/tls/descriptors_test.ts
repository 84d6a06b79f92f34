/**
 * Descriptors, counted: the one thing a stranger must not be able to use up. Needs to read /proc.
 */

import { assert } from "@std/assert";
import { LINGER_MS } from "../../../lib/limits.ts";
import { within } from "../../harness/deadline.ts";
import { greeting, readAll, Served, writeAll, writeUntilStuck } from "./fixtures.ts";

const canRead = (await Deno.permissions.query({ name: "read" })).state === "granted";
const ignore = !canRead || Deno.build.os !== "linux";

/** How often they are counted while waiting; there is no event for a descriptor that is freed. */
const COUNT_MS = 20;

function descriptors(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

/** Waits until there are at most `most` of them. */
async function back(most: number): Promise<void> {
  const counted = async () => {
    while (descriptors() > most) await new Promise((resolve) => setTimeout(resolve, COUNT_MS));
  };
  await within(counted(), `way back to ${most} descriptors from ${descriptors()}`);
}

Deno.test(
  { name: "1,000 strangers who stop in the handshake and never close give them back", ignore },
  async () => {
    await using served = new Served({ handshakeMs: 3000 });
    const before = descriptors();
    const strangers: Deno.TcpConn[] = [];
    const beginnings = [greeting.subarray(0, 0), greeting.subarray(0, 100), greeting];
    for (let i = 0; i < 1000; i++) {
      const stranger = await Deno.connect(served.target);
      await writeAll(stranger, beginnings[i % beginnings.length]);
      strangers.push(stranger);
    }
    const { client, server } = await served.pair(); // while they hang on
    client.close();
    await readAll(server);
    server.close();
    for (let i = 0; i < strangers.length; i++) await served.refused();
    await back(before + strangers.length); // theirs are in this process too
    for (const stranger of strangers) stranger.close();
  },
);

Deno.test({ name: "peers that stop reading give them back when they are closed", ignore }, async () => {
  await using served = new Served();
  const before = descriptors();
  const clients = [];
  for (let i = 0; i < 5; i++) {
    const { client, server } = await served.pair();
    clients.push(client);
    (await writeUntilStuck(server)).stuck.catch(() => {});
    const closed = performance.now();
    server.close();
    await back(before + clients.length);
    assert(performance.now() - closed < LINGER_MS + 3000);
  }
  for (const client of clients) client.close();
});

Deno.test({ name: "a peer that does nothing gives them back when it is closed", ignore }, async () => {
  await using served = new Served();
  const before = descriptors();
  const { client, server } = await served.pair();
  server.close();
  await back(before + 1);
  client.close();
});
