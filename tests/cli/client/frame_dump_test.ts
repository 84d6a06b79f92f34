import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { formatFrameDump } from "../../../lib/cli/client/frames/frame_dump.ts";
import { ParleyError } from "../../../lib/errors.ts";
import { encodeFrame, INBOX, MESSAGE_HEADERS, RULES, Type } from "../../../lib/wire/header.ts";
import { encodeMessageHeaders } from "../../../lib/wire/message_headers.ts";

const encoder = new TextEncoder();

Deno.test("a message is shown field by field", () => {
  const frame = encodeFrame(
    { type: Type.MESSAGE, flags: 1, channel: 3, sender: 17 },
    encoder.encode("hello, Ada"),
  );
  assertEquals(
    formatFrameDump(frame),
    `offset  bytes                    field    meaning
     0  20                       type     MESSAGE: a message, forwarded byte for byte
     1  01                       flags    the payload is UTF-8 text
     2  00 00                    id       none
     4  00 00 00 0a              length   10 bytes of payload follow the header
     8  00 00 00 03              channel  channel number 3
    12  00 00 00 11              sender   session 17
    16  68 65 6c 6c 6f 2c 20 41  payload  "hello, A"
    24  64 61                             "da"`,
  );
});

Deno.test("a reply goes to an inbox, under the id of its request", () => {
  const text = formatFrameDump(
    encodeFrame({ type: Type.REPLY, flags: 2, id: 5, channel: INBOX + 3, sender: 17 }),
  );
  assertStringIncludes(text, "the inbox of session 3");
  assertStringIncludes(text, "5: ties a reply to its request");
  assertStringIncludes(text, "the payload is JSON");
  assertMatch(text, /0 bytes of payload/);
});

Deno.test("every type is described, and an unknown type is called that", () => {
  for (const rule of RULES) {
    if (rule) {
      assertMatch(
        formatFrameDump(encodeFrame({ type: Type[rule.name] })),
        new RegExp(`type +${rule.name}: \\w`),
      );
    }
  }
  assertStringIncludes(formatFrameDump(encodeFrame({ type: 0x47 })), "unknown type 0x47: not Parley");
  assertStringIncludes(
    formatFrameDump(encodeFrame({ type: 0x90 })),
    "extension 0x90: skipped by peers that do not know it",
  );
});

Deno.test("bytes that are not text, or that control a terminal, are escaped", () => {
  const text = formatFrameDump(encodeFrame({ type: Type.PING }, new Uint8Array([0x1b, 0x5b, 0xff, 0x41])));
  assertStringIncludes(text, '"\\x1b[.A"');
  assertEquals(text.includes("\x1b"), false);
});

Deno.test("a long payload is shown in part, and missing bytes are counted", () => {
  const frame = encodeFrame({ type: Type.MESSAGE, channel: 1, sender: 1 }, new Uint8Array(1000));
  assertMatch(formatFrameDump(frame), /\n +80 +\.\.\. and 936 bytes more$/);
  assertMatch(formatFrameDump(frame.subarray(0, 20)), /\n +20 +996 bytes missing$/);
  assertThrows(() => formatFrameDump(frame.subarray(0, 15)), ParleyError, "there are only 15");
});

Deno.test("message headers are decoded, and the content follows them", () => {
  const headers = encodeMessageHeaders({ "reply-by": "\u202e1" });
  const header = { type: Type.MESSAGE, flags: MESSAGE_HEADERS | 1, channel: 1, sender: 2 };
  const frame = encodeFrame(header, new Uint8Array([...headers, ...encoder.encode("hello")]));
  const [flags, ...rows] = formatFrameDump(frame).split("\n").filter((_, at) => at === 2 || at > 6);
  assertEquals(
    flags,
    `     1  09${" ".repeat(23)}flags    the payload is UTF-8 text; message headers come first`,
  );
  assertEquals(
    rows.join("\n"),
    `    16  00 13                    headers  19 bytes: {"reply-by":"\\u202e1"}
    18  7b 22 72 65 70 6c 79 2d           "{"reply-"
    26  62 79 22 3a 22 e2 80 ae           "by":"\\u{202e}"
    34  31 22 7d                          "1"}"
    37  68 65 6c 6c 6f           payload  "hello"`,
  );
});

