/** Attacks with requests: those that are never answered, and those whose answers are not read. */

import { assert, assertEquals } from "@std/assert";
import { Type } from "../../lib/wire/header.ts";
import { Attacker } from "./attacker.ts";
import { type Scaled, stallAttack } from "./stalls.ts";
import { LoadFreeClock } from "../harness/load_free_clock.ts";
import { processAttack } from "./harness.ts";

const REQUESTS = 4096;

/** 64 sessions send requests to 16 responders, which never answer. */
async function flood(harness: Parameters<typeof Attacker.greetMany>[0], scaled: Scaled) {
  const responders = await Attacker.greetMany(harness, 16);
  await Promise.all(responders.map((responder) => responder.open(["hole"], { respond: true })));
  const requesters = await Attacker.greetMany(harness, scaled(64));
  await Promise.all(requesters.map(async (requester) => {
    const channel = await requester.open(["hole"]);
    await requester.send(
      ...Array.from({ length: REQUESTS }, (_, i) => requester.client.request(i + 1, channel)),
    );
  }));
  return { responders, requesters };
}

stallAttack(
  "64 sessions send all the requests they may to responders that never answer, and these leave",
  {},
  { growthMiB: 300, leftMiB: 300, heldMiB: 12 },
  async (harness, scaled) => {
    const { responders, requesters } = await flood(harness, scaled);
    await Promise.all(requesters.map((requester) => requester.barrier()));
    for (const responder of responders) responder.client.close();
    await Promise.all(requesters.map((requester) => requester.until(Type.ERROR, REQUESTS)));
  },
);

stallAttack(
  "260,000 requests time out together",
  { args: ["--request-time", "2"] },
  { growthMiB: 300, leftMiB: 300 },
  async (harness, scaled) => {
    const { requesters } = await flood(harness, scaled);
    await Promise.all(requesters.map((requester) => requester.until(Type.ERROR, REQUESTS)));
  },
);

processAttack(
  "a requester that does not read its replies holds up neither its responder nor other requesters",
  {},
  async (harness) => {
    const responder = await Attacker.greet(harness);
    await responder.open(["shared"], { respond: true });
    responder.replies = true;
    responder.replyWith = new Uint8Array(256 * 1024);
    const mallory = await harness.greet();
    const channel = await mallory.openToPublish("shared");
    const other = await Attacker.greet(harness);
    await other.open(["shared"]);
    // 64 MB of replies, four times what may be pending.
    const asking = mallory.send(...Array.from({ length: 256 }, (_, i) => mallory.request(i + 1, channel)));
    using clock = new LoadFreeClock(harness.host.pid);
    let longestMs = 0;
    for (let i = 0; i < 100; i++) {
      const start = clock.now();
      await other.send(other.client.request(i + 1, channel));
      await other.until(Type.REPLY, i + 1);
      longestMs = Math.max(longestMs, clock.now() - start);
    }
    await asking;
    assert(longestMs < 2000, `another requester waited ${Math.round(longestMs)} ms for its reply`);
  },
);

processAttack(
  "changes of unrelated patterns make requests to 3,000 responders less than twice as dear",
  {},
  async (harness) => {
    const responders = await Attacker.greetMany(harness, 3000);
    await Promise.all(responders.map((responder) => responder.open(["work"], { respond: true })));
    for (const responder of responders) responder.replies = true;
    const requester = await Attacker.greet(harness);
    const channel = await requester.open(["work"]);
    const mallory = await Attacker.greet(harness);
    let replies = 0;
    const perSecond = async () => {
      const start = performance.now();
      for (let i = 0; i < 2; i++) {
        replies += 1000;
        await requester.send(
          ...Array.from({ length: 1000 }, (_, n) => requester.client.request(n + 1, channel)),
        );
        await requester.until(Type.REPLY, replies);
      }
      return 2000 / (performance.now() - start) * 1000;
    };
    const perSecondWithChanges = async () => {
      let isOver = false;
      const changing = (async () => {
        while (!isOver) {
          const changes = Array.from(
            { length: 20 },
            () => [mallory.opening("other.*"), mallory.leaving("other.*")],
          );
          await mallory.send(...changes.flat());
          await mallory.barrier();
        }
      })();
      const result = await perSecond();
      isOver = true;
      await changing;
      return result;
    };
    await perSecond();
    let [quiet, busy] = [0, 0];
    // In turn, so that what else the machine does slows both.
    for (let i = 0; i < 3; i++) {
      quiet = Math.max(quiet, await perSecond());
      busy = Math.max(busy, await perSecondWithChanges());
    }
    assert(busy > quiet / 2, `${Math.round(busy)} requests a second instead of ${Math.round(quiet)}`);
    assertEquals(requester.received.count(Type.ERROR), 0);
  },
);
