import { assertEquals } from "@std/assert";
import { People } from "../../../../lib/cli/client/chat/people.ts";

function peopleOf(members: [number, string][], remembered: [number, string][] = []): People {
  const people = new People(() => [{ members: new Map(members) }]);
  for (const [id, name] of remembered) people.remember(id, name);
  return people;
}

Deno.test("sessions have names, also those that have left; the id is told if two have the same", () => {
  const people = peopleOf([[1, "Ada"], [2, "Grace"], [3, "Grace"]], [[4, "Linus"], [1, "stale"]]);
  assertEquals([1, 2, 3, 4, 0, 9].map((id) => people.label(id)), [
    "Ada",
    "Grace#2",
    "Grace#3",
    "Linus",
    "the server",
    "session 9",
  ]);
  people.forget();
  assertEquals([people.label(1), people.label(4)], ["Ada", "session 4"]);
});

Deno.test("the newest 10,000 names are remembered", () => {
  const people = peopleOf([]);
  for (let id = 7; id < 10_008; id++) people.remember(id, `guest-${id}`);
  assertEquals([people.label(7), people.label(8)], ["session 7", "guest-8"]);
});

Deno.test("a session is found by its name, with spaces and in any case of letters", () => {
  const members: [number, string][] = [[1, "Ada"], [2, "Ada Lovelace"], [3, "Grace"], [4, "Grace"], [
    5,
    "C#3",
  ]];
  const people = peopleOf(members, [[6, "Linus"]]);
  assertEquals(people.find("ada hello there"), { kind: "one", id: 1, name: "Ada", rest: "hello there" });
  assertEquals(people.find("Ada Lovelace hi"), { kind: "one", id: 2, name: "Ada Lovelace", rest: "hi" });
  assertEquals(people.find("Grace hi"), { kind: "several", labels: ["Grace#3", "Grace#4"] });
  assertEquals(people.find("Grace#4 hi\nyou"), { kind: "one", id: 4, name: "Grace#4", rest: "hi\nyou" });
  assertEquals(people.find("C#3 hi"), { kind: "one", id: 5, name: "C#3", rest: "hi" });
  assertEquals(people.find("#9 hi"), { kind: "one", id: 9, name: "session 9", rest: "hi" });
  assertEquals(people.find("linus hi"), { kind: "left", name: "Linus" });
  assertEquals([people.find("Adam hi"), people.find("")], [{ kind: "unknown" }, { kind: "unknown" }]);
});
