import { assert, assertEquals } from "@std/assert";
import { Patterns } from "../../lib/broker/patterns.ts";
import type { Subscription } from "../../lib/broker/peer.ts";
import { seeded, seedFrom } from "../harness/seeded.ts";
import { FakePeer } from "./fake_peer.ts";

/** A subscription of a new peer with this number. */
function subscription(number = 1): Subscription {
  return { peer: new FakePeer(number), group: undefined, echo: true };
}

/** The numbers of the peers whose patterns cover `name`. */
function covering(patterns: Patterns, name: string): number[] {
  const found: number[] = [];
  patterns.covering(name, ({ peer }) => found.push(peer.number));
  return found.sort((a, b) => a - b);
}

/** What a pattern says, as protocol.md puts it, read by somebody else: a regular expression. */
function asRegExp(pattern: string): RegExp {
  const segments = pattern.split(".").map((segment) => {
    if (segment === "*") return "[^.$][^.]*";
    return segment === ">" ? "[^.$][^.]*(\\.[^.]+)*" : segment;
  });
  return new RegExp(`^${segments.join("\\.")}$`);
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
    const patterns = new Patterns();
    const there = new Map<Subscription, string>();
    for (let step = 0; step < 60; step++) {
      if (there.size > 0 && random.int(3) === 0) {
        const [gone, its] = random.pick([...there]);
        patterns.remove(its, gone);
        there.delete(gone);
      } else {
        const [added, its] = [subscription(step), pattern()];
        patterns.add(its, added);
        there.set(added, its);
      }
      const responder = random.int(8) === 0 ? `$${name()}` : name();
      const expected = [...there].filter(([, its]) => asRegExp(its).test(responder)).map(([{ peer }]) =>
        peer.number
      );
      assertEquals(
        covering(patterns, responder),
        expected,
        `${responder} by ${[...there.values()].join(" ")}`,
      );
    }
  }
});

Deno.test("a subscription under two patterns is found once for each", () => {
  const patterns = new Patterns();
  const both = subscription(7);
  patterns.add("a.*", both);
  patterns.add("a.>", both);
  assertEquals(covering(patterns, "a.b"), [7, 7]);
  patterns.remove("a.>", both);
  assertEquals(covering(patterns, "a.b"), [7]);
});

Deno.test("the version changes with every subscription that comes or goes", () => {
  const patterns = new Patterns();
  const one = subscription();
  const versions = [patterns.version];
  patterns.add("a.>", one);
  versions.push(patterns.version);
  patterns.remove("a.>", one);
  versions.push(patterns.version);
  assertEquals(new Set(versions).size, 3);
});

Deno.test("removing what was never added changes nobody's patterns", () => {
  const patterns = new Patterns();
  patterns.add("a.b.>", subscription(1));
  for (const pattern of ["a.b.>", "a.b", "a", "x.y", ">"]) patterns.remove(pattern, subscription(2));
  assertEquals(covering(patterns, "a.b.c"), [1]);
});

Deno.test("no pattern covers a name of the server's own", () => {
  const patterns = new Patterns();
  for (const pattern of ["*", ">", "*.*", "*.>"]) patterns.add(pattern, subscription());
  assertEquals([covering(patterns, "$echo"), covering(patterns, "$a.b")], [[], []]);
  assert(covering(patterns, "echo").length > 0);
});
