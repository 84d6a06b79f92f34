import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect } from "../../lib/client/connect.ts";
import type { ClientEvent } from "../../lib/client/events.ts";
import type { ConnectOptions } from "../../lib/client/options.ts";
import { ParleyError } from "../../lib/errors.ts";
import { encodeFrame, Type } from "../../lib/wire/header.ts";
import { type FakePeer, playServer } from "./fake_server.ts";

const DURABLE = { durable: true, epoch: "e1", first: 1, last: 0 };

function connectTo(port: number, options?: ConnectOptions) {
  return connect({ port, reconnect: { initialMs: 20, maxMs: 50 }, ...options });
}

async function refuse(peer: FakePeer, code: string, id: number): Promise<void> {
  await peer.control({ type: Type.ERROR, id, channel: 5 }, { code, message: "disk is full", fatal: false });
}

/** How each promise settled: `stored`, or the code of its error. */
async function outcomes(promises: readonly Promise<void>[]): Promise<string[]> {
  const settled = await Promise.allSettled(promises);
  return settled.map((each) => each.status === "fulfilled" ? "stored" : (each.reason as ParleyError).code);
}

/** Resolves at the next event of a type. */
function watch(type: ClientEvent["type"]) {
  const { promise, resolve } = Promise.withResolvers<ClientEvent>();
  return { promise, onEvent: (event: ClientEvent) => event.type === type && resolve(event) };
}

Deno.test("calls of one turn share a receipt and a promise, which resolves when it comes", async () => {
  let isStored = false;
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.open(5, DURABLE);
    const first = await peer.batch();
    assertEquals(first.texts, ["first"]);
    await peer.ack(first.id, 5, 1);
    const burst = await peer.batch();
    assertEquals(burst.texts, ["a", "b", "c"]);
    await peer.write(encodeFrame({ type: Type.PING, id: 7 }));
    await peer.expect(Type.PONG);
    assertEquals(isStored, false);
    await peer.ack(burst.id, 5, 4);
    await peer.drain();
  }, async (port) => {
    const client = await connectTo(port);
    await client.publish("d", "first");
    const burst = ["a", "b", "c"].map((text) => client.publish("d", text));
    assert(burst[0] === burst[2]);
    await burst[0].then(() => isStored = true);
    await client.close();
  });
});

Deno.test("a channel that was opened to subscribe is known to be durable", async () => {
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.open(5, DURABLE);
    const { id } = await peer.batch();
    await peer.ack(id, 5, 1);
    await peer.drain();
  }, async (port) => {
    const client = await connectTo(port);
    await client.subscribe("d");
    await client.publish("d", "wants a receipt");
    await client.close();
  });
});

Deno.test("a batch is bounded, so that a long loop is sent while it runs", async () => {
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.open(5, DURABLE);
    for (let count = 0; count < 41;) {
      const { texts, id } = await peer.batch();
      count += texts.length;
      await peer.ack(id, 5, count);
    }
    await peer.drain();
  }, async (port) => {
    const client = await connectTo(port);
    await client.publish("d", "first");
    const promises = Array.from({ length: 40 }, () => client.publish("d", new Uint8Array(8192)));
    assertEquals(new Set(promises).size, 5);
    await Promise.all(promises);
    await client.close();
  });
});

Deno.test("not_stored rejects the calls it concerns, and the channel is opened again before more is sent", async () => {
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.open(5, DURABLE);
    await peer.ack((await peer.batch()).id, 5, 1);
    const burst = [await peer.batch(), await peer.batch()];
    for (const { texts, id } of burst) {
      assertEquals(texts.length, 2);
      await refuse(peer, "not_stored", 0);
      await refuse(peer, "not_stored", id);
    }
    assertEquals((await peer.open(5, DURABLE)).retry, true);
    const probe = await peer.batch();
    assertEquals(probe.texts, ["e"]); // alone, so that its refusal is certain
    const behind = await peer.batch();
    assertEquals(behind.texts, ["f", "g"]);
    await refuse(peer, "not_stored", probe.id);
    await refuse(peer, "not_stored", 0);
    await refuse(peer, "not_stored", behind.id);
    assertEquals((await peer.open(5, DURABLE)).retry, true);
    await peer.ack((await peer.batch()).id, 5, 2);
    assertEquals((await peer.batch()).texts, ["i", "j"]);
  }, async (port) => {
    const wasSent = Promise.withResolvers<void>();
    let receipts = 0;
    const trace: ConnectOptions["trace"] = (way, { type, id }) => {
      if (way === "out" && type === Type.MESSAGE && id !== 0 && ++receipts === 2) wasSent.resolve();
    };
    const client = await connectTo(port, { trace, reconnect: false });
    const publish = (text: string) => client.publish("d", text);
    await publish("first");
    // The first messages of the first batch may have been in a commit that succeeded.
    const burst = ["a", "b"].map(publish);
    await wasSent.promise;
    burst.push(...["c", "d"].map(publish));
    assertEquals(await outcomes(burst), ["interrupted", "interrupted", "not_stored", "not_stored"]);
    await assertRejects(() => burst[0], ParleyError, "2 messages on d were sent together");
    const again = ["e", "f", "g"].map(publish);
    assertEquals(await outcomes(again), ["not_stored", "not_stored", "not_stored"]);
    await publish("h");
    await assertRejects(() => Promise.all(["i", "j"].map(publish)), ParleyError, "may or may not be stored");
    await client.closed;
  });
});

