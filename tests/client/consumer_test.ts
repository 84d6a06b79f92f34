import { assertEquals, assertThrows } from "@std/assert";
import { connect } from "../../lib/client/connect.ts";
import type { Subscription } from "../../lib/client/api.ts";
import type { Message } from "../../lib/client/message_types.ts";
import { ParleyError } from "../../lib/errors.ts";
import { Type, u32 } from "../../lib/wire/header.ts";
import { typeName } from "../../lib/wire/type_name.ts";
import { u64 } from "../../lib/wire/sequences.ts";
import { serve } from "../../lib/server/serve.ts";
import { makeFolder } from "../harness/folder.ts";
import { MAY_USE_FILES } from "../harness/permissions.ts";
import { type FakePeer, playServer } from "./fake_server.ts";
import { next } from "./messages.ts";

const DURABLE = { durable: true, epoch: "e1", first: 1, last: 100 };

/** The next ACK, NAK or RENEW: its name, and the numbers it has. */
async function settlement(peer: FakePeer): Promise<(string | number)[]> {
  const frame = await peer.read();
  if (frame === undefined) return ["end"];
  const { header, payload } = frame;
  const numbers = header.type === Type.NAK
    ? [u64(payload, 0), u32(payload, 8)]
    : payload.length === 16
    ? [u64(payload, 0), u64(payload, 8)]
    : payload.length === 8
    ? [u64(payload, 0)]
    : [];
  return [typeName(header.type), ...numbers];
}

Deno.test("acknowledgements of one turn are one ACK while they are in order, and ranges if not", async () => {
  const read = Promise.withResolvers<void>();
  await playServer(async (server) => {
    using peer = await server.greet();
    const open = await peer.open(5, DURABLE);
    const { consumer, window, exclusive, ackSeconds, deliveries, from } = open;
    assertEquals([consumer, window, exclusive, ackSeconds, deliveries, from], ["c", 50, true, 60, 3, "all"]);
    await peer.deliver(5, 1, ["1", "2", "3"]);
    await peer.deliver(5, 10, ["10", "11", "12", "13", "14"]); // 4 to 9 went to another session
    await peer.deliver(5, 4, ["4"], 2);
    assertEquals(await settlement(peer), ["ACK", 10]);
    assertEquals(await settlement(peer), ["ACK", 12, 13]);
    assertEquals(await settlement(peer), ["ACK", 4, 4]);
    assertEquals(await settlement(peer), ["ACK", 13]); // 11 was the last that lacked
    assertEquals(await settlement(peer), ["NAK", 14, 1500]);
    await peer.deliver(5, 20, ["20", "21", "22"]);
    assertEquals(await settlement(peer), ["NAK", 21, 0xffff_ffff]);
    assertEquals(await settlement(peer), ["ACK", 20, 20]); // not up to 20: 14 is to come again
    assertEquals(await settlement(peer), ["ACK", 22, 22]);
    read.resolve();
    await peer.answerPings();
  }, async (port) => {
    const client = await connect({ port });
    const consumer = await client.subscribe("d", {
      consumer: "c",
      window: 50,
      exclusive: true,
      ackSeconds: 60,
      deliveries: 3,
      from: "all",
    });
    const messages: Message[] = [];
    while (messages.length < 9) messages.push(await next(consumer));
    assertEquals(messages.map(({ sequence }) => sequence), [1, 2, 3, 10, 11, 12, 13, 14, 4]);
    assertEquals(messages.map(({ deliveries }) => deliveries), [1, 1, 1, 1, 1, 1, 1, 1, 3]);
    for (const at of [0, 1, 2, 3, 5, 6, 8]) messages[at].ack();
    messages[3].ack(); // only the first call counts
    await Promise.resolve();
    messages[4].ack();
    await Promise.resolve();
    assertThrows(() => messages[7].nak(-1), ParleyError, "delayMs");
    messages[7].nak(1500);
    messages[7].ack();
    const [a, b, c] = [await next(consumer), await next(consumer), await next(consumer)];
    a.ack();
    b.setAside();
    c.ack();
    await read.promise;
    await client.close();
  });
});

