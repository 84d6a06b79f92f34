/**
 * Attacks by clients that have not been accepted. They cost a server descriptors: each of these tests reads those of a
 * server process, and keeps its own end open until they are freed.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Type } from "../../lib/wire/header.ts";
import { clientHello } from "../harness/client_hello.ts";
import { LoadFreeClock } from "../harness/load_free_clock.ts";
import { concat, RawClient, text } from "../harness/raw_client.ts";
import { everyProgramAttack, freed, type Harness } from "./harness.ts";
import { freesUnread, type ProcessHost } from "./host.ts";
import type { RelayedClient } from "./transport.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** Much more than may be pending for a session, and more than the kernel buffers. */
const FLOOD_BYTES = 96 * MiB;

const IMPATIENT = {
  args: [
    ...["--handshake-time", "1", "--slow-consumer-timeout", "1"],
    ...["--max-payload", "64KiB", "--max-pending", "256KiB"],
  ],
};

/** Waits until the server has logged `count` more lines with `message` and such a `reason` than before. */
async function reasons(
  harness: Harness<ProcessHost>,
  message: string,
  reason: RegExp,
  count: number,
): Promise<void> {
  const { log } = harness.host;
  const found = () => log.all(message).filter((line) => reason.test(`${line.reason}`)).length;
  await harness.until(
    () => found() >= count,
    () => `${found()} of ${count} lines "${message}" with ${reason}`,
  );
}

everyProgramAttack("clients that are silent, stop reading or break off", IMPATIENT, {
  // First, because it looks at the peak of the memory.
  "a subscriber that stops reading is closed as slow_consumer, its descriptor is freed, and memory stays bounded":
    async (harness, programs) => {
      const before = harness.host.descriptors();
      const publisher = await harness.greet();
      const perSession = harness.host.descriptors() - before;
      const slow = await harness.greet();
      const { number } = await slow.open("slow");
      await publisher.openToPublish("slow");
      const message = publisher.message(number, new Uint8Array(32 * KiB));
      const peak = harness.host.server.peakBytes();
      // It is closed during this; the rest is delivered to no session.
      for (let sent = 0; sent < FLOOD_BYTES; sent += message.length) await publisher.send(message);
      assertEquals(await publisher.barrier(), []);
      const grown = Math.round((harness.host.server.peakBytes() - peak) / MiB);
      assert(grown < FLOOD_BYTES / MiB / 2, `it grew by ${grown} MiB`);
      await harness.host.log.until("closed", { number: slow.number, reason: "slow_consumer" });
      if (freesUnread(programs)) await freed(harness, before + perSession);
      slow.close();
      await freed(harness, before + perSession);
    },
  "connections that send nothing, or 15 of the 16 bytes of a header, are closed after the handshake time":
    async (harness) => {
      const before = harness.host.descriptors();
      const { isTls } = harness.transport;
      const silent: RawClient[] = [];
      const silentTcp: RawClient[] = [];
      for (let i = 0; i < 10; i++) {
        silent.push(await harness.connect());
        silentTcp.push(await harness.connectTcp());
        const begun = await harness.connect();
        await begun.send(begun.frame(Type.HELLO, {}, { protocol: "parley/1" }).subarray(0, 15));
        silent.push(begun);
      }
      for (const client of silent) await client.ended("timeout");
      for (const client of silentTcp) {
        if (isTls) await client.end();
        else await client.ended("timeout");
      }
      if (isTls) await reasons(harness, "TLS handshake failed", /no complete TLS ClientHello within 1 s/, 10);
      await freed(harness, before);
    },
  "a byte now and then does not extend the handshake time": async (harness) => {
    const before = harness.host.descriptors();
    const inside = await harness.connect();
    const outside = await harness.connectTcp();
    const hello = inside.frame(Type.HELLO, {}, { protocol: "parley/1" });
    const greeting = harness.transport.isTls ? await clientHello() : hello;
    const start = performance.now();
    let at = 0;
    const drip = () => {
      inside.send(hello.subarray(at, at + 1)).catch(() => {});
      outside.send(greeting.subarray(at, at + 1)).catch(() => {});
      at++;
    };
    drip();
    const dripping = setInterval(drip, 300);
    try {
      await inside.ended("timeout");
      if (harness.transport.isTls) await outside.end();
      else await outside.ended("timeout");
      const took = performance.now() - start;
      assert(at >= 2 && took >= 990, `closed after ${took} ms and ${at} bytes`);
      await freed(harness, before);
    } finally {
      clearInterval(dripping);
    }
  },
  "plaintext on a TLS port, and TLS on a plain port, are refused with a hint": async (harness) => {
    const before = harness.host.descriptors();
    const clients: RawClient[] = [];
    for (let i = 0; i < 10; i++) {
      const client = await harness.connectTcp();
      clients.push(client);
      if (harness.transport.isTls) {
        await client.send(client.frame(Type.HELLO, {}, { protocol: "parley/1", token: "secret-token" }));
        await endedWithoutFrame(client);
      } else {
        await client.send(await clientHello());
        assertStringIncludes((await client.ended("bad_frame")).message, "this looks like TLS");
      }
    }
    if (harness.transport.isTls) await reasons(harness, "TLS handshake failed", /does not speak TLS/, 10);
    assert(!harness.host.server.stderr.includes("secret-token"));
    await freed(harness, before);
  },
  "a reset, a half-close or an end in the middle of a frame ends that session alone": async (harness) => {
    const before = harness.host.descriptors();
    const subscriber = await harness.greet();
    const { number } = await subscriber.open("chat");
    const perSession = harness.host.descriptors() - before;
    for (const end of ENDINGS) {
      for (let i = 0; i < 10; i++) {
        const relayed = await harness.relayed();
        const { client } = relayed;
        if (i % 2 === 0) {
          await client.hello();
          await client.openToPublish("chat");
        }
        const frame = i % 2 === 0
          ? client.message(number, "never whole")
          : client.frame(Type.HELLO, {}, { protocol: "parley/1" });
        await client.send(frame.subarray(0, 20));
        await end(relayed);
      }
      await freed(harness, before + perSession);
    }
    assertEquals(await subscriber.barrier(), [], "no part of a frame was published");
  },
});