Deno.test("malformed message headers are reported, and the payload is shown as it is", () => {
  const frame = encodeFrame(
    { type: Type.REPLY, flags: MESSAGE_HEADERS, id: 1 },
    new Uint8Array([0, 9, 0x7b]),
  );
  assertMatch(
    formatFrameDump(frame),
    /\n +16 +headers +message headers of 9 bytes in a payload of 3\n +16 +00 09 7b +payload/,
  );
});

Deno.test("a control payload is shown key by key, without its token and without control characters", () => {
  const token = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJBZGEifQ.c2lnbmF0dXJl";
  const json = {
    protocol: "parley/1",
    name: "\x1b[2J",
    token,
    link: `parleys://hub?token=${token}`,
    more: { token },
  };
  const text = formatFrameDump(encodeFrame({ type: Type.HELLO }, encoder.encode(JSON.stringify(json))));
  assertEquals(text.split("\n").slice(7).map((line) => line.slice(42)), [
    'protocol  "parley/1"',
    'name      "\\u001b[2J"',
    "token     (52 characters, not shown)",
    `link      "parleys://hub?token=${"*".repeat(52)}"`,
    `more      {"token":"${"*".repeat(52)}"}`,
  ]);
  assertStringIncludes(text, `${JSON.stringify(json).length} bytes of JSON  `);
});

Deno.test("a HELLO that is not whole JSON is not shown: no part of it may be its token", () => {
  const whole = encodeFrame({ type: Type.HELLO }, encoder.encode('{"token":"t0p-secret"}'));
  const unquoted = encodeFrame({ type: Type.HELLO }, encoder.encode("{token:t0p-secret}"));
  for (const frame of [whole.subarray(0, 30), unquoted]) {
    const text = formatFrameDump(frame);
    assertMatch(text, /\n +16 +1[48] bytes +payload +.*; not shown, because it may hold a token/);
    assertEquals(text.includes("t0p") || text.includes("74 30 70"), false);
  }
  const open = formatFrameDump(encodeFrame({ type: Type.OPEN, id: 1 }, encoder.encode("nonsense")));
  assertMatch(open, /payload {2}not a JSON object in UTF-8\n +16 {2}6e 6f 6e/);
});

Deno.test("a token in a message is masked in its text and in its bytes, also one that the limit cuts", () => {
  const jwt = `eyJ${"a".repeat(40)}.${"b".repeat(40)}.c`;
  for (const start of [0, 1, 40, 63]) {
    const message = encoder.encode("x".repeat(start) + jwt);
    const text = formatFrameDump(encodeFrame({ type: Type.MESSAGE, channel: 1, sender: 1 }, message));
    assertEquals([text.includes("eyJ"), text.includes("65 79"), text.includes("*")], [false, false, true]);
  }
});

Deno.test("sequences are shown as numbers", () => {
  const sequence = new Uint8Array([0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 1, 0xf4]);
  const show = (type: number, bytes: Uint8Array, sender = 1) =>
    formatFrameDump(encodeFrame({ type, channel: 1, sender }, bytes)).split("\n").slice(7).map((row) =>
      row.slice(42)
    );
  const two = new Uint8Array([...sequence.subarray(0, 8), ...sequence.subarray(0, 8)]);
  assertEquals(show(Type.ACK, sequence.subarray(0, 8)), ["4294967301: every message up to this sequence"]);
  assertEquals(show(Type.ACK, sequence.subarray(0, 8), 0), [
    "4294967301: sequence of the message, which is stored with all before it",
  ]);
  assertEquals(show(Type.RENEW, two), ["4294967301: from this sequence", "4294967301: to this sequence"]);
  assertEquals(show(Type.POSITION, sequence, 0), [
    "4294967301: sequence of the next message",
    "500: times it was delivered before",
  ]);
  assertEquals(show(Type.NAK, sequence), [
    "4294967301: sequence of the message",
    "500: milliseconds until it is delivered again",
  ]);
  assertEquals(show(Type.NAK, new Uint8Array(12).fill(0xff, 8)).at(-1), "4294967295: set aside now");
});

Deno.test("OPENED with many members is shown in part", () => {
  const members = Array.from({ length: 1000 }, (_, number) => ({ number, name: "guest" }));
  const text = formatFrameDump(
    encodeFrame({ type: Type.OPENED }, encoder.encode(JSON.stringify({ members }))),
  );
  assertEquals([text.length < 1000, text.includes("…")], [true, true]);
});
