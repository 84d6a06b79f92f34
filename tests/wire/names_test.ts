import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { MAX_CHANNEL_BYTES } from "../../lib/limits.ts";
import { channelProblem, covers, ECHO, isPattern, isServerOwn, overlaps } from "../../lib/wire/names.ts";
import { type Random, seeded, seedFrom } from "../harness/seeded.ts";

const NAMES = [
  "a",
  "chat",
  "chat.lobby",
  "A-Z.a_z.0-9",
  "-",
  "_",
  "1.2.3",
  "$echo",
  "$server.stats",
  "a".repeat(128),
];
const PATTERNS = [
  "*",
  ">",
  "chat.*",
  "chat.>",
  "*.lobby",
  "*.*",
  "chat.*.>",
  "*.>",
  "$server.>",
  "$server.*",
];

/** What is wrong with each, and words the problem must have. */
const BAD: readonly (readonly [string, string])[] = [
  ["", "at least one character"],
  ["a".repeat(129), "at most 128 bytes, this one 129"],
  [".", "segment 1"],
  [".chat", "segment 1"],
  ["chat.", 'segment 2 of "chat." is empty'],
  ["chat..lobby", 'segment 2 of "chat..lobby" is empty'],
  ["chat lobby", "segment 1"],
  ["chat.lobby\n", "segment 2"],
  ["chat.\0", "segment 2"],
  ["chat/lobby", "segment 1"],
  ["chät", "segment 1"],
  ["чат", "segment 1"],
  ["chat.😀", "segment 2"],
  ["chat.>.lobby", 'segment 2 of "chat.>.lobby" is ">", which may only be the last'],
  [">.chat", "which may only be the last"],
  [">>", "segment 1"],
  ["**", "segment 1"],
  ["chat.lob*", "segment 2"],
  ["chat.*obby", "segment 2"],
  ["chat.lobby>", "segment 2"],
  ["chat.$lobby", "segment 2"],
  ["$", "segment 1"],
  ["$$echo", "segment 1"],
  ["$*", "segment 1"],
  ["$>", "segment 1"],
];

Deno.test("good names and patterns have no problem", () => {
  for (const channel of [...NAMES, ...PATTERNS]) assertEquals(channelProblem(channel), undefined, channel);
});

Deno.test("the problem of a bad name says what is wrong with it, and where", () => {
  for (const [channel, words] of BAD) {
    const problem = channelProblem(channel);
    assert(problem !== undefined, `${JSON.stringify(channel)} is bad`);
    assertStringIncludes(problem, words);
  }
});

Deno.test("of the single characters, those of the grammar and the two wildcards are good", () => {
  const good = Array.from({ length: 0x250 }, (_, code) => String.fromCharCode(code))
    .filter((character) => channelProblem(character) === undefined);
  assertEquals(good.join(""), "*-0123456789>ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz");
});

Deno.test("a name has at most 16 segments and 128 bytes", () => {
  assertEquals(channelProblem(Array(16).fill("a").join(".")), undefined);
  assertEquals(
    channelProblem(Array(17).fill("a").join(".")),
    "a channel name has at most 16 segments, this one 17",
  );
  assertEquals(MAX_CHANNEL_BYTES, 128);
});

Deno.test("what has a wildcard is a pattern, even one in the wrong place", () => {
  for (const name of NAMES) assert(!isPattern(name), name);
  for (const pattern of [...PATTERNS, "chat.lob*", "a>b"]) assert(isPattern(pattern), pattern);
});

Deno.test("names that begin with $ are the server's own", () => {
  assert(isServerOwn(ECHO));
  assert(isServerOwn("$server.>"));
  assert(!isServerOwn("chat"));
  assert(!isServerOwn("*"));
});

