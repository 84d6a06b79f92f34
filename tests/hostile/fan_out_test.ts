/** Attacks that make one message, or one run of messages, cost a lot: by groups, and by many receivers. */

import { Type } from "../../lib/wire/header.ts";
import { concat } from "../harness/raw_client.ts";
import { Attacker } from "./attacker.ts";
import { stallAttack } from "./stalls.ts";

/** 262 KB of messages without content. */
const MESSAGES = 16_384;

stallAttack(
  "a thousand sessions, each in a group of its own on one channel, and 262 KB of messages",
  {},
  { growthMiB: 300, leftMiB: 300, heldMiB: 32 },
  async (harness, scaled) => {
    const members = await Attacker.greetMany(harness, scaled(1000));
    await Promise.all(
      members.map((member, i) => member.open(["crowd"], { group: `group-${i}`, subscribe: true })),
    );
    const publisher = await Attacker.greet(harness);
    const channel = await publisher.open(["crowd"]);
    const messages = scaled(MESSAGES);
    await publisher.send(...Array.from({ length: messages }, () => publisher.client.message(channel)));
    await Promise.all(members.slice(0, 10).map((member) => member.until(Type.MESSAGE, messages)));
  },
);

stallAttack(
  "one session in a thousand groups through patterns, and 262 KB of messages from each of four sessions",
  {},
  { growthMiB: 300, leftMiB: 300 },
  async (harness, scaled) => {
    const member = await Attacker.greet(harness);
    // Different patterns that all cover the channel; `overlap` refuses all but the first.
    const patterns = Array.from(
      { length: scaled(1000) },
      (_, i) => Array.from({ length: 10 }, (_, bit) => i >> bit & 1 ? "*" : "a").join("."),
    );
    await member.send(
      ...patterns.map((pattern, i) => member.opening(pattern, { group: `group-${i}`, subscribe: true })),
    );
    await member.barrier();
    // Four, whose reads come in one turn: one alone stalled the version before for a quarter of a second only.
    const publishers = await Attacker.greetMany(harness, 4);
    await Promise.all(publishers.map(async (publisher) => {
      const channel = await publisher.open([Array.from({ length: 10 }, () => "a").join(".")]);
      await publisher.send(
        ...Array.from({ length: scaled(MESSAGES) }, () => publisher.client.message(channel)),
      );
      await publisher.barrier();
    }));
    await member.barrier();
  },
);

stallAttack(
  "128 groups of eight members on one channel, and 65 KB of messages from each of eight sessions",
  {},
  { growthMiB: 300, leftMiB: 300 },
  async (harness, scaled) => {
    const members = await Attacker.greetMany(harness, scaled(1024));
    await Promise.all(
      members.map((member, i) => member.open(["crowd"], { group: `group-${i % 128}`, subscribe: true })),
    );
    const publishers = await Attacker.greetMany(harness, 8);
    await Promise.all(publishers.map(async (publisher) => {
      const channel = await publisher.open(["crowd"]);
      await publisher.send(
        ...Array.from({ length: scaled(MESSAGES / 4) }, () => publisher.client.message(channel)),
      );
      await publisher.barrier();
    }));
  },
);

stallAttack(
  "messages on alternating channels with a thousand subscribers each, from eight sessions",
  {},
  { growthMiB: 300, leftMiB: 300 },
  async (harness, scaled) => {
    const subscribers = await Attacker.greetMany(harness, scaled(1000));
    await Promise.all(subscribers.map((subscriber) => subscriber.open(["even", "odd"], { subscribe: true })));
    const publishers = await Attacker.greetMany(harness, 8);
    await Promise.all(publishers.map(async (publisher) => {
      await publisher.open(["even", "odd"]);
      const pair = concat(publisher.numbers.map((channel) => publisher.client.message(channel)));
      await publisher.send(...Array.from({ length: scaled(250) }, () => pair));
      await publisher.barrier();
    }));
  },
);

stallAttack(
  "messages on alternating channels without subscribers, from 128 sessions",
  {},
  { growthMiB: 300, leftMiB: 300 },
  async (harness, scaled) => {
    const publishers = await Attacker.greetMany(harness, scaled(128));
    await Promise.all(publishers.map(async (publisher) => {
      await publisher.open(["even", "odd"]);
      const pair = concat(publisher.numbers.map((channel) => publisher.client.message(channel)));
      const bytes = concat(Array.from({ length: scaled(MESSAGES / 2) }, () => pair));
      for (let i = 0; i < 4; i++) await publisher.send(bytes);
      await publisher.barrier();
    }));
  },
);
