/** Patterns: which of them cover a name, and what is left when they are gone. */

import { assert, assertEquals } from "@std/assert";
import { Patterns } from "../../lib/broker/patterns.ts";
import type { Subscription } from "../../lib/broker/peer.ts";
import { MAX_CHANNEL_SEGMENTS } from "../../lib/limits.ts";
import { covers } from "../../lib/wire/names.ts";
import { seeded, seedFrom } from "../harness/seeded.ts";
import { FakePeer, subscriptionOf } from "./fake_peer.ts";
import { newBudget } from "./test_broker.ts";

/** Adds a subscription of a new session with this number. */
function add(patterns: Patterns, pattern: string, number = 1): Subscription {
  const subscription = subscriptionOf(new FakePeer(number), pattern);
  patterns.add(subscription);
  return subscription;
}

/** The numbers of the sessions whose patterns cover `name`. */
function covering(patterns: Patterns, name: string): number[] {
  const found: number[] = [];
  for (const node of patterns.covering(name)) node.forEach(({ peer }) => found.push(peer.number));
  return found.sort((a, b) => a - b);
}

Deno.test("the patterns found are those that cover the name, whatever was added and removed before", () => {
  const random = seeded(seedFrom());
  const words = ["a", "b", "c", "aa"];
  const name = () => Array.from({ length: 1 + random.int(4) }, () => random.pick(words)).join(".");
  const pattern = () => {
    const segments = name().split(".").map((segment) => random.int(3) === 0 ? "*" : segment);
    if (random.int(3) === 0) segments[segments.length - 1] = ">";
    return segments.join(".");
  };
  for (let round = 0; round < 50; round++) {
    const patterns = new Patterns(newBudget());
    const there: Subscription[] = [];
    const text = ({ segments }: Subscription) => segments.join(".");
    for (let step = 0; step < 60; step++) {
      if (there.length > 0 && random.int(3) === 0) {
        const [removed] = there.splice(random.int(there.length), 1);
        patterns.remove(removed);
      } else there.push(add(patterns, pattern(), step));
      const sought = random.int(8) === 0 ? `$${name()}` : name();
      const expected = there.filter((subscription) => covers(text(subscription), sought));
      assertEquals(
        covering(patterns, sought),
        expected.map(({ peer }) => peer.number).sort((a, b) => a - b),
        `${sought} by ${there.map(text).join(" ")}`,
      );
    }
  }
});

Deno.test("a session with two patterns is found once for each", () => {
  const patterns = new Patterns(newBudget());
  add(patterns, "a.*", 7);
  const other = add(patterns, "a.>", 7);
  assertEquals(covering(patterns, "a.b"), [7, 7]);
  patterns.remove(other);
  assertEquals(covering(patterns, "a.b"), [7]);
});

Deno.test("several sessions may have the same pattern; one node stands for all of them", () => {
  const patterns = new Patterns(newBudget());
  const all = [1, 2, 3].map((number) => add(patterns, "a.*", number));
  assertEquals([covering(patterns, "a.b"), patterns.covering("a.b").length], [[1, 2, 3], 1]);
  patterns.remove(all[1]);
  patterns.remove(all[0]);
  assertEquals(covering(patterns, "a.b"), [3]);
  patterns.remove(all[2]);
  assertEquals(patterns.covering("a.b"), []);
});

Deno.test("the version changes with every subscription that is added, removed or to be announced again", () => {
  const patterns = new Patterns(newBudget());
  const versions = [patterns.version];
  const subscription = add(patterns, "a.>");
  versions.push(patterns.version);
  patterns.announceAgain(subscription);
  versions.push(patterns.version);
  assertEquals(subscription.since, patterns.version);
  patterns.remove(subscription);
  versions.push(patterns.version);
  assertEquals(new Set(versions).size, 4);
});

Deno.test("only the node whose subscriptions change notes the change", () => {
  const patterns = new Patterns(newBudget());
  add(patterns, "a.*");
  const [node] = patterns.covering("a.b");
  const before = node.changedAt;
  const other = add(patterns, "a.>");
  patterns.remove(other);
  assertEquals([node.changedAt, patterns.covering("a.b")], [before, [node]]);
  add(patterns, "a.*", 2);
  assert(node.changedAt > before);
});

Deno.test("nodes that no pattern needs are removed, the others stay", () => {
  const patterns = new Patterns(newBudget());
  const long = add(patterns, "a.b.c.*", 1);
  const short = add(patterns, "a.b.*", 2);
  const [node] = patterns.covering("a.b.x");
  patterns.remove(long);
  assertEquals(patterns.covering("a.b.x"), [node], "shares its first segments with the one that is gone");
  patterns.remove(short);
  assert(node.isEmpty);
  add(patterns, "a.b.*", 3);
  const [made] = patterns.covering("a.b.x");
  assert(made !== node && made.id > node.id, "a node that was removed never comes back");
});

Deno.test("a removed pattern costs nothing when names are looked up", () => {
  let spent = 0;
  const budget = newBudget();
  budget.spend = (units) => void (spent += units);
  const cost = (patterns: Patterns) => {
    spent = 0;
    patterns.covering("a.a.a.a");
    return spent;
  };
  const patterns = new Patterns(budget);
  const empty = cost(patterns);
  const added = ["a.a.a.*", "*.*.*.*", "a.*.a.>"].map((pattern) => add(patterns, pattern));
  assert(cost(patterns) > empty);
  for (const subscription of added) patterns.remove(subscription);
  assertEquals(cost(patterns), empty);
});

Deno.test("patterns and names may have sixteen segments", () => {
  const patterns = new Patterns(newBudget());
  const segments = (segment: string) => Array.from({ length: MAX_CHANNEL_SEGMENTS }, () => segment);
  add(patterns, segments("*").join("."), 1);
  add(patterns, [...segments("a").slice(1), ">"].join("."), 2);
  add(patterns, segments("a").join("."), 3);
  add(patterns, segments("a").slice(1).join("."), 4);
  assertEquals(covering(patterns, segments("a").join(".")), [1, 2, 3]);
});

Deno.test("finding the patterns of the longest name looks at each combination of wildcards once", () => {
  let spent = 0;
  const budget = newBudget();
  budget.spend = (units) => void (spent += units);
  const patterns = new Patterns(budget);
  const wide = 10;
  for (let bits = 0; bits < 2 ** wide; bits++) {
    add(patterns, Array.from({ length: wide }, (_, i) => (bits >> i) % 2 === 0 ? "a" : "*").join("."), bits);
  }
  spent = 0;
  assertEquals(patterns.covering(Array(wide).fill("a").join(".")).length, 2 ** wide);
  assertEquals(spent, 2 ** (wide + 1) - 1);
});

Deno.test("no pattern covers a name of the server's own", () => {
  const patterns = new Patterns(newBudget());
  for (const pattern of ["*", ">", "*.*", "*.>"]) add(patterns, pattern);
  assertEquals([covering(patterns, "$echo"), covering(patterns, "$a.b")], [[], []]);
  assert(covering(patterns, "echo").length > 0);
});
