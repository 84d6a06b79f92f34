import { assertEquals } from "@std/assert";
import { Commits } from "../../../lib/broker/stored/commits.ts";
import { type ChannelLog, type Committed, joinTrims, type Trim } from "../../../lib/broker/stored/log.ts";
import { after } from "../../../lib/broker/stored/timers.ts";

Deno.test("what an operator drops and what retention drops go together", () => {
  const purge = { channel: 5, first: 100, bytes: Infinity, before: -Infinity };
  const age = { channel: 5, first: 7, bytes: Infinity, before: 2_000 };
  const size = { channel: 5, first: 7, bytes: 300, before: -Infinity };
  assertEquals(joinTrims(undefined, purge), purge);
  const dropped = { channel: 5, first: 100, bytes: 300, before: 2_000 };
  assertEquals(joinTrims(joinTrims(purge, age), size), dropped);
  assertEquals(joinTrims(joinTrims(size, age), purge), dropped);
});

Deno.test("a trim whose commit fails is tried again together with what came for the channel meanwhile", async () => {
  const tried: (readonly Trim[])[] = [];
  const answers: PromiseWithResolvers<Committed>[] = [];
  const log: Pick<ChannelLog, "commit"> = {
    commit({ trims }) {
      tried.push(trims);
      const answer = Promise.withResolvers<Committed>();
      answers.push(answer);
      return answer.promise;
    },
  };
  const failures: unknown[] = [];
  const commits = new Commits(log as ChannelLog, {
    time: () => 0,
    now: () => 0,
    after,
    find: () => undefined,
    trim: () => undefined,
    trimmed() {},
    failed: (error) => failures.push(error),
    broken(error) {
      throw error;
    },
  });
  const purge = { channel: 5, first: 100, bytes: Infinity, before: -Infinity };
  commits.trim(purge);
  await Promise.resolve(); // the commit begins in a microtask
  commits.trim({ channel: 5, first: 7, bytes: Infinity, before: 2_000 });
  commits.trim({ channel: 6, first: 3, bytes: Infinity, before: -Infinity });
  const failed = commits.next();
  answers[0].reject(new Error("the disk is full"));
  await failed;
  assertEquals(failures.length, 1);
  commits.sweep();
  await Promise.resolve();
  answers[1].resolve({ trimmed: [], hasMoreToTrim: false });
  await commits.settled();
  assertEquals(tried, [[purge], [
    { channel: 5, first: 100, bytes: Infinity, before: 2_000 },
    { channel: 6, first: 3, bytes: Infinity, before: -Infinity },
  ]]);
});
