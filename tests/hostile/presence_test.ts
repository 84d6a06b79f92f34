/** Attacks through presence: what one session does is told to many, whether or not they read. */

import { assert, assertEquals } from "@std/assert";
import { MAX_NAME_LENGTH } from "../../lib/limits.ts";
import { Type } from "../../lib/wire/header.ts";
import { concat } from "../harness/raw_client.ts";
import { Attacker } from "./attacker.ts";
import { processAttack } from "./harness.ts";
import { stallAttack } from "./stalls.ts";

const WATCHERS = 20;
/** With it, each change is as long as it can be. */
const LONGEST_NAME = "\u{1f642}".repeat(MAX_NAME_LENGTH);

processAttack(
  "a session that comes and goes 60,000 times costs no watcher its connection, and those that read know the truth",
  { args: ["--slow-consumer-timeout", "3"] },
  async (harness) => {
    const watchers = await Attacker.greetMany(harness, WATCHERS);
    const silent = await harness.greet();
    await silent.open("lobby", { presence: true });
    for (const watcher of watchers) await watcher.open(["lobby"], { subscribe: true, presence: true });
    for (const watcher of watchers) await watcher.barrier(); // told of each other
    /** Whether each of them believes that the session is there. */
    const present = watchers.map(() => false);
    let contradictions = 0;
    for (const [i, watcher] of watchers.entries()) {
      watcher.onFrame = ({ type, length }) => {
        if (type !== Type.JOINED && type !== Type.PARTED) return;
        if (length < LONGEST_NAME.length) return; // the silent one, closed on a busy machine
        if (present[i] === (type === Type.JOINED)) contradictions++;
        present[i] = type === Type.JOINED;
      };
    }
    const mallory = new Attacker(await harness.greet({ name: LONGEST_NAME }));
    const round = [mallory.opening("lobby", { subscribe: true }), mallory.leaving("lobby")];
    const rounds = concat(Array.from({ length: 1000 }, () => round).flat());
    for (let i = 0; i < 60; i++) await mallory.send(rounds);
    await mallory.open(["lobby"], { subscribe: true });
    for (const watcher of watchers) await watcher.barrier();
    assertEquals([contradictions, present], [0, watchers.map(() => true)]);
    const closed = harness.host.log.all("closed").map(({ number }) => number);
    assert(!watchers.some(({ client }) => closed.includes(client.number)), "a watcher was closed");
  },
);

stallAttack(
  "repeated OPENs with presence of a channel with a thousand members, from 16 sessions",
  {},
  { growthMiB: 200, leftMiB: 150, heldMiB: 8 },
  async (harness, scaled) => {
    const members = await Attacker.greetMany(harness, scaled(1000));
    await Promise.all(members.map((member) => member.open(["lobby"], { subscribe: true })));
    const attackers = await Attacker.greetMany(harness, 16);
    await Promise.all(attackers.map(async (attacker) => {
      await attacker.send(
        ...Array.from(
          { length: scaled(250) },
          () => attacker.opening("lobby", { subscribe: true, presence: true }),
        ),
      );
      await attacker.barrier();
    }));
  },
);