Deno.test("while the body of a loop runs, its message and those behind it are renewed", async () => {
  const renewed = Promise.withResolvers<void>();
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.open(5, DURABLE);
    await peer.deliver(5, 1, ["1", "2", "3"]);
    await peer.deliver(5, 7, ["7"]);
    await peer.deliver(5, 5, ["5"], 1);
    assertEquals(await settlement(peer), ["RENEW", 1, 1]);
    assertEquals(await settlement(peer), ["RENEW", 2, 7]);
    assertEquals(await settlement(peer), ["RENEW", 5, 5]);
    renewed.resolve();
    assertEquals(await settlement(peer), ["RENEW", 2, 2]); // by hand
    assertEquals(await settlement(peer), ["ACK", 1]);
    await peer.answerPings();
  }, async (port) => {
    const client = await connect({ port, reconnect: false });
    const consumer = await client.subscribe("d", { consumer: "c", ackSeconds: 1 });
    for await (const message of consumer) {
      if (message.sequence === 2) {
        message.renew();
        break;
      }
      await renewed.promise;
      message.ack();
    }
    await client.close();
  });
});

Deno.test("after a broken connection, what was not acknowledged comes again, and only that counts", async () => {
  const asked = Promise.withResolvers<void>();
  await playServer(async (server) => {
    {
      using peer = await server.greet();
      await peer.open(5, DURABLE);
      await peer.deliver(5, 1, ["1", "2", "3"]);
      await asked.promise;
    }
    using peer = await server.greet();
    assertEquals((await peer.open(6, DURABLE)).consumer, "c");
    await peer.deliver(6, 1, ["1", "2"], 1);
    assertEquals(await settlement(peer), ["ACK", 1, 1]);
    await peer.answerPings();
  }, async (port) => {
    const resumed = Promise.withResolvers<unknown>();
    const client = await connect({
      port,
      reconnect: { initialMs: 20 },
      onEvent: (event) => event.type === "resumed" && resumed.resolve(event.recovered),
    });
    const consumer = await client.subscribe("d", { consumer: "c" });
    const before = await next(consumer);
    asked.resolve();
    assertEquals(await resumed.promise, true);
    const again = await next(consumer);
    before.ack(); // which the new session was not delivered
    again.ack();
    assertEquals([before.deliveries, again.deliveries, (await next(consumer)).text()], [1, 2, "2"]);
    await client.close();
  });
});

Deno.test("only a consumer's message can be acknowledged", async () => {
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.open(5, DURABLE);
    await peer.deliver(5, 1, ["1"]);
    await peer.answerPings();
  }, async (port) => {
    const client = await connect({ port });
    const message = await next(await client.subscribe("d"));
    for (const settle of ["ack", "nak", "setAside", "renew"] as const) {
      assertThrows(() => message[settle](), ParleyError, "cannot be acknowledged");
    }
    await client.close();
  });
});

Deno.test({
  name:
    "clients share a consumer: what one gives back another gets, and too many deliveries set a message aside",
  ignore: !MAY_USE_FILES,
  fn: async () => {
    using folder = makeFolder();
    await using server = await serve({
      port: 0,
      store: `${folder.path}/store`,
      stored: [{ channels: "jobs.>", storage: "durable" }],
    });
    await using publisher = await connect({ port: server.port });
    await using ada = await connect({ port: server.port });
    await using grace = await connect({ port: server.port });
    const handled: string[] = [];
    const tooOften = Promise.withResolvers<void>();
    const last = Promise.withResolvers<void>();
    const work = async (jobs: Subscription, name: string) => {
      for await (const job of jobs) {
        if (job.sequence === 7) job.nak(1); // no client can do it
        else if (job.sequence === 13 && job.deliveries === 1) job.nak();
        else {
          job.ack();
          handled.push(`${job.sequence} ${name}`);
        }
        if (job.sequence === 7 && job.deliveries === 3) tooOften.resolve();
        if (job.sequence === 21) last.resolve();
      }
    };
    const options = { consumer: "resizer", window: 2, deliveries: 3 };
    const [adas, graces] = [
      await ada.subscribe("jobs.resize", options),
      await grace.subscribe("jobs.resize", options),
    ];
    const working = [work(adas, "ada"), work(graces, "grace")];
    await Promise.all(Array.from({ length: 20 }, (_, at) => publisher.publish("jobs.resize", `${at + 1}`)));
    await tooOften.promise;
    await publisher.publish("jobs.resize", "21");
    await last.promise;
    await Promise.all([ada.close(), grace.close(), ...working]);
    const sequences = handled.map((each) => Number(each.split(" ")[0])).sort((a, b) => a - b);
    assertEquals(sequences, Array.from({ length: 21 }, (_, at) => at + 1).filter((each) => each !== 7));
    assertEquals(new Set(handled.map((each) => each.split(" ")[1])).size, 2);
  },
});