Deno.test("covers knows the cases that are easy to get wrong", () => {
  const table: readonly (readonly [string, string, boolean])[] = [
    ["chat", "chat", true],
    ["chat", "chats", false],
    ["chat", "chat.lobby", false],
    ["chat.*", "chat", false],
    ["chat.*", "chat.lobby", true],
    ["chat.*", "chat.lobby.blue", false],
    ["chat.>", "chat", false],
    ["chat.>", "chat.lobby.blue", true],
    ["*.lobby", "chat.lobby", true],
    [">", "chat", true],
    [">", "$echo", false],
    ["*", "$echo", false],
    ["*.stats", "$server.stats", false],
    ["$server.*", "$server.stats", true],
    ["$server.>", "$server.stats.cpu", true],
    [">", ">", true],
    [">", "*", true],
    ["*", ">", false],
    ["chat.>", "chat.*", true],
    ["chat.*", "chat.>", false],
    ["chat.lobby", "chat.*", false],
    [">", "$server.>", false],
  ];
  for (const [outer, inner, expected] of table) {
    assertEquals(covers(outer, inner), expected, `${outer} covers ${inner}`);
  }
});

/** Says in another way what `pattern` stands for: a wildcard in front stands for anything but a `$` name. */
function matcher(pattern: string): RegExp {
  const segments = pattern.split(".").map((segment, i) => {
    if (segment === "*") return i === 0 ? "[^.$][^.]*" : "[^.]+";
    if (segment === ">") return i === 0 ? "[^$].*" : ".+";
    return segment.replace("$", "\\$");
  });
  return new RegExp(`^${segments.join("\\.")}$`);
}

/** A name or pattern of up to `most` segments. */
function randomChannel(
  random: Random,
  most: number,
  first: string[],
  others: string[],
  last: string[],
): string {
  const length = 1 + random.int(most);
  const segments = Array.from({ length }, (_, i) => {
    const choices = [...(i === 0 ? first : others), ...(i === length - 1 ? last : [])];
    return random.pick(choices);
  });
  return segments.join(".");
}

Deno.test("covers agrees with a regular expression on random names", () => {
  const random = seeded(seedFrom());
  const words = ["a", "b", "ab", "a-b"];
  let covered = 0;
  for (let round = 0; round < 20_000; round++) {
    const pattern = randomChannel(random, 4, ["*", "$a", ...words], ["*", ...words], [">"]);
    const name = randomChannel(random, 5, ["$a", ...words], words, []);
    assertEquals(channelProblem(pattern), undefined, pattern);
    const expected = matcher(pattern).test(name);
    assertEquals(covers(pattern, name), expected, `${pattern} covers ${name}`);
    if (expected) covered++;
  }
  assert(covered > 500, `only ${covered} of the names were covered`);
});

Deno.test("a pattern covers another exactly if it covers every name the other does", () => {
  const below = (length: number): string[] =>
    length === 0 ? [""] : below(length - 1).flatMap((rest) => [`.a${rest}`, `.b${rest}`]);
  const names = [0, 1, 2, 3].flatMap(below).flatMap((rest) => [`a${rest}`, `b${rest}`, `$a${rest}`]);
  const random = seeded(seedFrom());
  for (let round = 0; round < 5_000; round++) {
    const [outer, inner] = [0, 1].map(() =>
      randomChannel(random, 3, ["a", "b", "*", "$a"], ["a", "*"], [">"])
    );
    const [wide, narrow] = [matcher(outer), matcher(inner)];
    const expected = names.filter((name) => narrow.test(name)).every((name) => wide.test(name));
    assertEquals(covers(outer, inner), expected, `${outer} covers ${inner}`);
  }
});

Deno.test("two patterns overlap exactly if some name is covered by both", () => {
  const random = seeded(seedFrom());
  const segments = ["a", "b", "*"];
  const pick = () => {
    const chosen = Array.from({ length: 1 + random.int(3) }, () => segments[random.int(segments.length)]);
    if (random.int(3) === 0) chosen.push(">");
    return chosen;
  };
  // Every name of up to four segments of "a", "b" and a third that no pattern names.
  const names: string[] = [];
  for (let length = 1; length <= 4; length++) {
    for (let code = 0; code < 3 ** length; code++) {
      names.push(Array.from({ length }, (_, at) => "abc"[Math.floor(code / 3 ** at) % 3]).join("."));
    }
  }
  for (let round = 0; round < 2000; round++) {
    const [one, other] = [pick(), pick()];
    const both = names.some((name) => covers(one.join("."), name) && covers(other.join("."), name));
    assertEquals([overlaps(one, other), overlaps(other, one)], [both, both], `${one} and ${other}`);
  }
  assert(overlaps(["$echo"], ["$echo"]) && !overlaps(["$echo"], ["*"]) && !overlaps([">"], ["$echo"]));
});
