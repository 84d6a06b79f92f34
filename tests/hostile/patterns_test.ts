/** Attacks with patterns: deep ones, many of them, and many channels that they cover. */

import { assert } from "@std/assert";
import { Type } from "../../lib/wire/header.ts";
import { Attacker } from "./attacker.ts";
import { sized } from "./size.ts";
import { stallAttack } from "./stalls.ts";

/** Every pattern of ten segments, each "a" or "*". */
const DEEP = Array.from(
  { length: 1024 },
  (_, i) => Array.from({ length: 10 }, (_, bit) => i >> bit & 1 ? "*" : "a").join("."),
);
const TEN = Array.from({ length: 10 }, () => "a").join(".");

stallAttack(
  "1,024 deep patterns of each of eight sessions, and messages while patterns change",
  {},
  { growthMiB: 120, leftMiB: 100, heldMiB: 8 },
  async (harness, scaled) => {
    const sessions = await Attacker.greetMany(harness, 8);
    await Promise.all(
      sessions.map((session, i) =>
        session.open(DEEP.slice(0, scaled(DEEP.length)).map((ten) => `${ten}.s${i}.b.c.d.e.f`), {
          subscribe: true,
        })
      ),
    );
    const pair = await Attacker.greetMany(harness, 2);
    await Promise.all(pair.map(async (attacker, i) => {
      const channel = await attacker.open([`${TEN}.s${i}.b.c.d.e.f`]);
      const round = [
        attacker.opening(`unrelated.*.${i}`, { subscribe: true }),
        attacker.client.message(channel),
        attacker.leaving(`unrelated.*.${i}`),
        attacker.client.message(channel),
      ];
      await attacker.send(...Array.from({ length: scaled(750) }, () => round).flat());
      await attacker.barrier();
    }));
  },
);

/** With 3,000 the version before stalled for 2.9 s and took 270 MiB; with 10,000, 8 s and 640 MiB. */
const CHANNELS = sized(3_000, 30_000);
const PUBLISHERS = 30;

stallAttack(
  `300 patterns that cover ${CHANNELS} channels`,
  {},
  { growthMiB: sized(160, 300), leftMiB: sized(160, 300), heldMiB: 40 },
  async (harness, scaled) => {
    const each = scaled(CHANNELS / PUBLISHERS);
    const channels = each * PUBLISHERS;
    const watchers = await Attacker.greetMany(harness, scaled(300));
    await Promise.all(watchers.map((watcher) => watcher.open([">"], { subscribe: true })));
    const publishers = await Attacker.greetMany(harness, PUBLISHERS);
    await Promise.all(publishers.map(async (publisher, i) => {
      await publisher.open(Array.from({ length: each }, (_, n) => `channel.${i}.${n}`));
      await publisher.send(...publisher.numbers.map((number) => publisher.client.message(number)));
      await publisher.barrier();
    }));
    await watchers[0].until(Type.MESSAGE, channels - 1);
    assert(watchers[0].received.count(Type.OPENED) >= channels);
  },
);
