import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { formatFrameDump } from "../../../lib/cli/client/frame_dump.ts";
import { formatTrace } from "../../../lib/cli/client/trace.ts";
import { ParleyError } from "../../../lib/errors.ts";
import { encodeFrame, INBOX, MESSAGE_HEADERS, readHeader, RULES, Type } from "../../../lib/wire/header.ts";
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
  const receipt = readHeader(frame);
  assertEquals(
    formatTrace("in", receipt, 0),
    "    0.0 ms < MESSAGE  text headers channel=1 sender=2 26 bytes",
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

Deno.test("a traced frame is one line without its payload", () => {
  const frame = encodeFrame(
    { type: Type.REQUEST, flags: 1, id: 7, channel: 2, sender: 17 },
    encoder.encode("x"),
  );
  assertEquals(
    formatTrace("out", readHeader(frame), 1),
    "    1.0 ms > REQUEST  text id=7 channel=2 sender=17 1 byte",
  );
  const reply = readHeader(encodeFrame({ type: Type.REPLY, id: 7, channel: INBOX + 17, sender: 3 }));
  assertEquals(
    formatTrace("in", reply, 1234.56),
    " 1234.6 ms < REPLY    bytes id=7 inbox=17 sender=3 0 bytes",
  );
  const receipt = readHeader(encodeFrame({ type: Type.MESSAGE, flags: 6, id: 1, channel: 1, sender: 3 }));
  assertEquals(
    formatTrace("out", receipt, 0),
    "    0.0 ms > MESSAGE  json receipt id=1 channel=1 sender=3 0 bytes",
  );
  const unknown = readHeader(encodeFrame({ type: 0x47 }));
  assertEquals(formatTrace("in", unknown, 0), "    0.0 ms < unknown type 0x47 0 bytes");
});
