import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { readCapture } from "../../../lib/cli/client/frames/capture.ts";
import { capturedFrames } from "../../../lib/cli/client/frames/captured_frames.ts";
import { ParleyError } from "../../../lib/errors.ts";
import { encodeControl } from "../../../lib/wire/control.ts";
import { encodeFrame, MESSAGE_HEADERS, Type } from "../../../lib/wire/header.ts";
import { runParley } from "../../harness/in_process.ts";
import { assertFailure, parley, processTest } from "../../harness/program.ts";
import { seeded, seedFrom } from "../../harness/seeded.ts";

const encoder = new TextEncoder();

function join(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

const HELLO = encodeControl({ type: Type.HELLO }, { protocol: "parley/1", name: "Ada", token: "t0p-secret" });
const OPEN = encodeControl({ type: Type.OPEN, id: 1, sender: 17 }, { channel: "chat.lobby" });
const MESSAGE = encodeFrame(
  { type: Type.MESSAGE, flags: 1, channel: 3, sender: 17 },
  encoder.encode("hello, Ada"),
);
const CAPTURE = join(HELLO, OPEN, MESSAGE);

/** Groups of hex digits, `size` bytes each. */
function groups(bytes: Uint8Array, size: number): string[] {
  return bytes.toHex().match(new RegExp(`.{1,${size * 2}}`, "g")) ?? [];
}

/** A dump in rows of 16 bytes, each made by `row`. */
function dump(bytes: Uint8Array, row: (offset: number, bytes: Uint8Array) => string): string {
  const rows: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) rows.push(row(at, bytes.subarray(at, at + 16)));
  return rows.join("\n") + "\n";
}

function ascii(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.map((byte) => byte >= 0x20 && byte < 0x7f ? byte : 0x2e));
}

function offset(at: number, radix: number, digits: number): string {
  return at.toString(radix).padStart(digits, "0");
}

const FORMS: Record<string, (bytes: Uint8Array) => string> = {
  "xxd": (bytes) =>
    dump(bytes, (at, row) => `${offset(at, 16, 8)}: ${groups(row, 2).join(" ").padEnd(39)}  ${ascii(row)}`),
  "xxd -g1 -u": (bytes) =>
    dump(
      bytes,
      (at, row) =>
        `${offset(at, 16, 8)}: ${groups(row, 1).join(" ").toUpperCase().padEnd(47)}  ${ascii(row)}`,
    ),
  "hexdump -C": (bytes) =>
    dump(bytes, (at, row) => {
      const halves = [row.subarray(0, 8), row.subarray(8)].map((half) =>
        groups(half, 1).join(" ").padEnd(23)
      );
      return `${offset(at, 16, 8)}  ${halves.join("  ")}  |${ascii(row)}|`;
    }) + `${offset(bytes.length, 16, 8)}\n`,
  "od -A x -t x1": (bytes) =>
    dump(bytes, (at, row) => `${offset(at, 16, 6)} ${groups(row, 1).join(" ")}`) +
    `${offset(bytes.length, 16, 6)}\n`,
  "od -t x1": (bytes) =>
    dump(bytes, (at, row) => `${offset(at, 8, 7)} ${groups(row, 1).join(" ")}`) +
    `${offset(bytes.length, 8, 7)}\n`,
  "xxd -p": (bytes) => dump(bytes, (_, row) => groups(row, 16).join("")),
  "one line": (bytes) => bytes.toHex(),
  "pairs": (bytes) => ` ${groups(bytes, 1).join(" ")}\r\n`,
  "colons": (bytes) => groups(bytes, 1).join(":"),
  "xxd -i": (bytes) => dump(bytes, (_, row) => `  ${groups(row, 1).map((byte) => `0x${byte}`).join(", ")},`),
  "a string": (bytes) => groups(bytes, 1).map((byte) => `\\x${byte}`).join(""),
};

for (const [name, format] of Object.entries(FORMS)) {
  Deno.test(`a hex dump is read as its bytes: ${name}`, () => {
    for (const bytes of [CAPTURE, MESSAGE, CAPTURE.subarray(0, 16), new Uint8Array(40)]) {
      assertEquals(readCapture(encoder.encode(format(bytes)), 1024).toHex(), bytes.toHex());
    }
  });
}

Deno.test("raw bytes, and text that is no hex dump, stay what they are", () => {
  for (const bytes of [CAPTURE, MESSAGE, encoder.encode("GET / HTTP/1.1\r\n\r\n"), new Uint8Array(0)]) {
    assertEquals(readCapture(bytes, 1024), bytes);
  }
});

Deno.test("a line * repeats the line before, up to the next offset and to a limit", () => {
  const text = "00000000  00 00 00 00\n*\n00000010  01\n00000011\n";
  assertEquals(readCapture(encoder.encode(text), 1024), new Uint8Array(17).fill(1, 16));
  const bomb = encoder.encode("00000000  00 00 00 00\n*\nffffffff  01\n");
  assertThrows(() => readCapture(bomb, 1024), ParleyError, "line 3 of the hex dump");
});

for (
  const [text, words] of [
    ["20 01\n0g 00", 'line 2 of the hex dump: expected hexadecimal digits, got "0g"'],
    ["20 01 0", 'line 1 of the hex dump: a byte has two digits, got "0"'],
    ["00000000: 2001\n00000008: 0000", "its offset does not fit"],
  ]
) {
  Deno.test(`a hex dump with an error is refused: ${words}`, () => {
    assertThrows(() => readCapture(encoder.encode(text), 1024), ParleyError, words);
  });
}

