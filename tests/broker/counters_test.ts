/** What the router counts, compared to what sessions were sent, whatever they open, leave and publish. */

import { assertEquals } from "@std/assert";
import { Refusals } from "../../lib/broker/refusals.ts";
import { Type } from "../../lib/wire/header.ts";
import { seeded, seedFrom } from "../harness/seeded.ts";
import { nextTurn, TestBroker, type TestSession } from "./test_broker.ts";

const CHANNELS = ["a.x", "a.y", "b.x"];
const PATTERNS = ["a.*", "*.x", ">"];

/** How many messages a session was sent. */
function received({ frames }: TestSession): number {
  return frames.filter(({ type }) => type === Type.MESSAGE).length;
}

Deno.test("sessions, channels and the server count exactly what was sent", async () => {
  const random = seeded(seedFrom());
  const pick = <T>(list: readonly T[]): T => list[random.int(list.length)];
  for (let round = 0; round < 30; round++) {
    const broker = new TestBroker({ sessions: 5, perTurn: random.int(2) === 0 ? 40 : undefined });
    const { router, sessions, budget } = broker;
    const { counters, channels } = router;
    let [sent, unheard] = [0, 0];
    const sentOn = new Map<string, number>();
    for (let step = 0; step < 120; step++) {
      const session = pick(sessions);
      if (session.isEnded) continue;
      const action = random.int(12);
      if (action < 3) {
        const group = random.int(3) === 0 ? "g" : undefined;
        session.open(pick(CHANNELS), { subscribe: random.int(4) > 0, echo: random.int(3) > 0, group });
      } else if (action === 3) session.open(pick(PATTERNS), { echo: random.int(3) > 0 });
      else if (action === 4) session.leave(pick([...CHANNELS, ...PATTERNS]));
      else if (action === 5 && random.int(8) === 0) session.end();
      else if (action === 6) router.settle();
      else {
        const name = pick(CHANNELS);
        if (channels.find(name) === undefined) continue;
        if (random.int(6) === 0) session.room = 0;
        const before = sessions.map(received);
        const passed = broker.publish(session, name, ...Array(1 + random.int(4)).fill("text"));
        const receivers = sessions.filter((each, i) => received(each) > before[i]).length;
        sent += passed;
        sentOn.set(name, (sentOn.get(name) ?? 0) + passed);
        if (receivers === 0) unheard += passed;
        session.room = Infinity;
        if (budget.isSpent) await nextTurn(budget);
      }
    }
    router.settle();
    const delivered = sessions.map(received).reduce((sum, count) => sum + count, 0);
    const counted = sessions.reduce((sum, { messagesOut }) => sum + messagesOut, counters.ended.messagesOut);
    assertEquals(counted, delivered);
    for (const session of sessions) {
      if (!session.isEnded) assertEquals(session.messagesOut, received(session));
    }
    let [messagesIn, messagesOut, unheardHere] = [0, 0, 0];
    for (const name of CHANNELS) {
      const counts = channels.find(name)?.counts ?? channels.findIdle(name)?.counts;
      assertEquals(counts?.messagesIn ?? 0, sentOn.get(name) ?? 0, name);
      assertEquals(counts?.bytesIn ?? 0, (sentOn.get(name) ?? 0) * (16 + 4));
      messagesIn += counts?.messagesIn ?? 0;
      messagesOut += counts?.messagesOut ?? 0;
      unheardHere += counts?.unheard ?? 0;
    }
    assertEquals([messagesIn, messagesOut], [sent, delivered]);
    assertEquals([unheardHere, counters.unheard], [unheard, unheard]);
  }
});

Deno.test("the last refusals are remembered, and all are counted", () => {
  const refusals = new Refusals(3);
  const ada = { number: 7, name: "Ada", remote: { address: "192.0.2.1" } };
  assertEquals([...refusals.last()], []);
  for (let i = 1; i <= 8; i++) {
    refusals.add(i % 2 === 0 ? "forbidden" : "not_open", `message ${i}`, ada, `c${i}`);
    assertEquals(
      [...refusals.last()].map(({ channel }) => channel),
      [i, i - 1, i - 2].filter((n) => n > 0).map((n) => `c${n}`),
    );
  }
  assertEquals(refusals.byCode, { forbidden: 4, not_open: 4 });
  const [{ time, ...last }] = refusals.last();
  assertEquals(last, {
    code: "forbidden",
    message: "message 8",
    session: 7,
    name: "Ada",
    address: "192.0.2.1",
    channel: "c8",
  });
  assertEquals(Math.abs(Date.now() - time) < 60_000, true);
});
