/**
 * Attacks by accepted sessions: on the inboxes of others, on channels outside their permissions, and on limits.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Type } from "../../lib/wire/header.ts";
import { inbox, json, type RawClient, text } from "../harness/raw_client.ts";
import { attack, type Harness } from "./harness.ts";
import { BOTH } from "./transport.ts";

attack(
  "the inbox of another session is closed to a token without direct",
  { auth: true },
  async (harness) => {
    const victim = await harness.greet({ token: await harness.token() });
    const mallory = await harness.greet({ token: await harness.token({ direct: false }) });
    await mallory.send(
      ...[1, 2, 3].map((i) => mallory.message(inbox(victim.number), `${i}`)),
      mallory.message(inbox(0x7fffffff), "no session"),
      mallory.reply(7, victim.number, "a reply without a request"),
    );
    const refusals = [];
    for (const frame of await mallory.barrier()) refusals.push([json(frame).code, frame.channel]);
    // Also for a session that does not exist: a client that may not write to inboxes does not learn which ones exist.
    assertEquals(refusals, [
      ["forbidden", inbox(victim.number)],
      ["forbidden", inbox(0x7fffffff)],
      ["forbidden", inbox(victim.number)],
    ]);
    assertEquals(await victim.barrier(), []);
    await mallory.send(mallory.message(inbox(mallory.number), "to itself"));
    assertEquals(text(await mallory.expect(Type.MESSAGE)), "to itself");
  },
);

attack(
  "a subscription wider than the grant is refused, and nothing of it arrives",
  { auth: true },
  async (harness) => {
    const publisher = await harness.greet({ token: await harness.token() });
    const token = await harness.token({ publish: ["chat.lobby"], subscribe: ["chat.*", "jobs.done"] });
    const mallory = await harness.greet({ token });
    const refused = [
      ">",
      "*",
      "chat.>",
      "*.lobby",
      "chat.*.deep",
      "jobs.*",
      "jobs",
      "chat",
      "$admin.>",
      "$SYS",
    ];
    for (const channel of refused) {
      const id = mallory.nextId();
      await mallory.send(mallory.frame(Type.OPEN, { id }, { channel, subscribe: true }));
      assertEquals((await mallory.refused("forbidden")).id, id, channel);
    }
    await mallory.open("chat.*");
    // A name that is granted for subscribing only.
    const opened = await mallory.open("jobs.done");
    assertEquals(opened.publish, false);
    await mallory.send(mallory.message(opened.number, "not permitted"));
    assertEquals((await mallory.refused("forbidden")).channel, opened.number);
    for (const channel of ["chat.lobby.deep", "jobs.new", "jobs", "secret", "chat.lobby", "jobs.done"]) {
      const number = await publisher.openToPublish(channel);
      await publisher.send(publisher.message(number, channel));
    }
    await publisher.barrier();
    const received = (await mallory.barrier()).filter(({ type }) => type === Type.MESSAGE).map(text);
    assertEquals(received, ["chat.lobby", "jobs.done"]);
  },
);

attack(
  "connections beyond the limit in all are rejected as server_full, and when one ends, another is accepted",
  { limits: { connections: 8 }, transports: BOTH },
  async (harness) => {
    // TLS handshakes under way are counted separately: these sessions are accepted before the others connect.
    const inside: RawClient[] = [];
    for (let i = 0; i < 6; i++) inside.push(await harness.greet());
    const outside: RawClient[] = [];
    for (let i = 0; i < 100; i++) outside.push(await harness.connect());
    for (const rejected of outside) {
      assertStringIncludes((await rejected.ended("server_full")).message, "8 connections");
    }
    const leaver = inside.pop()!;
    leaver.close();
    await harness.host.log.until("closed", { number: leaver.number });
    let next = await harness.connect();
    for (; !await isAccepted(next); next = await harness.connect());
    assertEquals(await next.barrier(), []);
  },
);

/** Sends HELLO; whether it was accepted. The server counts a connection until a moment after its session has ended. */
async function isAccepted(client: RawClient): Promise<boolean> {
  try {
    await client.hello();
    return true;
  } catch {
    return false;
  }
}

