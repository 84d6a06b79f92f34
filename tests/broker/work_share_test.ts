/** Shares of the work budget: which sessions are light, and go first. */

import { assert, assertEquals } from "@std/assert";
import { WorkShare } from "../../lib/broker/work_share.ts";
import { WORK_PER_TURN } from "../../lib/limits.ts";
import type { WorkBudget } from "../../lib/broker/work_budget.ts";
import { newBudget, nextTurn } from "./test_broker.ts";

/** Keeps the server busy: something waits in every turn. */
function keepBusy(budget: WorkBudget): Disposable {
  let isOver = false;
  const call = () => {
    if (!isOver) budget.later(call);
  };
  call();
  return { [Symbol.dispose]: () => isOver = true };
}

Deno.test("a session that has used its share is light no longer, whatever others use", async () => {
  const budget = newBudget();
  using _busy = keepBusy(budget);
  const [heavy, light] = [new WorkShare(budget), new WorkShare(budget)];
  assert(heavy.isLight && light.isLight);
  heavy.begin();
  budget.spend(WORK_PER_TURN);
  heavy.end();
  assertEquals([heavy.isLight, light.isLight], [false, true]);
  await nextTurn(budget);
  assertEquals([heavy.isLight, light.isLight], [false, true]);
});

Deno.test("a session is light again after some turns without work, however much it has used", async () => {
  const budget = newBudget();
  using _busy = keepBusy(budget);
  const share = new WorkShare(budget);
  for (let i = 0; i < 10; i++) {
    share.begin();
    budget.spend(WORK_PER_TURN);
    share.end();
  }
  let turns = 0;
  for (; !share.isLight; turns++) {
    assert(turns < 100);
    await nextTurn(budget);
  }
  assert(turns > 10, `${turns} turns`);
});

Deno.test("what others spend between two frames of a session is not the session's", () => {
  const budget = newBudget();
  const share = new WorkShare(budget);
  share.begin();
  share.end();
  budget.spend(WORK_PER_TURN);
  share.end();
  assert(share.isLight);
});

Deno.test("what a session has done while no other waited does not make it wait once others are busy", async () => {
  const budget = newBudget();
  const [ping, heavy] = [new WorkShare(budget), new WorkShare(budget)];
  for (let i = 0; i < 100; i++) {
    ping.begin();
    budget.spend(8);
    ping.end();
  }
  heavy.begin();
  budget.spend(WORK_PER_TURN);
  heavy.end();
  assertEquals([ping.isLight, heavy.isLight], [true, false]);
  await nextTurn(budget);
  budget.later(() => {}); // the server is busy once more
  assertEquals([ping.isLight, heavy.isLight], [true, true], "nothing had waited any more");
});
