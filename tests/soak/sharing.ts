/**
 * Work shared by a group: each message to one member, none twice, none to nobody.
 *
 * @module
 */

import { numbered, numberOf, type Part } from "./harness.ts";

/** A publisher of work and the members of a group who share it, one of whom is replaced now and then. */
export function sharing(channel: string, members: number): Part {
  return async (harness) => {
    const { tally } = harness;
    /** Published, and not arrived yet. */
    const open = new Set<number>();
    let left = 0;
    const allDone = Promise.withResolvers<void>();
    const workers = await Promise.all(Array.from({ length: members }, async () => {
      const client = await harness.connect("worker");
      const input = await client.open(channel, { group: "workers" });
      const work = async () => {
        for await (const { payload } of input) {
          const number = numberOf(payload);
          if (!open.delete(number)) tally.found(`${channel}: work ${number} came twice, or was never sent`);
          tally.delivered++;
          if (harness.isOver && left === 0 && open.size === 0) allDone.resolve();
        }
      };
      work().catch((error) => tally.found(`${channel}: ${error.message}`));
      return client;
    }));
    await using publisher = await harness.connect("publisher");
    const output = await publisher.open(channel, { subscribe: false });
    const payload = numbered(harness.random, 200);
    for (let number = 1; !harness.isOver;) {
      for (left = 20; left > 0; left--) {
        open.add(number);
        await output.publish(payload(number++));
        tally.published++;
      }
      await harness.pause(10);
    }
    if (open.size === 0) allDone.resolve();
    await harness.settle(allDone.promise, () => `${channel}: ${open.size} pieces of work did not arrive`);
    for (const worker of workers) await worker.close();
  };
}
