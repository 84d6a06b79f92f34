/**
 * Attacks by quantity. They cost the server process memory, and other sessions time; both are measured. Memory is
 * measured after the attack has been run once before, because buffers that are kept are no leak.
 */

import { assert, assertEquals } from "@std/assert";
import { HEADER_BYTES, MAX_CONTROL_BYTES } from "../../lib/limits.ts";
import { Type } from "../../lib/wire/header.ts";
import { clientHello } from "../harness/client_hello.ts";
import { concat, json, type RawClient } from "../harness/raw_client.ts";
import type { ProcessHost } from "./host.ts";
import { type Harness, processAttack } from "./harness.ts";
import { IS_FULL_SIZE, sized } from "./size.ts";
import { BOTH, countFrames } from "./transport.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** Writes `bytes` again and again until `total` are written or the server closes; returns how much was written. */
async function pour(client: RawClient, bytes: Uint8Array, total: number): Promise<number> {
  let written = 0;
  try {
    for (; written < total; written += bytes.length) await client.send(bytes);
  } catch {
    // Closed by the server, as it should be.
  }
  return written;
}

/** What connections leave in the heap, whatever they sent; it does not grow after some of them. */
async function warmUp(harness: Harness<ProcessHost>): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const client = await harness.connect();
    await client.send(new Uint8Array(HEADER_BYTES));
    await client.ended("bad_frame");
    client.close();
  }
}

/**
 * Asserts that `attack` makes the server grow by less than `bound` bytes, once it is over and not the first time.
 *
 * The memory of a process goes up and down by some MiB as garbage is collected. A leak only goes up: it would show after
 * each of several attacks, so the least growth counts.
 */
async function growsLess(
  bound: number,
  harness: Harness<ProcessHost>,
  attack: () => Promise<void>,
): Promise<void> {
  const { host } = harness;
  const settled = async () => {
    for (let i = 0; i < 20; i++) await harness.control.pass();
    return host.server.residentBytes();
  };
  await warmUp(harness);
  await attack();
  const before = await settled();
  let grown = Infinity;
  for (let i = 0; grown >= bound && i < 12; i++) {
    await attack();
    grown = Math.min(grown, await settled() - before);
  }
  assert(grown < bound, `it grew by ${(grown / MiB).toFixed(1)} MiB`);
}

/** Clients that are about to send a lot, and the bytes that each begins with. */
const BEFORE_HELLO: ((harness: Harness<ProcessHost>) => Promise<[RawClient, Uint8Array]>)[] = [
  // No frame.
  async (harness) => [await harness.connect(), new Uint8Array(0)],
  // The header of a HELLO that is too long.
  async (harness) => {
    const client = await harness.connect();
    return [
      client,
      client.frame(Type.HELLO, {}, new Uint8Array(MAX_CONTROL_BYTES + 1)).subarray(0, HEADER_BYTES),
    ];
  },
  // A HELLO whose token is verified meanwhile.
  async (harness) => {
    const client = await harness.connect();
    return [client, client.frame(Type.HELLO, {}, { protocol: "parley/1", token: "a.b.c" })];
  },
  // Most of a TLS ClientHello, or of a header.
  async (harness) => {
    const hello = await clientHello();
    return [await harness.connectTcp(), hello.subarray(0, harness.transport.isTls ? hello.length - 1 : 15)];
  },
];

/** Garbage, and memory that the runtime keeps for more of it. */
const UNCOLLECTED_BYTES = 64 * MiB;

processAttack(
  "of 100 MB before HELLO the server holds less than 1 MB once it has collected garbage, with TLS, too",
  { transports: BOTH, auth: true, args: ["--handshake-time", "1"], isMeasured: true },
  async (harness) => {
    const { host } = harness;
    const bytes = new Uint8Array(256 * KiB);
    const attack = () =>
      // Several clients each, because one alone is closed long before it could send 25 MB.
      Promise.all(BEFORE_HELLO.map(async (make) => {
        for (let i = 0, left = 25e6; left > 0 && i < 6; i++) {
          const [client, begin] = await make(harness);
          await client.send(begin);
          left -= await pour(client, bytes, left);
          client.close();
        }
      }));
    await warmUp(harness);
    await attack();
    const [held, resident] = [await host.heldBytes(), host.server.residentBytes()];
    await attack();
    const grown = host.server.residentBytes() - resident;
    const kept = await host.heldBytes() - held;
    assert(kept < MiB, `it holds ${(kept / KiB).toFixed(0)} KiB more`);
    assert(grown < UNCOLLECTED_BYTES, `it grew by ${(grown / MiB).toFixed(1)} MiB`);
  },
);

