/**
 * A durable channel whose server is killed again and again, with SIGKILL, while messages are on their way.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { connect } from "../../lib/client/connect.ts";
import type { Client, Subscription } from "../../lib/client/api.ts";
import type { ClientEvent } from "../../lib/client/events.ts";
import { within } from "../harness/deadline.ts";
import { makeFolder } from "../harness/folder.ts";
import { processTest } from "../harness/program.ts";
import { ServerProcess } from "../harness/server_process.ts";

const KILLS = Number(Deno.args[0] ?? 2);
const DEADLINE_MS = 60_000 + 10_000 * KILLS;
const RECONNECT = { initialMs: 50, maxMs: 200, keptBytes: 64 * 1024 * 1024 };

/** The lines of a subscription until "end", as numbers. */
async function readLines(lines: Subscription): Promise<number[]> {
  const read: number[] = [];
  for await (const line of lines) {
    if (line.text() === "end") break;
    read.push(Number(line.text()));
  }
  return read;
}

/** Acknowledges every line until the last one. Returns them in the order of their sequences. */
async function consume(lines: Subscription, last: Promise<number>): Promise<number[]> {
  const handled = new Map<number, number>();
  let count = Infinity;
  last.then((found) => count = found);
  for await (const line of lines) {
    if (line.text() !== "end") handled.set(line.sequence, Number(line.text()));
    line.ack();
    if (handled.size >= count) break;
  }
  return [...handled.keys()].sort((a, b) => a - b).map((sequence) => handled.get(sequence)!);
}

processTest("a server that is killed loses, repeats and reorders no line of a producer", async () => {
  using folder = makeFolder();
  const args = ["--durable", "d.>", "--store", `${folder.path}/store`];
  let server = await ServerProcess.start({ args });
  const { port } = server;
  const events: ClientEvent[] = [];
  const open = (): Promise<Client> =>
    connect({ port, reconnect: RECONNECT, onEvent: (event) => events.push(event) });
  await using subscriber = await open();
  await using worker = await open();
  await using publisher = await open();
  const lines = readLines(await subscriber.subscribe("d.lines", { from: "all" }));
  const last = Promise.withResolvers<number>();
  const consumed = consume(await worker.subscribe("d.lines", { consumer: "c", window: 100 }), last.promise);
  const producer = await publisher.producer("d.lines", "import-7");
  let isDone = false;
  let published = 0;
  let progress = Promise.withResolvers<void>();
  const publishing = (async () => {
    while (!isDone) {
      const burst = Array.from({ length: 100 }, () => producer.publish(`${published++}`));
      await Promise.all(burst);
      progress.resolve();
      progress = Promise.withResolvers<void>();
    }
  })();
  for (let kills = 0; kills < KILLS; kills++) {
    const before = producer.stored;
    while (producer.stored < before + 1000) await progress.promise;
    server.kill("SIGKILL");
    await server[Symbol.asyncDispose]();
    server = await ServerProcess.start({ args, listenPort: port });
  }
  isDone = true;
  await within(publishing, "receipt for every line", DEADLINE_MS);
  assertEquals(producer.stored, published);
  last.resolve(published);
  await producer.publish("end");
  const expected = Array.from({ length: published }, (_, line) => line);
  assertEquals(await within(lines, "all lines", DEADLINE_MS), expected);
  assertEquals(await within(consumed, "all lines at the consumer", DEADLINE_MS), expected);
  const resumed = events.filter((event) => event.type === "resumed");
  assert(resumed.length >= KILLS && resumed.every(({ recovered }) => recovered));
  await Promise.all([subscriber, worker, publisher].map((client) => client.close()));
  await server[Symbol.asyncDispose]();
});