Deno.test("a message whose receipt had not come when the connection broke is in doubt, and not sent again", async () => {
  await playServer(async (server) => {
    {
      using peer = await server.greet();
      await peer.open(5, DURABLE);
      const first = await peer.batch();
      await peer.ack(first.id, 5, 1);
      await peer.batch();
    }
    using peer = await server.greet();
    await peer.open(5, { ...DURABLE, last: 1 });
    const meanwhile = await peer.batch();
    assertEquals(meanwhile.texts, ["meanwhile"]);
    await peer.ack(meanwhile.id, 5, 2);
    await peer.drain();
  }, async (port) => {
    const { promise, onEvent } = watch("interrupted");
    const client = await connectTo(port, { onEvent });
    await client.publish("d", "stored");
    const error = await assertRejects(
      () => client.publish("d", "in doubt"),
      ParleyError,
      "may or may not be stored",
    );
    assertEquals(error.code, "interrupted");
    assertEquals((await promise as { unconfirmed: number }).unconfirmed, 1);
    await client.publish("d", "meanwhile");
    await client.close();
  });
});

Deno.test("what is not stored, and no call reports, is reported by flush or onError", async () => {
  for (const hasOnError of [false, true]) {
    await playServer(async (server) => {
      using peer = await server.greet();
      await peer.open(5, DURABLE);
      await refuse(peer, "not_stored", (await peer.batch()).id);
      await peer.write(encodeFrame({ type: Type.PING, id: 7 }));
      await peer.drain();
    }, async (port) => {
      const errors: string[] = [];
      const refused = Promise.withResolvers<void>();
      const client = await connectTo(port, {
        onError: hasOnError ? ({ code }) => errors.push(code) : undefined,
        trace: (way, { type }) => way === "in" && type === Type.PING && refused.resolve(),
      });
      client.publish("d", "nothing waits for this");
      await refused.promise;
      if (hasOnError) assertEquals(errors, ["not_stored"]);
      else {assertEquals(
          (await assertRejects(() => client.publish("d", "next"), ParleyError)).code,
          "not_stored",
        );}
      await client.close().catch(() => {});
    });
  }
});

Deno.test("a producer sends again just what is not stored", async () => {
  await playServer(async (server) => {
    {
      using peer = await server.greet();
      const { producer } = await peer.open(5, { ...DURABLE, stored: 40 });
      assertEquals(producer, "import-7");
      assertEquals((await peer.batch()).texts, ["41", "42", "43"]);
      assertEquals((await peer.batch()).texts, ["44"]);
    }
    using peer = await server.greet();
    assertEquals((await peer.open(6, { ...DURABLE, stored: 42 })).producer, "import-7");
    const { texts, id } = await peer.batch();
    assertEquals(texts, ["43"]);
    await peer.ack(id, 6, 43);
    const last = await peer.batch();
    assertEquals(last.texts, ["44"]);
    await peer.ack(last.id, 6, 44);
    const meanwhile = await peer.batch();
    assertEquals(meanwhile.texts, ["45"]);
    await peer.ack(meanwhile.id, 6, 45);
    await peer.drain();
  }, async (port) => {
    const { promise: interrupted, onEvent } = watch("interrupted");
    const client = await connectTo(port, { onEvent });
    const producer = await client.producer("d", "import-7");
    assertEquals([producer.channel, producer.name, producer.stored], ["d", "import-7", 40]);
    const promises = ["41", "42", "43"].map((line) => producer.publish(line));
    await new Promise((resolve) => setTimeout(resolve));
    promises.push(producer.publish("44"));
    await interrupted;
    promises.push(client.publish("d", "45", { producer: "import-7" }));
    await client.flush();
    assertEquals(await outcomes(promises), ["stored", "stored", "stored", "stored", "stored"]);
    assertEquals(producer.stored, 45);
    await client.close();
  });
});