everyProgramAttack(
  "400 connections that stop in the middle of the handshake give their descriptors back, and others connect",
  { args: ["--handshake-time", "2"] },
  async (harness) => {
    const before = harness.host.descriptors();
    const { isTls } = harness.transport;
    const hello = new RawClient(undefined!).frame(Type.HELLO, {}, { protocol: "parley/1" });
    const whole = isTls ? await clientHello() : hello;
    // Cut anywhere; and whole, followed by nothing or by the first bytes of another record.
    const cuts = isTls
      ? [
        whole.subarray(0, 3),
        whole.subarray(0, whole.length / 2),
        whole,
        concat([whole, Uint8Array.of(22, 3, 3, 1, 0)]),
      ]
      : [whole.subarray(0, 3), whole.subarray(0, 16), whole.subarray(0, -1)];
    for (let i = 0; i < 400; i++) {
      const client = await harness.connectTcp();
      await client.send(cuts[i % cuts.length]);
      if (i % 50 === 25) {
        const session = await harness.greet();
        assertEquals(await session.barrier(), []);
        session.close();
      }
    }
    assert(harness.host.descriptors() > before + 200, "they were open at the same time");
    const start = performance.now();
    while (harness.host.descriptors() > before) {
      const took = Math.round(performance.now() - start);
      assert(
        took < 10_000,
        `${harness.host.descriptors() - before} descriptors are not freed after ${took} ms`,
      );
      const session = await harness.greet();
      assertEquals(await session.barrier(), []);
      session.close();
      await sessionsClosed(harness);
    }
  },
);

/** Waits until the server has closed the sessions that have ended, so that their descriptors do not count. */
async function sessionsClosed(harness: Harness<ProcessHost>): Promise<void> {
  const { log } = harness.host;
  await harness.until(
    () =>
      log.all("greeted").length - 2 <= log.all("closed").filter(({ number }) => Number(number) > 0).length,
    () => "a session is not closed",
  );
  await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Waits for the end of the stream, before which there may be a TLS alert, which is no frame. */
async function endedWithoutFrame(client: RawClient): Promise<void> {
  assertEquals(await client.nextOrEnd(), undefined);
}

/** The ways a connection can end in the middle of a frame. The server sees each differently. */
const ENDINGS: readonly ((relayed: RelayedClient) => void | Promise<void>)[] = [
  // Unread bytes in its receive buffer make TCP answer with a reset when it is closed.
  (relayed) => relayed.front.close(),
  (relayed) => relayed.front.closeWrite(),
  (relayed) => relayed.client.close(),
];

everyProgramAttack(
  "a server without free descriptors says so, serves its sessions, and recovers, although it could not read its tokens",
  { descriptors: 64, auth: true, args: ["--handshake-time", "2"] },
  async (harness) => {
    const token = await harness.token();
    for (let i = 0; i < 50; i++) await harness.connectTcp();
    const line = await harness.host.log.until("cannot accept connections; trying again");
    assertEquals(line.level, "error");
    await harness.control.pass();
    const session = await harness.greet({ token });
    assertEquals(session.welcome.name, "Mallory");
  },
);

everyProgramAttack(
  "SIGTERM ends the server within its drain time, with 0, whatever its clients do not read or send",
  {
    args: ["--drain-time", "1", "--handshake-time", "30", "--max-payload", "64KiB", "--max-pending", "16MiB"],
  },
  async (harness) => {
    const { host } = harness;
    const slow = await harness.greet();
    const publisher = await harness.greet();
    const { number } = await slow.open("slow");
    await publisher.openToPublish("slow");
    const message = publisher.message(number, new Uint8Array(32 * KiB));
    for (let sent = 0; sent < 12 * MiB; sent += message.length) await publisher.send(message);
    assertEquals(await publisher.barrier(), []);
    for (let i = 0; i < 20; i++) {
      await harness.connectTcp();
      const half = await harness.connectTcp();
      await half.send((await clientHello()).subarray(0, 100 + 20 * i));
      await harness.connect();
    }
    await harness.ends(async () => {
      host.server.kill("SIGTERM");
      await host.log.until("draining");
      using clock = new LoadFreeClock(host.pid);
      const start = clock.now();
      const { code } = await host.server.status;
      const took = Math.round(clock.now() - start);
      assertEquals(code, 0);
      assert(took < 1500, `it took ${took} ms, and the drain time is 1000`);
    });
    const frames = await publisher.rest();
    assertEquals(frames.map((frame) => text(frame)), ['{"reason":"shutting_down"}']);
    assertMatch(host.server.stderr, /"message":"stopped"/);
  },
);
