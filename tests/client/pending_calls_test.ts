/** The calls that wait for an answer: whose answer is whose, when each is given up, and which ids are free. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { PendingCalls } from "../../lib/client/pending_calls.ts";
import { ParleyError } from "../../lib/errors.ts";
import { type Header, Type } from "../../lib/wire/header.ts";
import { seeded, seedFrom } from "../harness/seeded.ts";

const NOTHING = new Uint8Array(0);

function answerTo(id: number, type: number = Type.REPLY): Header {
  return { type, flags: 0, id, length: 0, channel: 0, sender: 0 };
}

/** Calls and their ids. */
class Calls {
  readonly pending = new PendingCalls(undefined!, { endError: undefined, resume: () => {} });
  lastId = 0;

  /** A call that resolves with its own id. */
  add(ms: number = Infinity): Promise<number> {
    const error = () => new ParleyError("timed_out", `after ${ms} ms`);
    return this.pending.call(Type.REPLY, (_writer, id) => this.lastId = id, ({ id }) => id, { ms, error });
  }

  answer(id: number): boolean {
    return this.pending.answer(answerTo(id), NOTHING, 0, 0);
  }
}

Deno.test("each call gets its own answer, in whatever order answers come and calls are made", async () => {
  const random = seeded(seedFrom());
  const calls = new Calls();
  const waiting: { id: number; answered: Promise<number> }[] = [];
  for (let count = 0; count < 20_000; count++) {
    // Now many wait, now few.
    if (waiting.length === 0 || random.int(10) < (count % 4000 < 2000 ? 6 : 4)) {
      const answered = calls.add();
      assertEquals(waiting.some(({ id }) => id === calls.lastId), false, `id ${calls.lastId} is in use`);
      waiting.push({ id: calls.lastId, answered });
    } else {
      const [{ id, answered }] = waiting.splice(random.int(waiting.length), 1);
      assertEquals(calls.answer(id), true);
      assertEquals(calls.answer(id), false);
      assertEquals(await answered, id);
    }
    assertEquals(calls.pending.count, waiting.length);
  }
});

Deno.test("no call is given up early; an id is free once the late answer has come", async () => {
  const calls = new Calls();
  const start = performance.now();
  const late = [60, 20, 40].map(async (ms) => {
    const error = await assertRejects(() => calls.add(ms), ParleyError, `after ${ms} ms`);
    assertEquals(error.code, "timed_out");
    assert(performance.now() - start >= ms, `${ms} ms`);
  });
  const answered = calls.add(1);
  calls.answer(calls.lastId);
  assertEquals(await answered, 4);
  await Promise.all(late);
  assertEquals(calls.pending.count, 0);
  assertEquals([1, 2, 3, 4].map((id) => calls.answer(id)), [true, true, true, false]);
  assertEquals(calls.answer(1), false);
});

Deno.test("as many calls wait as there are ids; all are rejected when the connection is over", async () => {
  const calls = new Calls();
  const all = Array.from({ length: 0xffff }, () => calls.add(60_000));
  assertEquals((await assertRejects(() => calls.add(), ParleyError)).code, "backlog_full");
  calls.answer(1234);
  assertEquals(await all[1233], 1234);
  const again = calls.add();
  assertEquals(calls.lastId, 1234);
  assertEquals(calls.pending.reject(77, new ParleyError("no_responders", "none")), true);
  assertEquals((await assertRejects(() => all[76], ParleyError)).code, "no_responders");
  const settled = Promise.allSettled([...all, again]);
  calls.pending.rejectAll(new ParleyError("disconnected", "gone")); // stops the timer, too
  const results = await settled;
  assertEquals(results.filter(({ status }) => status === "rejected").length, 0xffff);
});