if (IS_FULL_SIZE) {
  const CONNECTIONS = 2000;
  /** The runtime needs some thousand connections to settle at how much garbage it leaves uncollected. */
  const ROUNDS = 5;

  processAttack(
    `after ${
      ROUNDS * CONNECTIONS
    } connections that are not accepted, ${CONNECTIONS} more leave memory as it is`,
    { transports: BOTH, auth: true, isMeasured: true },
    async (harness) => {
      const { host } = harness;
      const attack = async () => {
        let left = CONNECTIONS;
        await Promise.all(Array.from({ length: 8 }, async () => {
          while (left-- > 0) {
            const client = await harness.connect();
            await client.send(new Uint8Array(HEADER_BYTES));
            await client.ended("bad_frame");
            client.close();
            // What an address may begin.
            if (harness.transport.isTls) await new Promise((resolve) => setTimeout(resolve, 50));
          }
        }));
        return [await host.heldBytes(), host.server.residentBytes()];
      };
      let [held, resident] = [0, 0];
      for (let i = 0; i < ROUNDS; i++) [held, resident] = await attack();
      const [heldThen, residentThen] = await attack();
      const figures = [held, heldThen, resident, residentThen].map((n) => `${(n / MiB).toFixed(2)} MiB`);
      console.log(`${harness.transport.name}: holds, then; resident, then: ${figures.join(", ")}`);
      assert(heldThen - held < MiB / 4 && residentThen - resident < 8 * MiB, figures.join(", "));
    },
  );
}

const OPENS = sized(400_000, 1_000_000);

processAttack(
  `${OPENS.toLocaleString("en")} OPENs stop at the limit of channels, and the server stays small`,
  {},
  async (harness) => {
    const mallory = await harness.greet();
    const batch = (name: string) =>
      concat(
        Array.from({ length: 1000 }, (_, i) =>
          mallory.frame(Type.OPEN, { id: 1 }, { channel: `${name}.${i}` })),
      );
    const open = async (bytes: Uint8Array) => {
      const sending = mallory.send(bytes);
      const types = await countFrames(mallory, 1000);
      await sending;
      return types.get(Type.OPENED) ?? 0;
    };
    assertEquals([await open(batch("a")), await open(batch("b")), await open(batch("c"))], [1000, 24, 0]);
    const more = batch("d");
    let opens = 0;
    await growsLess(sized(16, 32) * MiB, harness, async () => {
      for (let i = 0; i < OPENS / 2000; i++, opens += 1000) assertEquals(await open(more), 0);
    });
    assert(opens >= OPENS);
    await mallory.send(mallory.frame(Type.OPEN, { id: 7 }, { channel: "one.more" }));
    const rejection = await mallory.refused("limit");
    assertEquals([rejection.id, rejection.fatal], [7, false]);
  },
);

processAttack(
  "opening and leaving new channels without end keeps nothing but the numbers of the latest",
  {},
  async (harness) => {
    const mallory = await harness.greet();
    const long = "x".repeat(100);
    let count = 0;
    await growsLess(32 * MiB, harness, async () => {
      for (let i = 0; i < 100; i++) {
        const frames: Uint8Array[] = [];
        for (const last = count + 500; count < last; count++) {
          const channel = `${long}.${count}`;
          frames.push(
            mallory.frame(Type.OPEN, { id: 1 }, { channel, subscribe: true }),
            mallory.frame(Type.LEAVE, { id: 2 }, { channel }),
          );
        }
        const sending = mallory.send(concat(frames));
        const types = await countFrames(mallory, 1000);
        await sending;
        assertEquals([...types], [[Type.OPENED, 500], [Type.LEFT, 500]]);
      }
    });
  },
);

processAttack(
  "a flood of PINGs whose answers are not read is paused, and ended as slow_consumer",
  {
    transports: BOTH,
    args: ["--slow-consumer-timeout", "500ms", "--max-payload", "64KiB", "--max-pending", "256KiB"],
  },
  async (harness) => {
    await growsLess(16 * MiB, harness, async () => {
      const mallory = await harness.greet();
      const pings = concat(
        Array.from({ length: 500 }, () => mallory.frame(Type.PING, {}, new Uint8Array(125))),
      );
      const pouring = pour(mallory, pings, 200 * MiB);
      await harness.host.log.until("closed", { number: mallory.number, reason: "slow_consumer" });
      mallory.close();
      assert(await pouring < 150 * MiB, "the server read on");
    });
  },
);

processAttack(
  "a million empty messages do not delay those of others: 99 in 100 arrive within half a second",
  {},
  async (harness) => {
    const mallory = await harness.greet();
    const numbers: number[] = [];
    for (let i = 0; i < 64; i++) numbers.push(await mallory.openToPublish(`flood.${i}`));
    // All on one channel, which makes long runs; then on alternating channels, which makes short ones.
    const same = concat(Array.from({ length: 10_000 }, () => mallory.message(numbers[0])));
    const alternating = concat(Array.from({ length: 10_000 }, (_, i) => mallory.message(numbers[i % 64])));
    const unknown = concat(Array.from({ length: 1_000 }, (_, i) => mallory.message(900_000 + i)));
    harness.control.tookMs.length = 0;
    for (let i = 0; i < 50; i++) await mallory.send(same);
    for (let i = 0; i < 50; i++) await mallory.send(alternating);
    const refusals = mallory.barrier();
    for (let i = 0; i < 20; i++) await mallory.send(unknown);
    for (const frame of await refusals) assertEquals(json(frame).code, "not_open");
    while (harness.control.tookMs.length < 200) await harness.control.pass();
    assert(harness.control.p99() < 500, `p99 is ${Math.round(harness.control.p99())} ms`);
  },
);