Deno.test("malformed bytes: the offset, what was expected and what came", () => {
  const welcome = encodeControl({ type: Type.WELCOME }, { session: "x" });
  const cases: [Uint8Array, number, RegExp][] = [
    [MESSAGE.subarray(0, 7), 0, /^expected a header of 16 bytes, got the last 7 bytes$/],
    [MESSAGE.subarray(0, 20), 16, /^expected 10 bytes of payload, got the last 4 bytes$/],
    [encoder.encode("GET / HTTP/1.1\r\nHost: hub\r\n"), 0, /^unknown type 0x47: .*; this looks like HTTP$/],
    [encodeFrame({ type: Type.PING, channel: 9 }), 8, /^channel of PING must be 0, got 9$/],
    [encodeFrame({ type: Type.HELLO, id: 7 }), 2, /^id of HELLO must be 0, got 7$/],
    [encodeFrame({ type: Type.MESSAGE, flags: 0x81, channel: 3 }), 1, /^flags 0x81 set bits that must be 0$/],
    [encodeFrame({ type: Type.HELLO, sender: 3 }), 12, /^sender of HELLO must be 0, got 3$/],
    [
      encodeFrame({ type: Type.OPEN, id: 1 }, encoder.encode("[]")),
      16,
      /must be a JSON object, got an array$/,
    ],
    [welcome, 16, /^WELCOME lacks "number"$/],
    [
      encodeFrame({ type: Type.REPLY, flags: MESSAGE_HEADERS, id: 1, channel: 0x80000001 }),
      16,
      /lack their length$/,
    ],
    [encodeFrame({ type: Type.ACK, channel: 1 }, new Uint8Array(9)), 4, /^ACK carries 8 or 16 bytes, got 9$/],
    [encodeFrame({ type: Type.PING }, new Uint8Array(126)), 4, /^PING carries at most 125 bytes, got 126$/],
  ];
  for (const [bytes, at, words] of cases) {
    const [first, ...more] = capturedFrames(join(MESSAGE, bytes));
    assertEquals([first.problem, more.length], [undefined, 1], `${words}`);
    assertEquals(more[0].problem?.at, MESSAGE.length + at, `${words}`);
    assertMatch(more[0].problem!.text, words);
  }
});

Deno.test("both directions may be mixed, and decoding goes on behind a malformed frame", () => {
  const opened = { channel: "chat.lobby", number: 3, publish: true, subscribe: false };
  const mixed = join(HELLO, OPEN, encodeControl({ type: Type.OPENED, id: 1, channel: 3 }, opened), MESSAGE);
  assertEquals([...capturedFrames(mixed)].map(({ from, problem }) => [from, problem]), [
    ["client", undefined],
    ["client", undefined],
    ["server", undefined],
    [undefined, undefined],
  ]);
  const bad = encodeFrame({ type: Type.BYE, id: 3 }, encoder.encode("{}"));
  assertEquals(
    [...capturedFrames(join(bad, encodeFrame({ type: 0x90 }), MESSAGE))].map(({ problem }) => problem?.at),
    [
      2,
      undefined,
      undefined,
    ],
  );
});

Deno.test("random bytes are walked to their end without an error", () => {
  const random = seeded(seedFrom());
  for (let round = 0; round < 300; round++) {
    const bytes = CAPTURE.slice();
    for (let flips = 0; flips < 4; flips++) bytes[random.int(bytes.length)] = random.int(256);
    for (const { at, payload } of capturedFrames(bytes)) {
      assertEquals(at + payload.length <= bytes.length, true);
    }
  }
});

processTest("decode explains a capture from a pipe, offline, without its token", async () => {
  const { code, stdout, stderr } = await parley(["decode", "-"], { stdin: FORMS["xxd"](CAPTURE) });
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^frame 1 at offset 0, from the client: HELLO {2}\d+ bytes$/m);
  assertStringIncludes(stdout, "token     (10 characters, not shown)");
  assertMatch(stdout, /^frame 3 at offset \d+: MESSAGE {2}text channel=3 sender=17 10 bytes$/m);
  assertEquals(/t0p|74 30 70/.test(stdout), false);
});

Deno.test(
  "decode ends with 1 for malformed bytes, which --json describes too, and with 2 for a file that is not there",
  async () => {
    const stdin = join(MESSAGE, encodeFrame({ type: Type.PING, channel: 9 }, encoder.encode("\x1b[2J")));
    const text = await runParley(["decode"], { stdin });
    assertEquals([text.code, text.stdout.includes("\x1b")], [1, false]);
    assertEquals(
      text.stderr,
      "parley: 1 of 2 frames is malformed: at offset 34: channel of PING must be 0, got 9\n",
    );
    assertMatch(text.stdout, /^ {2}! {4}at offset 34: channel of PING must be 0, got 9$/m);
    const json = await runParley(["decode", "--json"], { stdin });
    const frames = json.stdout.trim().split("\n").map((line) => JSON.parse(line));
    assertEquals([json.code, frames[0].text, frames[1].problem.at], [1, "hello, Ada", 34]);
    assertFailure(await runParley(["decode", "/nonexistent"]), 2, /cannot read \/nonexistent: /);
  },
);
