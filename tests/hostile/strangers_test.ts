/**
 * Attacks by those who never say who they are. They cost a server descriptors: each of these tests looks at those of a
 * server process, and holds on to its own end until they are back.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Type } from "../../lib/wire/header.ts";
import { concat, json, RawClient, text } from "../harness/raw_client.ts";
import { freed, type Harness, processAttack } from "./harness.ts";
import { freesUnread, type ProcessHost } from "./host.ts";
import { clientHello, type Held } from "./transport.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** The handshake time is 2 s; whoever does not read has 1 s. */
const IMPATIENT = {
  args: [
    "--handshake-time",
    "2",
    "--slow-consumer-timeout",
    "1",
    "--max-payload",
    "64KiB",
    "--max-pending",
    "256KiB",
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

processAttack(
  "whoever says nothing is told so after the handshake time, and closed",
  IMPATIENT,
  async (harness) => {
    const before = harness.host.descriptors();
    const silent = [];
    for (let i = 0; i < 10; i++) silent.push(await harness.connect());
    for (const stranger of silent) await stranger.ended("timeout");
    await freed(harness, before);
  },
);

processAttack(
  "whoever never begins the TLS handshake is closed after the handshake time",
  IMPATIENT,
  async (harness) => {
    const before = harness.host.descriptors();
    const silent = [];
    for (let i = 0; i < 10; i++) silent.push(await harness.knock());
    for (const stranger of silent) {
      if (harness.transport.isTls) await stranger.end();
      else await stranger.ended("timeout");
    }
    if (harness.transport.isTls) {
      await reasons(harness, "TLS handshake failed", /no complete TLS ClientHello within 2 s/, 10);
    }
    await freed(harness, before);
  },
);

processAttack(
  "15 of the 16 bytes of a header are waited for no longer than nothing",
  IMPATIENT,
  async (harness) => {
    const before = harness.host.descriptors();
    const strangers = [];
    for (let i = 0; i < 20; i++) {
      const stranger = await harness.connect();
      await stranger.send(stranger.frame(Type.HELLO, {}, { protocol: "parley/1" }).subarray(0, 15));
      strangers.push(stranger);
    }
    for (const stranger of strangers) await stranger.ended("timeout");
    await freed(harness, before);
  },
);

processAttack(
  "one byte a second does not extend the handshake time",
  { args: ["--handshake-time", "2"] },
  async (harness) => {
    const before = harness.host.descriptors();
    const inside = await harness.connect();
    const outside = await harness.knock();
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
    const dripping = setInterval(drip, 1000);
    try {
      await inside.ended("timeout");
      if (harness.transport.isTls) await outside.end();
      else await outside.ended("timeout");
      const took = performance.now() - start;
      assert(at >= 2 && took >= 1990, `closed after ${took} ms and ${at} bytes`);
      await freed(harness, before);
    } finally {
      clearInterval(dripping);
    }
  },
);

processAttack(
  "1,000 connections that stop in the middle of the handshake give their descriptors back, and others connect",
  { args: ["--handshake-time", "2"] },
  async (harness) => {
    const before = harness.host.descriptors();
    const { isTls } = harness.transport;
    const hello = new RawClient(undefined!).frame(Type.HELLO, {}, { protocol: "parley/1" });
    const whole = isTls ? await clientHello() : hello;
    // Cut anywhere; and whole, followed by nothing or by the begin of the next record, of which the rest never comes.
    const cuts = isTls
      ? [
        whole.subarray(0, 3),
        whole.subarray(0, whole.length / 2),
        whole,
        concat([whole, Uint8Array.of(22, 3, 3, 1, 0)]),
      ]
      : [whole.subarray(0, 3), whole.subarray(0, 16), whole.subarray(0, -1)];
    for (let i = 0; i < 1000; i++) {
      const stranger = await harness.knock();
      await stranger.send(cuts[i % cuts.length]);
      if (i % 100 === 50) {
        const guest = await harness.greet();
        assertEquals(await guest.barrier(), []);
        guest.close();
      }
    }
    assert(harness.host.descriptors() > before + 500, "they were there at the same time");
    const start = performance.now();
    while (harness.host.descriptors() > before) {
      const took = Math.round(performance.now() - start);
      assert(
        took < 10_000,
        `${harness.host.descriptors() - before} descriptors are not back after ${took} ms`,
      );
      const guest = await harness.greet();
      assertEquals(await guest.barrier(), []);
      guest.close();
      await guestGone(harness);
    }
  },
);

/** Waits until the server has dealt with the end of a guest, so that its descriptors do not count. */
async function guestGone(harness: Harness<ProcessHost>): Promise<void> {
  const { log } = harness.host;
  await harness.until(
    () =>
      log.all("greeted").length - 2 <= log.all("closed").filter(({ number }) => Number(number) > 2).length,
    () => "a guest is not gone",
  );
  await new Promise((resolve) => setTimeout(resolve, 20));
}

processAttack(
  "whoever stops reading holds its publisher back, is closed as slow_consumer, and its descriptor is freed",
  IMPATIENT,
  async (harness, programs) => {
    const before = harness.host.descriptors();
    const publisher = await harness.greet();
    const perSession = harness.host.descriptors() - before;
    const slow = await harness.greet();
    const { number } = await slow.open("slow");
    await publisher.openToPublish("slow");
    const message = publisher.message(number, new Uint8Array(32 * KiB));
    // It is closed amid this, and then the rest goes to nobody.
    for (let sent = 0; sent < 64 * MiB; sent += message.length) await publisher.send(message);
    assertEquals(await publisher.barrier(), []);
    await harness.host.log.until("closed", { number: slow.number, reason: "slow_consumer" });
    if (freesUnread(programs)) await freed(harness, before + perSession);
    slow.close();
    await freed(harness, before + perSession);
  },
);

processAttack(
  "plaintext on a TLS port, and TLS on a plain port, are refused with a hint",
  IMPATIENT,
  async (harness) => {
    const before = harness.host.descriptors();
    const strangers: RawClient[] = [];
    for (let i = 0; i < 10; i++) {
      const stranger = await harness.knock();
      strangers.push(stranger);
      if (harness.transport.isTls) {
        await stranger.send(stranger.frame(Type.HELLO, {}, { protocol: "parley/1", token: "secret-token" }));
        await endedSomehow(stranger);
      } else {
        await stranger.send(await clientHello());
        assertStringIncludes((await stranger.ended("bad_frame")).message, "this looks like TLS");
      }
    }
    if (harness.transport.isTls) await reasons(harness, "TLS handshake failed", /does not speak TLS/, 10);
    assert(!harness.host.server.stderr.includes("secret-token"));
    await freed(harness, before);
  },
);

/** Waits for the end of the stream; what comes before may be a TLS alert, which is no frame. */
async function endedSomehow(stranger: RawClient): Promise<void> {
  assertEquals(await stranger.nextOrEnd(), undefined);
}

/** The ways a connection can end in the middle of a frame: each lets the server see another end. */
const ENDINGS: Readonly<Record<string, (held: Held) => void | Promise<void>>> = {
  // Unread bytes in its receive buffer make TCP answer with a reset when it is closed.
  "a reset": (held) => held.front.close(),
  "a half-close": (held) => held.front.closeWrite(),
  "an end": (held) => held.client.close(),
};

for (const [ending, end] of Object.entries(ENDINGS)) {
  processAttack(`${ending} in the middle of a frame ends that session alone`, IMPATIENT, async (harness) => {
    const before = harness.host.descriptors();
    const listener = await harness.greet();
    const { number } = await listener.open("chat");
    const perSession = harness.host.descriptors() - before;
    for (let i = 0; i < 10; i++) {
      const held = await harness.held();
      if (i % 2 === 0) {
        await held.client.send(held.client.frame(Type.HELLO, {}, { protocol: "parley/1" }));
        held.client.number = json<{ number: number }>(await held.client.expect(Type.WELCOME)).number;
        await held.client.openToPublish("chat");
      }
      const frame = i % 2 === 0
        ? held.client.message(number, "never whole")
        : held.client.frame(Type.HELLO, {}, { protocol: "parley/1" });
      await held.client.send(frame.subarray(0, 20));
      await end(held);
    }
    await freed(harness, before + perSession);
    assertEquals(await listener.barrier(), [], "nothing of what was not whole was published");
  });
}

processAttack(
  "a server with 64 descriptors says when they are used up, serves who is there, and recovers",
  { descriptors: 64, args: ["--handshake-time", "1"] },
  async (harness) => {
    await exhaust(harness);
    const guest = await harness.greet();
    assertEquals(await guest.barrier(), []);
  },
);

processAttack(
  "a server with 64 descriptors and tokens survives that it cannot look at its files",
  { descriptors: 64, auth: true, args: ["--handshake-time", "2"] },
  async (harness) => {
    const token = await harness.token();
    await exhaust(harness);
    const guest = await harness.greet({ token });
    assertEquals(guest.welcome.name, "Mallory");
  },
);

/** Takes all descriptors of the server, and waits until it has them back. */
async function exhaust(harness: Harness<ProcessHost>): Promise<void> {
  const strangers: RawClient[] = [];
  for (let i = 0; i < 50; i++) strangers.push(await harness.knock());
  const line = await harness.host.log.until("cannot accept connections; trying again");
  assertEquals(line.level, "error");
  for (const stranger of strangers) {
    if (harness.transport.isTls) await stranger.end();
    else await stranger.ended("timeout");
  }
}

processAttack(
  "SIGTERM with peers that do not read, do not speak, or are refused ends the server within its drain time, with 0",
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
      await harness.knock();
      const half = await harness.knock();
      await half.send((await clientHello()).subarray(0, 100 + 20 * i));
      await harness.connect();
    }
    await harness.ends(async () => {
      host.server.kill("SIGTERM");
      await host.log.until("draining");
      const start = performance.now();
      const { code } = await host.server.status;
      const took = Math.round(performance.now() - start);
      assertEquals(code, 0);
      assert(took < 1500, `it took ${took} ms, and the drain time is 1000`);
    });
    const frames = await publisher.rest();
    assertEquals(frames.map((frame) => text(frame)), ['{"reason":"shutting_down"}']);
    assertMatch(host.server.stderr, /"message":"stopped"/);
  },
);
