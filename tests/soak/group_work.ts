/**
 * Work shared by a group: each message goes to exactly one member.
 *
 * @module
 */

import { numbered, numberOf, type Workload } from "./harness.ts";

/** A publisher, and `members` sessions that share its messages as one group. */
export function groupWork(channel: string, members: number): Workload {
  return async (harness) => {
    const { counters } = harness;
    /** Published and not yet received. */
    const open = new Set<number>();
    let unpublished = 0;
    const allReceived = Promise.withResolvers<void>();
    const workers = await Promise.all(Array.from({ length: members }, async () => {
      const client = await harness.connect("worker");
      const input = await client.subscribe(channel, { group: "workers" });
      const work = async () => {
        for await (const { payload } of input) {
          const number = numberOf(payload);
          if (!open.delete(number)) {
            counters.addProblem(`${channel}: message ${number} arrived twice, or was never sent`);
          }
          counters.delivered++;
          if (harness.isOver && unpublished === 0 && open.size === 0) allReceived.resolve();
        }
      };
      work().catch((error) => counters.addProblem(`${channel}: ${error.message}`));
      return client;
    }));
    await using publisher = await harness.connect("publisher");
    const payload = numbered(harness.random, 200);
    for (let number = 1; !harness.isOver;) {
      for (unpublished = 20; unpublished > 0; unpublished--) {
        open.add(number);
        await publisher.publish(channel, payload(number++));
        counters.published++;
      }
      await harness.pause(10);
    }
    if (open.size === 0) allReceived.resolve();
    await harness.settle(allReceived.promise, () => `${channel}: ${open.size} messages did not arrive`);
    for (const worker of workers) await worker.close();
  };
}
