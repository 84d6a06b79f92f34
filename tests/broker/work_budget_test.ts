/** The work budget: what is postponed, in which order it is done, and when nothing is scheduled. */

import { assert, assertEquals } from "@std/assert";
import { WorkBudget } from "../../lib/broker/work_budget.ts";
import { WORK_PER_TURN } from "../../lib/limits.ts";
import { newBudget, nextTurn, turnOfLoop } from "./test_broker.ts";

Deno.test("calls are made in order in a later turn", async () => {
  const budget = newBudget();
  const made: number[] = [];
  for (const number of [1, 2, 3]) budget.later(() => made.push(number));
  await Promise.resolve();
  assertEquals(made, []);
  await turnOfLoop();
  assertEquals(made, [1, 2, 3]);
});

Deno.test("a call that is added by another comes after all that wait, in another turn", async () => {
  const budget = newBudget();
  const made: string[] = [];
  budget.later(() => {
    made.push("one");
    budget.later(() => made.push("added"));
  });
  budget.later(() => made.push("two"));
  await turnOfLoop();
  assertEquals(made, ["one", "two"]);
  await turnOfLoop();
  assertEquals(made, ["one", "two", "added"]);
});

Deno.test("once the budget is spent, the other calls wait for the next turn", async () => {
  const budget = newBudget(10);
  const made: number[] = [];
  const seen: number[] = [];
  for (let number = 1; number <= 7; number++) {
    budget.later(() => {
      made.push(number);
      budget.spend(4);
    });
  }
  for (let turn = 0; turn < 3; turn++) {
    await turnOfLoop();
    seen.push(made.length);
  }
  assertEquals([seen, made], [[3, 6, 7], [1, 2, 3, 4, 5, 6, 7]]);
});

Deno.test("a call that costs more than a turn's budget does not stop the others for good", async () => {
  const budget = newBudget(10);
  const made: number[] = [];
  for (const number of [1, 2, 3]) {
    budget.later(() => {
      made.push(number);
      budget.spend(1000);
    });
  }
  for (let turn = 1; turn <= 3; turn++) {
    await turnOfLoop();
    assertEquals(made.length, turn);
  }
});

Deno.test("a call that throws is reported, and the calls behind it are made", async () => {
  const errors: unknown[] = [];
  const budget = new WorkBudget((error) => errors.push(error));
  const made: number[] = [];
  budget.later(() => made.push(1));
  budget.later(() => {
    throw new Error("a bug");
  });
  budget.later(() => made.push(2));
  await turnOfLoop();
  assertEquals([made, errors.map(String)], [[1, 2], ["Error: a bug"]]);
});

Deno.test("the budget is spent until the next turn", async () => {
  const budget = newBudget();
  budget.spend(WORK_PER_TURN - 1);
  assert(!budget.isSpent);
  budget.spend(1);
  assert(budget.isSpent);
  await turnOfLoop();
  assert(!budget.isSpent);
});

Deno.test("light work schedules nothing", async () => {
  const budget = newBudget();
  budget.spend(WORK_PER_TURN / 8);
  await turnOfLoop();
  // If a turn had been scheduled, it would have forgotten the light work.
  budget.spend(WORK_PER_TURN - WORK_PER_TURN / 8);
  assert(budget.isSpent);
  await nextTurn(budget);
  assert(!budget.isSpent);
});

Deno.test("urgent calls come first, and yet one of the others is made in each turn", async () => {
  const budget = newBudget(10);
  const made: string[] = [];
  const call = (name: string) => () => {
    made.push(name);
    budget.spend(5);
  };
  for (const name of ["a", "b"]) budget.later(call(name));
  for (const name of ["1", "2", "3"]) budget.later(call(name), true);
  await turnOfLoop();
  assertEquals(made, ["1", "2", "a"]);
  await turnOfLoop();
  assertEquals(made, ["1", "2", "a", "3", "b"]);
});

Deno.test("a turn whose budget is spent is followed by a poll of the sockets, a light one is not", async () => {
  let polls = 0;
  const budget = new WorkBudget(() => {}, 10, (turn) => {
    polls++;
    turn();
  });
  budget.spend(1);
  await nextTurn(budget);
  assertEquals(polls, 0);
  budget.spend(10);
  await nextTurn(budget);
  assertEquals(polls, 1);
});