attack(
  "connections beyond the limit of an address are rejected as server_full",
  { limits: { connectionsPerAddress: 6 }, transports: BOTH },
  async (harness) => {
    for (let i = 0; i < 4; i++) await harness.greet();
    for (let i = 0; i < 20; i++) {
      const rejected = await harness.connect();
      const { message } = await rejected.ended("server_full");
      assertStringIncludes(message, "127.0.0.1");
    }
  },
);

/** A subscriber of a channel, and a session that may publish on it. */
async function subscribed(harness: Harness) {
  const subscriber = await harness.greet();
  const { number } = await subscriber.open("chat");
  const mallory = await harness.greet();
  await mallory.openToPublish("chat");
  return { subscriber, mallory, number };
}

attack(
  "a limit of messages per second is kept by back-pressure: all arrive, none is refused, none early",
  { limits: { messagesPerSecond: 500 } },
  async (harness) => {
    const { subscriber, mallory, number } = await subscribed(harness);
    const start = performance.now();
    const count = 1000;
    await mallory.send(...Array.from({ length: count }, (_, i) => mallory.message(number, `${i}`)));
    for (let i = 0; i < count; i++) assertEquals(text(await subscriber.expect(Type.MESSAGE)), `${i}`);
    const took = performance.now() - start;
    // The first second's worth passes at once, the rest at the rate, which may be exceeded by a tenth of a second.
    assert(took >= 850, `${count} messages at 500 a second took ${Math.round(took)} ms`);
    assertEquals(await mallory.barrier(), []);
  },
);

attack(
  "a limit of bytes per second is kept by back-pressure: all arrive, none is refused, none early",
  { limits: { bytesPerSecond: 1024 * 1024 }, transports: BOTH },
  async (harness) => {
    const { subscriber, mallory, number } = await subscribed(harness);
    const start = performance.now();
    const count = 128;
    const sending = mallory.send(
      ...Array.from({ length: count }, () => mallory.message(number, new Uint8Array(16 * 1024))),
    );
    await subscriber.expectMany(count);
    const took = performance.now() - start;
    assert(took >= 850, `2 MiB at 1 MiB a second took ${Math.round(took)} ms`);
    await sending;
    assertEquals(await mallory.barrier(), []);
  },
);

attack(
  "with 65,535 outstanding requests an id that is used again is refused, and the replies arrive",
  { limits: { requests: 65_535 } },
  async (harness) => {
    // Five responders, because one has at most 16,384 requests to answer. They take turns.
    const responders = [];
    for (let i = 0; i < 5; i++) responders.push(await harness.greet());
    let number = 0;
    for (const responder of responders) ({ number } = await responder.respond("jobs"));
    const mallory = await harness.greet();
    await mallory.openToPublish("jobs");
    const batch = 5_000;
    for (let first = 1; first <= 65_535; first += batch) {
      const last = Math.min(first + batch - 1, 65_535);
      const ids = Array.from({ length: last - first + 1 }, (_, i) => first + i);
      const sending = mallory.send(...ids.map((id) => mallory.request(id, number)));
      for (const responder of responders) await responder.expectMany(ids.length / 5, Type.REQUEST);
      await sending;
    }
    await mallory.send(mallory.request(1, number), mallory.request(65_535, number));
    assertEquals((await mallory.refused("id_in_use")).id, 1);
    assertEquals((await mallory.refused("id_in_use")).id, 65_535);
    const [first] = responders;
    await first.send(first.reply(1, mallory.number, "done"));
    assertEquals((await mallory.expect(Type.REPLY)).id, 1);
    await mallory.send(mallory.request(1, number));
    assertEquals((await first.expect(Type.REQUEST)).id, 1);
    // 65,535 requests are dropped at once when their requester ends.
    mallory.close();
  },
);

attack(
  "a request beyond the limit of outstanding ones is refused, and costs nothing else",
  { limits: { requests: 4096 } },
  async (harness) => {
    const responder = await harness.greet();
    const { number } = await responder.respond("jobs");
    const mallory = await harness.greet();
    await mallory.openToPublish("jobs");
    await mallory.send(...Array.from({ length: 4196 }, (_, i) => mallory.request(i + 1, number)));
    const refusals = await mallory.barrier();
    assertEquals(
      refusals.map((frame) => [frame.id, json(frame).code]),
      Array.from({ length: 100 }, (_, i) => [4097 + i, "limit"]),
    );
    assertEquals((await responder.barrier()).length, 4096);
  },
);
