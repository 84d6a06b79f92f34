/**
 * Counts file descriptors, which no client may use up. Needs read permission for /proc.
 */

import { assert } from "@std/assert";
import { LINGER_MS } from "../../../lib/limits.ts";
import { within } from "../../harness/deadline.ts";
import { clientHello, readAll, Served, writeAll, writeUntilStuck } from "./fixtures.ts";

const canRead = (await Deno.permissions.query({ name: "read" })).state === "granted";
const ignore = !canRead || Deno.build.os !== "linux";

/** How often they are counted while waiting. There is no event for a descriptor that is freed. */
const COUNT_MS = 20;

function descriptors(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

/** Waits until at most `most` descriptors are open. */
async function untilAtMost(most: number): Promise<void> {
  const counted = async () => {
    while (descriptors() > most) await new Promise((resolve) => setTimeout(resolve, COUNT_MS));
  };
  await within(counted(), `at most ${most} descriptors; now ${descriptors()}`);
}

Deno.test(
  { name: "descriptors of 1,000 clients that stop in the handshake and never close are freed", ignore },
  async () => {
    await using served = new Served({ handshakeMs: 3000 });
    const before = descriptors();
    const peers: Deno.TcpConn[] = [];
    const beginnings = [clientHello.subarray(0, 0), clientHello.subarray(0, 100), clientHello];
    for (let i = 0; i < 1000; i++) {
      const peer = await Deno.connect(served.target);
      await writeAll(peer, beginnings[i % beginnings.length]);
      peers.push(peer);
    }
    const { client, server } = await served.pair(); // while they stay connected
    client.close();
    await readAll(server);
    server.close();
    for (let i = 0; i < peers.length; i++) await served.refused();
    await untilAtMost(before + peers.length); // their ends are in this process too
    for (const peer of peers) peer.close();
  },
);

Deno.test({ name: "descriptors of peers that stop reading are freed on close", ignore }, async () => {
  await using served = new Served();
  const before = descriptors();
  const clients = [];
  for (let i = 0; i < 5; i++) {
    const { client, server } = await served.pair();
    clients.push(client);
    (await writeUntilStuck(server)).stuck.catch(() => {});
    const closed = performance.now();
    server.close();
    await untilAtMost(before + clients.length);
    assert(performance.now() - closed < LINGER_MS + 3000);
  }
  for (const client of clients) client.close();
});

Deno.test({ name: "descriptors of a peer that does nothing are freed on close", ignore }, async () => {
  await using served = new Served();
  const before = descriptors();
  const { client, server } = await served.pair();
  server.close();
  await untilAtMost(before + 1);
  client.close();
});