Deno.test("a producer of whose messages a part was refused goes on after a broken connection", async () => {
  await playServer(async (server) => {
    {
      using peer = await server.greet();
      await peer.open(5, { ...DURABLE, stored: 0 });
      const { texts, id } = await peer.batch();
      assertEquals(texts, ["1", "2", "3"]);
      await refuse(peer, "not_stored", id);
      await peer.write(encodeFrame({ type: Type.PING, id: 7 }));
      await peer.expect(Type.PONG);
    }
    using peer = await server.greet();
    await peer.open(5, { ...DURABLE, stored: 2 });
    const { texts, id } = await peer.batch();
    assertEquals(texts, ["3"]);
    await peer.ack(id, 5, 3);
    await peer.drain();
  }, async (port) => {
    const { promise: resumed, onEvent } = watch("resumed");
    const client = await connectTo(port, { onEvent });
    const producer = await client.producer("d", "p");
    const batch = ["1", "2", "3"].map((line) => producer.publish(line));
    assertEquals(await outcomes(batch), ["interrupted", "interrupted", "interrupted"]);
    await resumed;
    assertEquals((await client.producer("d", "p")).stored, 2);
    await producer.publish("3");
    assertEquals(producer.stored, 3);
    await client.close();
  });
});

Deno.test("a producer that was taken over has ended, and does not take itself back", async () => {
  await playServer(async (server) => {
    {
      using peer = await server.greet();
      await peer.open(5, { ...DURABLE, stored: 0 });
      const { id } = await peer.batch();
      await refuse(peer, "fenced", 0);
      await peer.ack(id, 5, 1); // stored before
      await peer.expect(Type.PING);
    }
    using peer = await server.greet();
    const { type } = (await peer.read())!.header;
    assertEquals(type, Type.PING, "no OPEN");
    await peer.write(encodeFrame({ type: Type.PONG, id: 1 }));
    assertEquals((await peer.open(5, { ...DURABLE, stored: 7 })).producer, "p");
    await peer.drain();
  }, async (port) => {
    const { promise: resumed, onEvent } = watch("resumed");
    const client = await connectTo(port, { onEvent });
    const producer = await client.producer("d", "p");
    await producer.publish("1");
    const error = await assertRejects(() => producer.publish("2"), ParleyError, "this one has ended");
    assertEquals(error.code, "fenced");
    client.ping().catch(() => {});
    await resumed;
    await client.ping();
    assertEquals((await client.producer("d", "p")).stored, 7); // when the program says so
    await client.close();
  });
});

Deno.test("a producer that another session has been, or whose channel began anew, ends", async () => {
  for (const [stored, code] of [[9, "fenced"], [2, "epoch_changed"]] as const) {
    await playServer(async (server) => {
      {
        using peer = await server.greet();
        await peer.open(5, { ...DURABLE, stored: 4 });
        await peer.batch();
      }
      using peer = await server.greet();
      await peer.open(5, { ...DURABLE, stored });
      await peer.drain();
    }, async (port) => {
      const client = await connectTo(port);
      const producer = await client.producer("d", "p");
      assertEquals(await outcomes([producer.publish("5")]), [code]);
      assertEquals(await outcomes([producer.publish("6")]), [code]);
      await client.close();
    });
  }
});

Deno.test("a client is one producer on a channel, and publishes nothing else there", async () => {
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.open(5, { ...DURABLE, stored: 0 });
    await refuseOpen(peer, "not_durable");
    await refuseOpen(peer, "not_durable");
    await peer.drain();
  }, async (port) => {
    const client = await connectTo(port);
    await client.producer("d", "p");
    const calls = [
      client.publish("d", "x"),
      client.publish("d", "x", { producer: "q" }),
      client.publish("d", "x", { producer: "a.b" }),
      client.producer("d", "q").then(() => {}),
      client.publish("plain", "x", { producer: "p" }),
    ];
    const bad = "bad_argument";
    assertEquals(await outcomes(calls), [bad, bad, bad, bad, "not_durable"]);
    assertEquals(await outcomes([client.producer("plain", "p").then(() => {})]), ["not_durable"]);
    await client.close();
  });
});

async function refuseOpen(peer: FakePeer, code: string): Promise<void> {
  const { header } = await peer.expect(Type.OPEN);
  await peer.control({ type: Type.ERROR, id: header.id }, { code, message: "no", fatal: false });
}
